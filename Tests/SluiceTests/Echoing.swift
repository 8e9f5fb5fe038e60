// SPDX-License-Identifier: Apache-2.0
//
// The shortest way through the whole library: a server that sends back what it gets.

import Sluice
import TestSupport
import Testing

@Suite(.countingDescriptors)
struct Echoing {
    // T21, W13
    @Test func `a server sends back what a client sends`() throws {
        let reactor = try Reactor()
        let server = try Server(on: reactor, at: [.loopback(port: 0)]) { channel, _ in
            channel.onBytes { channel, bytes in try channel.write(bytes) }
        }
        let answer = Box("")
        try Client(on: reactor).connect(to: server.addresses[0]) { verdict in
            guard case .success(let channel) = verdict else { return }
            channel.onBytes { channel, bytes in
                answer.value += bytes.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
                channel.close()
            }
            _ = try? channel.write(Array("hello".utf8))
        }
        reactor.expect("the answer comes") {
            answer.value == "hello" && server.connectionCount == 0
        }
    }
}
