// SPDX-License-Identifier: Apache-2.0
//
// A channel belongs to one reactor: no other one of a group can be given it.

import Sluice

func share(_ group: ReactorGroup, _ address: SocketAddress) throws {
    try group.handles[0].perform { first in
        let channel = try Channel(adopting: Socket(for: address), on: first)
        try group.handles[1].perform { _ in
            channel.close()  // expected-error {{capture of 'channel' with non-Sendable type 'Channel' in a '@Sendable' closure}}
        }
    }
}
