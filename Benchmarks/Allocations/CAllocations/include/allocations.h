// SPDX-License-Identifier: Apache-2.0
//
// How often this process has asked for memory.

#ifndef SLUICE_ALLOCATIONS_H
#define SLUICE_ALLOCATIONS_H

/// Calls of malloc(3) and its relations so far, of all threads.
unsigned long allocations_so_far(void);

/// Bytes that malloc(3) has handed out and that were not given back. Source: mallinfo2(3).
unsigned long heap_bytes_in_use(void);

#endif
