// SPDX-License-Identifier: Apache-2.0
// A server on bare epoll, one thread, level-triggered: the floor that the others are compared to.
// It is tuned the way an expert would, so no call and no allocation is there that could be spared.

#include "EpollPeer.h"
#include "PeerSupport.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { EVENT_LIMIT = 512 };

/// The door of the server: it shuts for a while when descriptors run out.
struct door {
    int poller;
    int listener;
    /// Made in advance, because a pause begins when no descriptor is left to make one.
    int timer;
};

static void set_listening(const struct door *door, bool is_open) {
    uint64_t token = descriptor_token(door->listener);
    if (!watch(door->poller, EPOLL_CTL_MOD, door->listener, is_open ? EPOLLIN : 0, token)) {
        peer_fail("epoll_ctl");
    }
}

static struct door open_door(int listener) {
    struct door door = {.listener = listener};
    door.poller = epoll_create1(EPOLL_CLOEXEC);
    if (door.poller < 0) peer_fail("epoll_create1");
    door.timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (door.timer < 0) peer_fail("timerfd_create");
    const int descriptors[] = {door.listener, door.timer};
    for (int index = 0; index < 2; index++) {
        int descriptor = descriptors[index];
        uint64_t token = descriptor_token(descriptor);
        if (!watch(door.poller, EPOLL_CTL_ADD, descriptor, EPOLLIN, token)) {
            peer_fail("epoll_ctl");
        }
    }
    return door;
}

static void pause_accepting(const struct door *door) {
    struct itimerspec after = {.it_value.tv_nsec = PEER_PAUSE_MILLISECONDS * 1000 * 1000};
    set_listening(door, false);
    if (timerfd_settime(door->timer, 0, &after, NULL) != 0) peer_fail("timerfd_settime");
}

static void resume_accepting(const struct door *door) {
    uint64_t expirations;
    if (read(door->timer, &expirations, sizeof expirations) < 0) return;
    set_listening(door, true);
}

static void accept_some(const struct door *door, const struct service *service) {
    for (int count = 0; count < PEER_ACCEPT_LIMIT; count++) {
        int descriptor = peer_accept(door->listener);
        if (descriptor == PEER_ACCEPT_EXHAUSTED) pause_accepting(door);
        if (descriptor < 0) return;
        service->start(door->poller, descriptor);
    }
}

static _Noreturn void serve(const struct door *door, const struct service *service) {
    static struct epoll_event events[EVENT_LIMIT];
    const uint64_t listening = descriptor_token(door->listener);
    const uint64_t waking = descriptor_token(door->timer);
    for (;;) {
        int count = epoll_wait(door->poller, events, EVENT_LIMIT, -1);
        if (count < 0 && errno != EINTR) peer_fail("epoll_wait");
        for (int index = 0; index < count; index++) {
            uint64_t token = events[index].data.u64;
            if (token == listening) {
                accept_some(door, service);
            } else if (token == waking) {
                resume_accepting(door);
            } else {
                service->work(door->poller, token, events[index].events);
            }
        }
    }
}

int main(int argc, char *argv[]) {
    struct peer_options options = peer_start(argc, argv, PEER_DATAGRAMS);
    if (options.has_datagrams) serve_datagrams(options.port);
    int listener = peer_listen(options.port);
    struct door door = open_door(listener);
    peer_announce(peer_port(listener));
    serve(&door, options.service == PEER_ECHO ? &echo_service : &chargen_service);
}
