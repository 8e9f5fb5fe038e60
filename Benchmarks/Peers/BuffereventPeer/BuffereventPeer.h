// SPDX-License-Identifier: Apache-2.0
// How the accepting part of the bufferevent peer starts its two services.
// From then on libevent calls them directly.

#ifndef SLUICE_PEERS_BUFFEREVENT_PEER_H
#define SLUICE_PEERS_BUFFEREVENT_PEER_H

#include "shim.h"

/// Sets the callbacks of a new connection, and frees it when it ends.
typedef void service_start(struct bufferevent *connection);

service_start start_echo;
service_start start_chargen;

#endif
