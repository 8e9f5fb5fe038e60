// SPDX-License-Identifier: Apache-2.0
// How the loop of the epoll peer and its two services speak to each other.
// A service decides what the 64 bits mean that the kernel keeps for each of its connections.

#ifndef SLUICE_PEERS_EPOLL_PEER_H
#define SLUICE_PEERS_EPOLL_PEER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

/// A service of the peer.
struct service {
    /// Takes over a new connection.
    void (*start)(int poller, int descriptor);
    /// Works on a connection that is ready; the token is what was given to `watch`.
    void (*work)(int poller, uint64_t token, uint32_t ready);
};

extern const struct service echo_service;
extern const struct service chargen_service;

/// Sends datagrams back to their senders, in a loop of its own, until a signal ends the process.
_Noreturn void serve_datagrams(uint16_t port);

/// An odd token stands for a descriptor, an even one for the address of a service's own state.
static inline uint64_t descriptor_token(int descriptor) {
    return (uint64_t)descriptor << 1 | 1;
}

static inline bool is_descriptor(uint64_t token) {
    return (token & 1) != 0;
}

static inline int token_descriptor(uint64_t token) {
    return (int)(token >> 1);
}

static inline uint64_t state_token(void *state) {
    return (uint64_t)(uintptr_t)state;
}

static inline void *token_state(uint64_t token) {
    return (void *)(uintptr_t)token;
}

/// Asks for interest, and says whether the kernel had the memory for it.
static inline bool watch(int poller, int operation, int descriptor, uint32_t interest,
                         uint64_t token) {
    struct epoll_event event = {.events = interest, .data.u64 = token};
    return epoll_ctl(poller, operation, descriptor, &event) == 0;
}

#endif
