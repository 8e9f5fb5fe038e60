/* SPDX-License-Identifier: Apache-2.0 */
/* The part of libevent that Sluice calls: event bases, events and signals.
   Buffers, listeners, DNS and HTTP are left out on purpose. */
#ifndef SLUICE_CLIBEVENT_H
#define SLUICE_CLIBEVENT_H

/* Before libevent, which defines _GNU_SOURCE: fd_set must look the same in every module. */
#include <sys/select.h>

#include <event2/event.h>

#endif
