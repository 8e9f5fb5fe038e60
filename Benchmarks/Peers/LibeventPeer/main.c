// SPDX-License-Identifier: Apache-2.0
// A server on libevent's events, one for each connection: what C pays for libevent over epoll.
// It reads and writes by the same calls as the epoll peer, so the difference is the event loop.

#include "LibeventPeer.h"
#include "PeerSupport.h"

/// The door of the server: it shuts for a while when descriptors run out.
struct door {
    struct event_base *base;
    struct event listening;
    struct event pause;
    service_start *start;
};

static void pause_accepting(struct door *door) {
    const struct timeval duration = {.tv_usec = PEER_PAUSE_MILLISECONDS * 1000};
    event_del(&door->listening);
    if (event_add(&door->pause, &duration) != 0) peer_fail("event_add");
}

static void resume_accepting(evutil_socket_t descriptor, short ready, void *context) {
    (void)descriptor, (void)ready;
    struct door *door = context;
    if (event_add(&door->listening, NULL) != 0) peer_fail("event_add");
}

static void accept_some(evutil_socket_t listener, short ready, void *context) {
    (void)ready;
    struct door *door = context;
    for (int count = 0; count < PEER_ACCEPT_LIMIT; count++) {
        int descriptor = peer_accept(listener);
        if (descriptor == PEER_ACCEPT_EXHAUSTED) pause_accepting(door);
        if (descriptor < 0) return;
        door->start(door->base, descriptor);
    }
}

static struct event_base *make_base(void) {
    struct event_config *config = event_config_new();
    if (config == NULL) peer_fail("event_config_new");
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    struct event_base *base = event_base_new_with_config(config);
    if (base == NULL) peer_fail("event_base_new_with_config");
    event_config_free(config);
    return base;
}

int main(int argc, char *argv[]) {
    struct peer_options options = peer_start(argc, argv, PEER_NO_EXTRA);
    int listener = peer_listen(options.port);
    static struct door door;
    door.base = make_base();
    door.start = options.service == PEER_ECHO ? start_echo : start_chargen;
    event_assign(&door.listening, door.base, listener, EV_READ | EV_PERSIST, accept_some, &door);
    evtimer_assign(&door.pause, door.base, resume_accepting, &door);
    if (event_add(&door.listening, NULL) != 0) peer_fail("event_add");
    peer_announce(peer_port(listener));
    if (event_base_dispatch(door.base) != 0) peer_fail("event_base_dispatch");
}
