// SPDX-License-Identifier: Apache-2.0
// Echo and chargen on bufferevents, which copy nothing of their own: the buffers hand bytes on.
// The callbacks that are set are all the state a connection has.

#include "BuffereventPeer.h"
#include "PeerSupport.h"

/// Unsent bytes at which a connection is not read until all of them have left.
enum { OUTPUT_LIMIT = 256 * 1024 };

// libevent's own types for these are pointers, which cannot declare a function.
typedef void data_callback(struct bufferevent *connection, void *context);
typedef void event_callback(struct bufferevent *connection, short what, void *context);

static data_callback echo, resume_reading, end_when_sent, send_block, discard_input;
static event_callback on_end_of_echo, on_end_of_chargen;

static size_t unsent_count(struct bufferevent *connection) {
    return evbuffer_get_length(bufferevent_get_output(connection));
}

void start_echo(struct bufferevent *connection) {
    // The library's 16 KiB would cut a long backlog into more writes than it needs.
    bufferevent_set_max_single_write(connection, OUTPUT_LIMIT);
    bufferevent_setcb(connection, echo, NULL, on_end_of_echo, NULL);
    if (bufferevent_enable(connection, EV_READ) != 0) bufferevent_free(connection);
}

static void echo(struct bufferevent *connection, void *context) {
    (void)context;
    struct evbuffer *output = bufferevent_get_output(connection);
    if (evbuffer_add_buffer(output, bufferevent_get_input(connection)) != 0) {
        bufferevent_free(connection);
        return;
    }
    if (evbuffer_get_length(output) < OUTPUT_LIMIT) return;
    bufferevent_disable(connection, EV_READ);
    bufferevent_setcb(connection, echo, resume_reading, on_end_of_echo, NULL);
}

static void resume_reading(struct bufferevent *connection, void *context) {
    (void)context;
    bufferevent_setcb(connection, echo, NULL, on_end_of_echo, NULL);
    if (bufferevent_enable(connection, EV_READ) != 0) bufferevent_free(connection);
}

static void on_end_of_echo(struct bufferevent *connection, short what, void *context) {
    (void)context;
    if ((what & BEV_EVENT_ERROR) || unsent_count(connection) == 0) {
        bufferevent_free(connection);
        return;
    }
    // Freeing now would lose what was queued before the end of input.
    bufferevent_setcb(connection, NULL, end_when_sent, on_end_of_echo, NULL);
}

static void end_when_sent(struct bufferevent *connection, void *context) {
    (void)context;
    bufferevent_free(connection);
}

void start_chargen(struct bufferevent *connection) {
    bufferevent_set_max_single_write(connection, PEER_BLOCK_SIZE);
    bufferevent_setcb(connection, discard_input, send_block, on_end_of_chargen, NULL);
    if (bufferevent_enable(connection, EV_READ) != 0) {
        bufferevent_free(connection);
        return;
    }
    send_block(connection, NULL);
}

/// Queues the next block; libevent calls it whenever the one before has left.
static void send_block(struct bufferevent *connection, void *context) {
    (void)context;
    struct evbuffer *output = bufferevent_get_output(connection);
    if (evbuffer_add_reference(output, peer_block(), PEER_BLOCK_SIZE, NULL, NULL) != 0) {
        bufferevent_free(connection);
    }
}

static void discard_input(struct bufferevent *connection, void *context) {
    (void)context;
    struct evbuffer *input = bufferevent_get_input(connection);
    evbuffer_drain(input, evbuffer_get_length(input));
}

static void on_end_of_chargen(struct bufferevent *connection, short what, void *context) {
    (void)what, (void)context;
    bufferevent_free(connection);
}
