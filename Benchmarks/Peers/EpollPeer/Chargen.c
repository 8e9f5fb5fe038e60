// SPDX-License-Identifier: Apache-2.0
// Chargen on epoll: the same block again and again, as fast as the other side takes it.
// A connection is the place in the block that it has come to.

#include "EpollPeer.h"
#include "PeerSupport.h"

#include <stdlib.h>
#include <unistd.h>

struct reader {
    int descriptor;
    /// The bytes of the present block that the kernel has taken.
    size_t sent;
};

static char scratch[PEER_READ_SIZE];

static void end(struct reader *reader) {
    close(reader->descriptor);
    free(reader);
}

static void start(int poller, int descriptor) {
    struct reader *reader = malloc(sizeof *reader);
    if (reader == NULL) {
        close(descriptor);
        return;
    }
    *reader = (struct reader){.descriptor = descriptor};
    // EPOLLOUT stays armed, for there is always more to send.
    if (!watch(poller, EPOLL_CTL_ADD, descriptor, EPOLLIN | EPOLLOUT, state_token(reader))) {
        end(reader);
    }
}

/// Throws away what has come, and says whether the connection lives.
static bool discard_input(const struct reader *reader) {
    ssize_t received = read(reader->descriptor, scratch, sizeof scratch);
    return received > 0 || (received < 0 && peer_must_wait());
}

/// Sends what is left of the block, and says whether the connection lives.
static bool send_block(struct reader *reader) {
    size_t rest = PEER_BLOCK_SIZE - reader->sent;
    ssize_t sent = write(reader->descriptor, peer_block() + reader->sent, rest);
    if (sent < 0) return peer_must_wait();
    reader->sent = (reader->sent + (size_t)sent) % PEER_BLOCK_SIZE;
    return true;
}

static void work(int poller, uint64_t token, uint32_t ready) {
    (void)poller;
    struct reader *reader = token_state(token);
    bool lives = true;
    // A reset sets EPOLLIN as well, and the read tells it.
    if (ready & (EPOLLIN | EPOLLERR | EPOLLHUP)) lives = discard_input(reader);
    if (lives && (ready & EPOLLOUT)) lives = send_block(reader);
    if (!lives) end(reader);
}

const struct service chargen_service = {.start = start, .work = work};
