// SPDX-License-Identifier: Apache-2.0
//
// How often this process has asked for memory.

#ifndef SLUICE_ALLOCATIONS_H
#define SLUICE_ALLOCATIONS_H

/// Calls of malloc(3) and its relations so far, of all threads.
unsigned long allocations_so_far(void);

#endif
