// SPDX-License-Identifier: Apache-2.0
//
// Clients that are not let in: why, what they get, and who is told. Clients come from several of
// this machine's addresses.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct RefusingClients {
    let reactor: Reactor

    init() throws { reactor = try Reactor() }

    private func server(_ change: (inout ServerOptions) throws -> Void) throws -> Server {
        var options = ServerOptions()
        try change(&options)
        return try reactor.listen(options: options)
    }

    // MARK: What they get

    /// A server that lets nobody in.
    private func denying(_ refusal: Refusal) throws -> Server {
        try server { options in
            options.denied = [try #require(AddressRange("127.0.0.0/8"))]
            options.admission.refusal = refusal
        }
    }

    @Test func `a refused connection is closed`() throws {
        let server = try denying(.close)
        let peer = try Socket.connecting(to: server.address)
        reactor.expect("it is refused") { server.counters.refused == 1 }
        #expect(try peer.receiveNow() == nil)
        server.close()
    }

    @Test func `a refused connection is reset, where that is wanted`() throws {
        let server = try denying(.reset)
        let peer = try Socket.connecting(to: server.address)
        reactor.expect("it is refused") { server.counters.refused == 1 }
        #expect(throws: SocketError(.read, .connectionReset)) { try peer.receiveNow() }
        server.close()
    }

    @Test(arguments: ["", "hello, let me in\n"])
    func `a refused client gets a message and the end, also when it has spoken`(
        greeting: String
    ) throws {
        let server = try denying(.message(Array("421 too busy\r\n".utf8)))
        let peer = try Socket.connecting(to: server.address)
        if !greeting.isEmpty { try peer.sendAll(greeting) }
        reactor.expect("it is refused") { server.counters.refused == 1 }
        #expect(try peer.receiveNow()?.text == "421 too busy\r\n")
        #expect(try peer.receiveNow() == nil)
        server.close()
    }

    @Test func `of a long message the first 4,096 bytes are sent`() throws {
        let message = pattern(10_000)
        let server = try denying(.message(message))
        let peer = try Socket.connecting(to: server.address)
        reactor.expect("it is refused") { server.counters.refused == 1 }
        #expect(try peer.receiveNow() == Array(message[..<4_096]))
        #expect(try peer.receiveNow() == nil)
        server.close()
    }

    @Test func `a message takes a call to send it, and one to drop what the client has sent`()
        throws
    {
        let server = try denying(.message([1, 2, 3]))
        let peer = try Socket.connecting(to: server.address)
        let calls = Answers(.failure(.noBufferSpace), to: [.send, .receive, .shutdown]) { _ in
            false
        }
        calls.give { reactor.expect("it is refused") { server.counters.refused == 1 } }
        #expect(calls.count == 2)
        #expect(try peer.receiveNow() == [1, 2, 3])
        #expect(try peer.receiveNow() == nil)
        server.close()
    }

    @Test(arguments: [SystemCall.send, .receive, .setOption])
    func `a refusal that the kernel refuses is a close`(call: SystemCall) throws {
        for refusal in [Refusal.message([1, 2, 3]), .reset] {
            let server = try denying(refusal)
            let peer = try Socket.connecting(to: server.address)
            SystemCall.failing(call, with: .noBufferSpace) {
                reactor.expect("it is refused") { server.counters.refused == 1 }
            }
            // Some bytes or the end; an error is a reset. It would be empty while nothing comes.
            let answer = try? peer.receiveNow()
            #expect(answer != [])
            server.close()
        }
    }

    // MARK: Why

    /// What provokes a reason, and the addresses from which clients come: the last one is refused.
    private func provoking(
        _ reason: RefusalReason
    ) throws -> (options: ServerOptions, sources: [IPAddress]) {
        let slow = ConnectionRate(perSecond: 0.001, burst: 1)
        let (own, neighbour) = (IPAddress.local(1, 1), IPAddress.local(1, 2))
        var options = ServerOptions()
        options.admission.whenFull = .refuse
        switch reason {
        case .denied: options.denied = [AddressRange(neighbour, prefixLength: 32)]
        case .connections: options.maximumConnections = 1
        case .rate: options.admission.rate = slow
        case .addressConnections: options.admission.maximumPerAddress = 1
        case .addressRate: options.admission.ratePerAddress = slow
        case .networkConnections: options.admission.maximumPerNetwork = 1
        case .networkRate: options.admission.ratePerNetwork = slow
        case .sourceTable:
            options.admission.maximumPerAddress = 9
            options.admission.sourceTableLimit = 2
            return (options, [own, neighbour, .local(2, 1)])
        case .descriptors: break
        }
        let isOfAddress = [.addressConnections, .addressRate].contains(reason)
        return (options, [own, isOfAddress ? own : neighbour])
    }

    @Test(arguments: RefusalReason.allCases)
    func `each refusal is counted by its reason, and told to who observes`(
        reason: RefusalReason
    ) throws {
        let (options, sources) = try provoking(reason)
        let told = Box<[(SocketAddress, RefusalReason)]>([])
        reactor.observe { observation in
            guard case .refused(let peer, let reason) = observation else { return }
            told.value.append((peer, reason))
        }
        reactor.onError = { error, _ in
            #expect((error as? SocketError)?.code == .tooManyOpenFiles)
        }
        let server = try reactor.listen(options: options)
        var peers: [HeldSocket] = []
        for (index, source) in sources.enumerated() {
            peers.append(HeldSocket(try .connecting(to: server.address, from: source)))
            let isShort = reason == .descriptors && index == 1
            let answers = Answers(.failure(.tooManyOpenFiles), to: [.accept]) { isShort && $0 == 1 }
            answers.give {
                reactor.expect("it is decided") {
                    server.counters.accepted + server.counters.refused == UInt64(index + 1)
                }
            }
        }
        #expect(server.counters.accepted == UInt64(sources.count - 1))
        #expect(server.counters.refused == 1)
        #expect(server.counters.refusals[reason] == 1)
        #expect(told.value.map(\.1) == [reason])
        let last = try #require(peers.last)
        #expect(try told.value.map(\.0) == [last.socket.localAddress])
        #expect(try last.socket.receiveNow() == nil)
        for peer in peers.dropLast() { #expect(try peer.socket.receiveNow() == []) }
        server.close()
    }

    @Test func `of several reasons the first is told`() throws {
        let slow = ConnectionRate(perSecond: 0.001, burst: 1)
        let server = try server { options in
            options.maximumConnections = 1
            options.admission.rate = slow
            options.admission.maximumPerAddress = 1
            options.admission.ratePerAddress = slow
            options.admission.whenFull = .refuse
        }
        let first = try Socket.connecting(to: server.address)
        let second = try Socket.connecting(to: server.address)
        reactor.expect("both are decided") { server.counters.refused == 1 }
        #expect(server.counters.refusals[.connections] == 1)
        #expect(try first.receiveNow() == [])
        #expect(try second.receiveNow() == nil)
        server.close()
    }

    // MARK: While there is no room

    @Test func `at the connection limit clients are refused, and let in when one has gone`() throws
    {
        let server = try server { options in
            options.maximumConnections = 2
            options.admission.whenFull = .refuse
        }
        let first = HeldSocket(try .connecting(to: server.address))
        let second = try Socket.connecting(to: server.address)
        let third = try Socket.connecting(to: server.address)
        reactor.expect("all are decided") { server.counters.refused == 1 }
        #expect(server.connectionCount == 2)
        #expect(try third.receiveNow() == nil)
        for channel in reactor.channels where try channel.peerAddress == first.socket.localAddress {
            channel.close()
        }
        let fourth = try Socket.connecting(to: server.address)
        reactor.expect("the fourth comes in") { server.counters.accepted == 3 }
        #expect(server.counters.refused == 1)
        #expect(try second.receiveNow() == [])
        #expect(try fourth.receiveNow() == [])
        server.close()
    }

    @Test func `clients over the rate wait in the backlog, and the reactor rests meanwhile`() throws
    {
        let server = try server { $0.admission.rate = ConnectionRate(perSecond: 50, burst: 2) }
        var peers: [HeldSocket] = []
        for _ in 0..<6 { peers.append(HeldSocket(try .connecting(to: server.address))) }
        let start = ContinuousClock.now
        var passes = 0
        reactor.expect("all are in") {
            passes += 1
            return server.counters.accepted == 6
        }
        // Two at once, and the other four one after the other: no faster, by a tick of the wheel.
        #expect(ContinuousClock.now - start >= .milliseconds(79))
        #expect(passes < 60)
        #expect(server.counters.refused == 0)
        for peer in peers { #expect(try peer.socket.receiveNow() == []) }
        server.close()
    }

    @Test func `a server that is closed while its rate is used up is let go`() throws {
        let slow = ConnectionRate(perSecond: 0.001, burst: 1)
        var own: Server? = try self.server { $0.admission.rate = slow }
        weak let server = own
        let address = try #require(own?.address)
        let first = try Socket.connecting(to: address)
        let second = try Socket.connecting(to: address)
        reactor.expect("the first is in") { server?.counters.accepted == 1 }
        #expect(try second.receiveNow() == [])
        server?.close()
        for channel in reactor.channels { channel.close() }
        own = nil
        reactor.settle()
        #expect(server == nil)
        #expect(try first.receiveNow() == nil)
        #expect(throws: SocketError.self) { try second.receiveNow() }
    }

    @Test func `clients of a Unix socket have no source`() throws {
        let folder = try TemporaryFolder()
        var options = ServerOptions()
        options.admission.maximumPerAddress = 1
        options.admission.maximumPerNetwork = 1
        let server = try reactor.listen(at: [.unix(path: folder["socket"])], options: options)
        let first = try Socket.connecting(to: server.address)
        let second = try Socket.connecting(to: server.address)
        reactor.expect("both are in") { server.connectionCount == 2 }
        #expect(server.admission?.sourceCount == 0)
        #expect(try first.receiveNow() == [])
        #expect(try second.receiveNow() == [])
        server.close()
    }
}
