// SPDX-License-Identifier: Apache-2.0
// Chargen on libevent's events: the same block again and again, as fast as it is taken.
// One event watches both directions of a connection, since both are always wanted.

#include "LibeventPeer.h"
#include "PeerSupport.h"

#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

struct reader {
    struct event event;
    /// The bytes of the present block that the kernel has taken.
    size_t sent;
};

static char scratch[PEER_READ_SIZE];

static void end(struct reader *reader) {
    int descriptor = event_get_fd(&reader->event);
    event_del(&reader->event);
    close(descriptor);
    free(reader);
}

/// Throws away what has come, and says whether the connection lives.
static bool discard_input(int descriptor) {
    ssize_t received = read(descriptor, scratch, sizeof scratch);
    return received > 0 || (received < 0 && peer_must_wait());
}

/// Sends what is left of the block, and says whether the connection lives.
static bool send_block(struct reader *reader, int descriptor) {
    size_t rest = PEER_BLOCK_SIZE - reader->sent;
    ssize_t sent = write(descriptor, peer_block() + reader->sent, rest);
    if (sent < 0) return peer_must_wait();
    reader->sent = (reader->sent + (size_t)sent) % PEER_BLOCK_SIZE;
    return true;
}

static void on_ready(evutil_socket_t descriptor, short ready, void *context) {
    struct reader *reader = context;
    bool lives = true;
    if (ready & EV_READ) lives = discard_input(descriptor);
    if (lives && (ready & EV_WRITE)) lives = send_block(reader, descriptor);
    if (!lives) end(reader);
}

void start_chargen(struct event_base *base, int descriptor) {
    struct reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL) {
        close(descriptor);
        return;
    }
    short interest = EV_READ | EV_WRITE | EV_PERSIST;
    event_assign(&reader->event, base, descriptor, interest, on_ready, reader);
    if (event_add(&reader->event, NULL) != 0) end(reader);
}
