// SPDX-License-Identifier: Apache-2.0
//
// Connecting from an address of one's own: which it is, and that its ports are chosen late, so that
// connections to different peers may share them.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct ConnectingFromAddresses {
    let reactor: Reactor

    init() throws { reactor = try Reactor() }

    private func options(from address: IPAddress, port: UInt16 = 0) -> ClientOptions {
        var options = ClientOptions()
        options.localAddress = address
        options.localPort = port
        return options
    }

    private func connected(to address: SocketAddress, by client: Client) throws -> Channel {
        let verdict = Box<Result<Channel, ConnectError>?>(nil)
        try client.connect(to: address) { verdict.value = $0 }
        reactor.expect("the verdict comes") { verdict.value != nil }
        return try #require(verdict.value).get()
    }

    // T8, T9
    @Test(arguments: [
        (IPAddress.v4(0x7F00_0005), SocketAddress.loopback(port: 0)),
        (.loopback6, .ip(.loopback6, port: 0)),
    ])
    func `an address alone is bound without a port, and connecting chooses one`(
        local: IPAddress, place: SocketAddress
    ) throws {
        let server = try reactor.listen(at: [place])
        let client = Client(on: reactor, options: options(from: local))
        let channel = try connected(to: server.addresses[0], by: client)
        let isLate = try channel.get(.bindWithoutPort)
        #expect(isLate)
        #expect(try channel.localAddress.ipAddress == local)
        #expect(try channel.localAddress.port != 0)
        channel.close()
        server.close()
    }

    @Test func `a port that is asked for is bound at once`() throws {
        let server = try reactor.listen()
        let port = try #require(SocketAddress.unused().port)
        let client = Client(on: reactor, options: options(from: .loopback, port: port))
        let channel = try connected(to: server.addresses[0], by: client)
        let isLate = try channel.get(.bindWithoutPort)
        #expect(!isLate)
        #expect(try channel.localAddress == .loopback(port: port))
        channel.abort()
        server.close()
    }

    @Test func `a blocking channel comes from the address, too`() throws {
        let server = try reactor.listen()
        let local = IPAddress.v4(0x7F00_0006)
        let channel = try Channel.connected(to: server.addresses[0], options: options(from: local))
        #expect(try channel.localAddress.ipAddress == local)
        channel.close()
        server.close()
    }

    @Test func `a client may be had again with another address`() throws {
        let server = try reactor.listen()
        let client = Client(on: reactor)
        let local = IPAddress.v4(0x7F00_0007)
        let channel = try connected(to: server.addresses[0], by: client.from(local))
        #expect(try channel.localAddress.ipAddress == local)
        let other = try connected(to: server.addresses[0], by: client)
        #expect(try other.localAddress.ipAddress == .loopback)
        channel.close()
        other.close()
        server.close()
    }
}
