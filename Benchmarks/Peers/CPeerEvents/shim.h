// SPDX-License-Identifier: Apache-2.0
// All of libevent that the peers call, under one name.
// struct event is public here, so that a peer may hold it inside its own connection.

#ifndef SLUICE_PEERS_CLIBEVENT_H
#define SLUICE_PEERS_CLIBEVENT_H

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/listener.h>
#include <event2/util.h>

#endif
