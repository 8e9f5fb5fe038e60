/* SPDX-License-Identifier: Apache-2.0 */
/* c-ares: questions to name servers over sockets that the caller opens and watches. */
#ifndef SLUICE_CCARES_H
#define SLUICE_CCARES_H

/* Before c-ares: fd_set must look the same in every module. */
#include <sys/select.h>

#include <sys/socket.h>
#include <netdb.h>
#include <ares.h>

#endif
