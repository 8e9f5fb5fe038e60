// SPDX-License-Identifier: Apache-2.0
//
// A server belongs to one thread, so no global may hold it.

import Sluice

// expected-note@+2 {{add '@MainActor' to make let 'server' part of global actor 'MainActor'}}
// expected-note@+1 {{disable concurrency-safety checks}}
let server: Server? = nil  // expected-error {{non-'Sendable' type 'Server?' may have shared mutable state}}
