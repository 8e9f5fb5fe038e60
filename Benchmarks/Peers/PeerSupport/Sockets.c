// SPDX-License-Identifier: Apache-2.0
// The listening socket of a peer, the connections it gives, and the block that chargen sends.
// One answer for every peer to the question which errors of accept(2) are worth a pause.

// For accept4(2).
#define _GNU_SOURCE

#include "PeerSupport.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static void enable(int descriptor, int level, int name, const char *call) {
    int on = 1;
    if (setsockopt(descriptor, level, name, &on, sizeof on) != 0) peer_fail(call);
}

int peer_listen(uint16_t port) {
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener < 0) peer_fail("socket");
    enable(listener, SOL_SOCKET, SO_REUSEADDR, "setsockopt SO_REUSEADDR");
    // Linux hands this on to each accepted socket, which saves a call for each connection.
    enable(listener, IPPROTO_TCP, TCP_NODELAY, "setsockopt TCP_NODELAY");
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0) peer_fail("bind");
    if (listen(listener, SOMAXCONN) != 0) peer_fail("listen");
    return listener;
}

uint16_t peer_port(int listener) {
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    if (getsockname(listener, (struct sockaddr *)&address, &length) != 0) {
        peer_fail("getsockname");
    }
    return ntohs(address.sin_port);
}

void peer_announce(uint16_t port) {
    if (printf("listening on 127.0.0.1:%u\n", (unsigned)port) < 0 || fflush(stdout) != 0) {
        peer_fail("write");
    }
}

int peer_accept(int listener) {
    int descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor >= 0) return descriptor;
    if (peer_must_wait() || errno == ECONNABORTED) return PEER_ACCEPT_NOBODY;
    return PEER_ACCEPT_EXHAUSTED;
}

bool peer_must_wait(void) {
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

static void fill(char *block) {
    enum { FIRST = ' ', SYMBOL_COUNT = 95, LINE_LENGTH = 72, ROW_LENGTH = LINE_LENGTH + 2 };
    for (size_t index = 0; index < PEER_BLOCK_SIZE; index++) {
        size_t row = index / ROW_LENGTH, column = index % ROW_LENGTH;
        if (column < LINE_LENGTH) {
            block[index] = (char)(FIRST + (row + column) % SYMBOL_COUNT);
        } else {
            block[index] = column == LINE_LENGTH ? '\r' : '\n';
        }
    }
}

const char *peer_block(void) {
    static char block[PEER_BLOCK_SIZE];
    if (block[0] == '\0') fill(block);
    return block;
}
