// SPDX-License-Identifier: Apache-2.0
//
// The bytes that a handler is lent are the reactor's own, and no object can keep them.

import Sluice

func keep(_ channel: Channel) {
    var kept: [RawSpan] = []  // expected-error {{type 'RawSpan' does not conform to protocol 'Escapable'}}
    channel.onBytes { _, bytes in kept.append(bytes) }
}
