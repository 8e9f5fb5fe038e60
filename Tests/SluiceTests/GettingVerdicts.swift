// SPDX-License-Identifier: Apache-2.0
//
// What a client is told for certain: one verdict for each connection, at once for a number, or an
// error in its place (T4, T6, T8, W10, W15).

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct GettingVerdicts {
    let reactor: Reactor
    let client: Client

    init() throws {
        reactor = try Reactor()
        client = Client(on: reactor)
    }

    // T4, W10
    @Test func `the verdict's channel can be written to, and its peer answers by name`() throws {
        let server = try reactor.listen()
        let channel = Box<Channel?>(nil)
        try client.connect(to: server.address) { verdict in
            #expect(throws: Never.self) { channel.value = try verdict.get() }
            #expect(channel.value?.status == .open)
            #expect(channel.value?.takeError() == nil)
            #expect(throws: Never.self) { try channel.value?.write([UInt8]()) }
            #expect(channel.value?.peerAddress == server.address)
        }
        reactor.expect("the verdict comes") { channel.value != nil }
        channel.value?.close()
        server.close()
    }

    // T4
    @Test func `a channel that stands alone is open when it is given, or the call fails`() throws {
        let server = try reactor.listen()
        let channel = try Channel.connected(to: server.address)
        #expect(channel.status == .open)
        #expect(channel.peerAddress == server.address)
        channel.close()
        let unused = try SocketAddress.unused()
        let error = #expect(throws: ConnectError.self) { try Channel.connected(to: unused) }
        #expect(error?.cause == .refused(SocketError(.connect, .connectionRefused, at: unused)))
        server.close()
        reactor.settle()
    }

    // T8, N21
    @Test func `one that stands alone is refused a local address that it can't have`() throws {
        let server = try reactor.listen()
        var options = ClientOptions()
        options.localAddress = IPAddress("192.0.2.1")
        let error = #expect(throws: ConnectError.self) {
            try Channel.connected(to: server.address, options: options)
        }
        guard case .refused(let reason) = error?.cause else {
            Issue.record("not refused: \(String(describing: error))")
            return
        }
        #expect(reason.operation == .bind)
        #expect(reason.code == .addressNotAvailable)
        server.close()
    }

    // T6, W15
    @Test func `a number is connected to at once, with no look-up before`() throws {
        let server = try reactor.listen()
        let port = try #require(server.address.port)
        let calls = CallCount()
        let isThere = Box(false)
        _ = try calls.count {
            try client.connect(to: .host("127.0.0.1", port: port)) { verdict in
                if case .success(let channel) = verdict { channel.close() }
                isThere.value = true
            }
        }
        #expect(calls.of(.connect) == 1)
        reactor.expect("the verdict comes") { isThere.value }
        server.close()
    }

    // T6
    @Test func `a host that nobody knows is told in the resolver's words`() throws {
        let endpoint = Endpoint.host("nobody.invalid", port: 80)
        let error = #expect(throws: ConnectError.self) { try Channel.connected(to: endpoint) }
        #expect(error?.endpoint == endpoint)
        #expect(error?.attempts == [])
        guard case .unresolved(let reason) = error?.cause else { throw Mishap() }
        #expect(error.map { "\($0)" } == "\(reason)")
        #expect("\(reason)".hasPrefix("resolve nobody.invalid: "))
    }

    // T6
    @Test func `localhost is this machine`() throws {
        let server = try reactor.listen()
        let port = try #require(server.address.port)
        let channel = try Channel.connected(to: .host("localhost", port: port))
        #expect(channel.peerAddress == .loopback(port: port))
        reactor.expect("it is in") { server.connectionCount == 1 }
        channel.close()
        server.close()
    }
}
