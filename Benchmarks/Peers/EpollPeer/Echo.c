// SPDX-License-Identifier: Apache-2.0
// Echo on epoll: one read and one write for a message, and no memory for a connection.
// Only what the kernel refuses is kept, and until it is sent that connection is not read.

#include "EpollPeer.h"
#include "PeerSupport.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/// What the kernel did not take yet; while it exists, it stands in for its connection.
struct backlog {
    int descriptor;
    size_t sent;
    size_t length;
    char bytes[];
};

static char scratch[PEER_READ_SIZE];

static void start(int poller, int descriptor) {
    uint64_t token = descriptor_token(descriptor);
    if (!watch(poller, EPOLL_CTL_ADD, descriptor, EPOLLIN, token)) close(descriptor);
}

static void keep(int poller, int descriptor, const char *bytes, size_t length) {
    struct backlog *backlog = malloc(sizeof *backlog + length);
    if (backlog == NULL) {
        close(descriptor);
        return;
    }
    *backlog = (struct backlog){.descriptor = descriptor, .length = length};
    memcpy(backlog->bytes, bytes, length);
    // The call that asks for EPOLLOUT also swaps the token, so the state costs no call of its own.
    if (!watch(poller, EPOLL_CTL_MOD, descriptor, EPOLLOUT, state_token(backlog))) {
        free(backlog);
        close(descriptor);
    }
}

static void echo(int poller, int descriptor) {
    ssize_t received = read(descriptor, scratch, sizeof scratch);
    if (received < 0 && peer_must_wait()) return;
    if (received <= 0) {
        close(descriptor);
        return;
    }
    ssize_t sent = write(descriptor, scratch, (size_t)received);
    if (sent == received) return;
    if (sent < 0 && !peer_must_wait()) {
        close(descriptor);
        return;
    }
    if (sent < 0) sent = 0;
    keep(poller, descriptor, scratch + sent, (size_t)(received - sent));
}

static void end(struct backlog *backlog) {
    close(backlog->descriptor);
    free(backlog);
}

static void resume(int poller, struct backlog *backlog) {
    size_t rest = backlog->length - backlog->sent;
    ssize_t sent = write(backlog->descriptor, backlog->bytes + backlog->sent, rest);
    if (sent < 0) {
        if (!peer_must_wait()) end(backlog);
        return;
    }
    backlog->sent += (size_t)sent;
    if (backlog->sent < backlog->length) return;
    int descriptor = backlog->descriptor;
    if (!watch(poller, EPOLL_CTL_MOD, descriptor, EPOLLIN, descriptor_token(descriptor))) {
        close(descriptor);
    }
    free(backlog);
}

static void work(int poller, uint64_t token, uint32_t ready) {
    // Errors need no look at `ready`: the read or the write meets them.
    (void)ready;
    if (is_descriptor(token)) {
        echo(poller, token_descriptor(token));
    } else {
        resume(poller, token_state(token));
    }
}

const struct service echo_service = {.start = start, .work = work};
