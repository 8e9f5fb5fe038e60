// SPDX-License-Identifier: Apache-2.0
//
// A name server for whoever measures a resolver: it knows every name.

#ifndef SLUICE_NAME_SERVER_H
#define SLUICE_NAME_SERVER_H

#include <stdint.h>

/// Starts a name server on 127.0.0.1, over UDP, on a thread that runs to the end of the process.
///
/// Every name has the addresses 192.0.2.1 and 2001:db8::1 for a minute, and no other records. The
/// thread leaves the first core to others, as far as there are more. Ends the process with status 1
/// and one line where it can't be started.
///
/// Returns its port, in the host's byte order.
uint16_t name_server_start(void);

#endif
