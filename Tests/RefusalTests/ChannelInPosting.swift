// SPDX-License-Identifier: Apache-2.0
//
// What is posted to a reactor comes from any thread, so it can't bring a channel along.

import Sluice

func closeLater(_ channel: Channel, on handle: Reactor.Handle) throws {
    try handle.perform { _ in channel.close() }  // expected-error {{capture of 'channel' with non-Sendable type 'Channel' in a '@Sendable' closure}}
}
