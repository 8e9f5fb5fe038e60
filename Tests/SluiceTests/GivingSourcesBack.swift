// SPDX-License-Identifier: Apache-2.0
//
// A connection counts for its address until it has ended, whatever its end is: then another one may
// come from there.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct GivingSourcesBack {
    /// How a connection ends.
    enum End: CaseIterable, Sendable {
        case close, abort, peerClose, peerReset, mistake, silence, move, drain, noWatch
    }

    private let source = IPAddress.local(7, 1)
    private let reactor: Reactor
    private let other: Reactor
    private let kept = Box<[Channel]>([])

    init() throws {
        reactor = try Reactor()
        other = try Reactor()
    }

    private var options: ServerOptions {
        var options = ServerOptions()
        options.admission.maximumPerAddress = 1
        options.admission.maximumPerNetwork = 5
        return options
    }

    /// A server that ends its first connection as it is told to.
    private func server(ending end: End) throws -> Server {
        let (other, kept) = (other, kept)
        return try Server(on: reactor, at: [.loopback(port: 0)], options: options) { channel, _ in
            channel.onBytes { _, _ in }
            guard kept.value.isEmpty else { return }
            kept.value.append(channel)
            switch end {
            case .close: channel.close()
            case .abort: channel.abort()
            case .mistake: throw Mishap()
            case .silence: channel.options.idleTimeout = .milliseconds(5)
            case .move: kept.value.append(try Channel(attaching: channel.detach(), on: other))
            case .drain: channel.close(because: .drained)
            case .peerClose, .peerReset, .noWatch: break
            }
        }
    }

    @Test(arguments: End.allCases)
    func `whatever a connection's end is, its address may come again`(end: End) throws {
        reactor.onError = { error, _ in #expect(error is Mishap) }
        let server = try server(ending: end)
        var peer: Socket? = try .connecting(to: server.address, from: source)
        let answers = Answers(.failure(.noMemory), to: end == .noWatch ? [.watch] : [])
        answers.give { reactor.expect("it was in") { server.counters.accepted == 1 } }
        if end == .peerReset { try peer?.resetOnClose() }
        if [.peerReset, .peerClose].contains(end) { peer = nil }
        reactor.expect("it has ended") { server.connectionCount == 0 }
        #expect(server.admission?.sourceCount == 0)
        let again = try Socket.connecting(to: server.address, from: source)
        reactor.expect("the address is in again") { server.counters.accepted == 2 }
        // One that was moved counts no more, and its end takes nothing away.
        kept.value.last?.close()
        #expect(server.admission?.sourceCount == 2)
        let further = try Socket.connecting(to: server.address, from: source)
        reactor.expect("it has its limit") { server.counters.refused == 1 }
        #expect(server.counters.refusals[.addressConnections] == 1)
        #expect(try again.receiveNow() == [])
        #expect(try further.receiveNow() == nil)
        server.close()
        peer = nil
    }

    @Test func `connections that end with their reactor, or do not become channels, do not count`()
        throws
    {
        let server: Server
        let client: Socket
        do {
            let own = try Reactor()
            server = try own.listen(options: options)
            client = try Socket.connecting(to: server.address, from: source)
            own.expect("it is in") { server.connectionCount == 1 }
            #expect(server.admission?.sourceCount == 2)
        }
        #expect(server.admission?.sourceCount == 0)
        #expect(try client.receiveNow() == nil)
        let peer = SocketAddress.ip(source, port: 1)
        #expect(server.admission?.admit(peer, at: 0) == nil)
        #expect(server.admission?.sourceCount == 2)
        let error = #expect(throws: SocketError.self) {
            try server.admit(try Socket(for: peer), peer)
        }
        #expect(error == SocketError(.accept, .cancelled, at: peer))
        #expect(server.admission?.sourceCount == 0)
    }
}
