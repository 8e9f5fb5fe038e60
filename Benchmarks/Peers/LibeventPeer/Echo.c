// SPDX-License-Identifier: Apache-2.0
// Echo on libevent's events: one read and one write for a message, one event for a connection.
// Only what the kernel refuses is kept, and until it is sent that connection is not read.

#include "LibeventPeer.h"
#include "PeerSupport.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/// What the kernel did not take yet.
struct backlog {
    size_t sent;
    size_t length;
    char bytes[];
};

struct connection {
    /// For reading, or for writing while there is a backlog: never both, so one is enough.
    struct event event;
    /// NULL while everything is sent.
    struct backlog *backlog;
};

static char scratch[PEER_READ_SIZE];

// libevent's own type for these is a pointer, which cannot declare a function.
typedef void event_callback(evutil_socket_t descriptor, short ready, void *context);

static event_callback on_readable, on_writable;

static void end(struct connection *connection) {
    int descriptor = event_get_fd(&connection->event);
    event_del(&connection->event);
    close(descriptor);
    free(connection->backlog);
    free(connection);
}

static void watch(struct connection *connection, struct event_base *base, int descriptor,
                  short interest) {
    struct event *event = &connection->event;
    event_callback *callback = interest == EV_READ ? on_readable : on_writable;
    event_assign(event, base, descriptor, (short)(interest | EV_PERSIST), callback, connection);
    if (event_add(event, NULL) != 0) end(connection);
}

static void watch_instead(struct connection *connection, short interest) {
    struct event *event = &connection->event;
    struct event_base *base = event_get_base(event);
    int descriptor = event_get_fd(event);
    event_del(event);
    watch(connection, base, descriptor, interest);
}

void start_echo(struct event_base *base, int descriptor) {
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL) {
        close(descriptor);
        return;
    }
    watch(connection, base, descriptor, EV_READ);
}

static void keep(struct connection *connection, const char *bytes, size_t length) {
    struct backlog *backlog = malloc(sizeof *backlog + length);
    if (backlog == NULL) {
        end(connection);
        return;
    }
    *backlog = (struct backlog){.length = length};
    memcpy(backlog->bytes, bytes, length);
    connection->backlog = backlog;
    watch_instead(connection, EV_WRITE);
}

static void on_readable(evutil_socket_t descriptor, short ready, void *context) {
    (void)ready;
    struct connection *connection = context;
    ssize_t received = read(descriptor, scratch, sizeof scratch);
    if (received < 0 && peer_must_wait()) return;
    if (received <= 0) {
        end(connection);
        return;
    }
    ssize_t sent = write(descriptor, scratch, (size_t)received);
    if (sent == received) return;
    if (sent < 0 && !peer_must_wait()) {
        end(connection);
        return;
    }
    if (sent < 0) sent = 0;
    keep(connection, scratch + sent, (size_t)(received - sent));
}

static void on_writable(evutil_socket_t descriptor, short ready, void *context) {
    (void)ready;
    struct connection *connection = context;
    struct backlog *backlog = connection->backlog;
    size_t rest = backlog->length - backlog->sent;
    ssize_t sent = write(descriptor, backlog->bytes + backlog->sent, rest);
    if (sent < 0) {
        if (!peer_must_wait()) end(connection);
        return;
    }
    backlog->sent += (size_t)sent;
    if (backlog->sent < backlog->length) return;
    free(backlog);
    connection->backlog = NULL;
    watch_instead(connection, EV_READ);
}
