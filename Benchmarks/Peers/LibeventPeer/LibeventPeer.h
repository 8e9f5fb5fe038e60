// SPDX-License-Identifier: Apache-2.0
// How the accepting part of the libevent peer starts its two services.
// From then on libevent calls them directly.

#ifndef SLUICE_PEERS_LIBEVENT_PEER_H
#define SLUICE_PEERS_LIBEVENT_PEER_H

#include "shim.h"

/// Takes over a new connection, and closes it when it ends.
typedef void service_start(struct event_base *base, int descriptor);

service_start start_echo;
service_start start_chargen;

#endif
