// SPDX-License-Identifier: Apache-2.0
// A server on libevent's bufferevents and its listener: the way most programs in C use libevent.
// It leaves reading, queueing and writing to the library, and what that costs is the question.

#include "BuffereventPeer.h"
#include "PeerSupport.h"

static service_start *start;

static void accept_one(struct evconnlistener *listener, evutil_socket_t descriptor,
                       struct sockaddr *address, int length, void *context) {
    (void)address, (void)length, (void)context;
    struct event_base *base = evconnlistener_get_base(listener);
    struct bufferevent *connection =
        bufferevent_socket_new(base, descriptor, BEV_OPT_CLOSE_ON_FREE);
    if (connection == NULL) {
        evutil_closesocket(descriptor);
        return;
    }
    start(connection);
}

static void resume_accepting(evutil_socket_t descriptor, short ready, void *context) {
    (void)descriptor, (void)ready;
    if (evconnlistener_enable(context) != 0) peer_fail("evconnlistener_enable");
}

/// Descriptors or memory have run out: the errors that pass are the library's own business.
static void pause_accepting(struct evconnlistener *listener, void *context) {
    (void)context;
    const struct timeval duration = {.tv_usec = PEER_PAUSE_MILLISECONDS * 1000};
    struct event_base *base = evconnlistener_get_base(listener);
    evconnlistener_disable(listener);
    if (event_base_once(base, -1, EV_TIMEOUT, resume_accepting, listener, &duration) != 0) {
        peer_fail("event_base_once");
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
    start = options.service == PEER_ECHO ? start_echo : start_chargen;
    int descriptor = peer_listen(options.port);
    struct event_base *base = make_base();
    // A backlog of 0, because the socket listens already.
    struct evconnlistener *listener =
        evconnlistener_new(base, accept_one, NULL, LEV_OPT_CLOSE_ON_EXEC, 0, descriptor);
    if (listener == NULL) peer_fail("evconnlistener_new");
    evconnlistener_set_error_cb(listener, pause_accepting);
    peer_announce(peer_port(descriptor));
    if (event_base_dispatch(base) != 0) peer_fail("event_base_dispatch");
}
