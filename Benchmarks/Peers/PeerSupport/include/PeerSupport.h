// SPDX-License-Identifier: Apache-2.0
// What every peer does alike: options, limits, signals, the listening socket, the block to send.
// What is measured, reading, writing and waiting, is each peer's own.

#ifndef SLUICE_PEERS_PEER_SUPPORT_H
#define SLUICE_PEERS_PEER_SUPPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    /// The bytes that one read may take.
    PEER_READ_SIZE = 64 * 1024,
    /// The bytes of one block of chargen.
    PEER_BLOCK_SIZE = 1024 * 1024,
    /// The connections accepted in one turn, so that a flood of them does not starve the others.
    PEER_ACCEPT_LIMIT = 64,
    /// How long accepting rests when descriptors or memory have run out.
    PEER_PAUSE_MILLISECONDS = 100,
};

/// What a peer does with its connections.
enum peer_service {
    /// Sends back whatever comes. RFC 862.
    PEER_ECHO,
    /// Sends blocks until the other side closes, and throws away what comes. RFC 864.
    PEER_CHARGEN,
};

/// How a peer with two programming models handles a connection.
enum peer_style {
    PEER_PIPELINE,
    PEER_ASYNC,
};

/// What a peer's command line has beside the service and the port.
enum peer_extra {
    PEER_NO_EXTRA,
    /// `--style pipeline|async`.
    PEER_STYLES,
    /// `--udp`, for echo only.
    PEER_DATAGRAMS,
};

/// The command line of a peer.
struct peer_options {
    enum peer_service service;
    /// `PEER_PIPELINE` unless asked for.
    enum peer_style style;
    /// In the host's byte order; 0 lets the system choose.
    uint16_t port;
    /// Whether datagrams come in place of connections.
    bool has_datagrams;
};

/// Reads the command line, raises the limit of descriptors, and sets what signals do.
///
/// SIGTERM and SIGINT end the process with status 0, SIGPIPE does nothing. Wrong usage ends it
/// with one line on standard error and status 64.
struct peer_options peer_start(int argc, char *const argv[], enum peer_extra extra);

/// Opens a socket that listens on 127.0.0.1 and does not block; ends the process if it cannot.
int peer_listen(uint16_t port);

/// Writes the ready line.
void peer_announce(uint16_t port);

/// The port that a listening socket got.
uint16_t peer_port(int listener);

/// The answers of `peer_accept` that are no descriptor.
enum {
    /// Nobody waits, or whoever waited has gone.
    PEER_ACCEPT_NOBODY = -1,
    /// Descriptors or memory have run out: asking again at once would only spin.
    PEER_ACCEPT_EXHAUSTED = -2,
};

/// Takes one connection, which does not block and sends small messages at once.
int peer_accept(int listener);

/// Whether the last system call failed only for now.
bool peer_must_wait(void);

/// `PEER_BLOCK_SIZE` bytes in the pattern of RFC 864, the same at each call.
const char *peer_block(void);

/// Ends the process with status 1 and one line that names the call and its error.
_Noreturn void peer_fail(const char *call);

#endif
