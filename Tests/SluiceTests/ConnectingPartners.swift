// SPDX-License-Identifier: Apache-2.0
//
// Two partners and their one connection: who goes and who waits, what is told when, and what the
// channel is like when it is given (C1 to C13).

import Glibc
import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct ConnectingPartners {
    let reactor: Reactor

    init() throws { reactor = try Reactor() }

    /// Both partners, begun: the one that waits, and the one that goes to it.
    private func partners(
        _ passive: ConnectorOptions = .waiting
    ) throws -> (passive: ConnectorRun, active: ConnectorRun) {
        let waiting = ConnectorRun(on: reactor, passive)
        try waiting.start()
        let going = ConnectorRun(on: reactor, .going(to: waiting.port))
        try going.start()
        return (waiting, going)
    }

    // C1, C4
    @Test(arguments: [false, true])
    func `of two partners one goes and one waits, and either may send`(activeSends: Bool) throws {
        let (passive, active) = try partners()
        let ends = try [passive.opened(), active.opened()]
        #expect(ends[0].peerAddress == (try ends[1].localAddress))
        #expect(ends[1].peerAddress == (try ends[0].localAddress))
        let (source, sink) = activeSends ? (ends[1], ends[0]) : (ends[0], ends[1])
        let lines = Box<[String]>([])
        sink.onLine { _, line in lines.value.append(line) }
        try source.writeLine("from me to you")
        source.close()
        reactor.expect("it has come") { sink.status == .closed }
        #expect(lines.value == ["from me to you"])
    }

    // MARK: The call, and what comes later

    // C4, C5
    @Test func `an active connector gives an open channel, once, after the call`() throws {
        let server = try reactor.listen()
        let run = ConnectorRun(on: reactor, .going(to: server.address.port))
        // That the completion comes no earlier, the run sees to.
        try run.start()
        #expect(run.port == nil)
        #expect(run.connector.isConnecting)
        let channel = try run.opened()
        #expect(channel.status == .open)
        #expect(channel.peerAddress == server.address)
        #expect(!run.connector.isConnecting)
        reactor.settle()
        #expect(run.results.count == 1)
        channel.close()
        server.close()
    }

    // C5
    @Test func `a partner that is not there is told later, with the address`() throws {
        let place = try SocketAddress.unused()
        let run = ConnectorRun(on: reactor, .going(to: place.port))
        try run.start()
        guard case .connect(let error) = run.failed() else { throw Mishap() }
        #expect(error.cause == .refused(SocketError(.connect, .connectionRefused, at: place)))
        #expect(run.error?.description == "connect \(place): Connection refused")
        #expect(run.error?.isTimeout == false)
        reactor.settle()
        #expect(run.results.count == 1)
    }

    // C5
    @Test func `what keeps this side from beginning is an error of the call`() throws {
        var options = ConnectorOptions.going(to: 9)
        options.client.localAddress = IPAddress("192.0.2.1")
        let connector = Connector(on: reactor, options: options)
        let error = #expect(throws: ConnectorError.self) {
            try connector.connect { _ in wrongly() }
        }
        guard case .socket(let reason) = error else { throw Mishap() }
        #expect(reason.operation == .bind)
        #expect(reason.code == .addressNotAvailable)
        #expect(!connector.isConnecting)
        reactor.settle()
    }

    // C6, C11
    @Test func `a passive connector returns its port at once, which the kernel has picked`() throws
    {
        let run = ConnectorRun(on: reactor, .waiting)
        try run.start()
        let port = try #require(run.port)
        #expect(port != 0)
        #expect(run.connector.port == port)
        #expect(
            reactor.openSockets().map(\.localAddress) == [SocketAddress.loopback(port: port)])
        run.connector.cancel()
        #expect(run.connector.port == nil)
        reactor.settle()
        #expect(!run.isOver)
    }

    // C6, N2
    @Test(arguments: SocketAddress.hasLoopback6 ? [IPAddress.loopback, .loopback6] : [.loopback])
    func `one that waits at every address takes a partner of either family, at one port`(
        host: IPAddress
    ) throws {
        let run = ConnectorRun(on: reactor, ConnectorOptions(.passive))
        try run.start()
        let places = reactor.openSockets().compactMap(\.localAddress)
        #expect(places.allSatisfy { $0.port == run.port })
        #expect(places.count == 2 || !SocketAddress.hasLoopback6)
        let peer = try Socket.connecting(to: .ip(host, port: run.port ?? 0))
        let peerAddress = try peer.localAddress
        let channel = try run.opened()
        #expect(channel.peerAddress == peerAddress)
        #expect(reactor.openSockets().map(\.kind) == [.channel(.open)])
        channel.close()
    }

    // C6, C10
    @Test func `one that waits at an address is found there, whatever its host says`() throws {
        var options = ConnectorOptions(.passive, host: "nobody.invalid")
        options.localAddress = .v4(0x7F4D_0002)
        let run = ConnectorRun(on: reactor, options)
        try run.start()
        let place = SocketAddress.ip(.v4(0x7F4D_0002), port: run.port ?? 0)
        #expect(reactor.openSockets().map(\.localAddress) == [place])
        let elsewhere = ConnectorRun(on: reactor, .going(to: run.port))
        try elsewhere.start()
        #expect(elsewhere.failed() != nil)
        let peer = try Socket.connecting(to: place)
        try run.opened().close()
        withExtendedLifetime(peer) {}
    }

    // MARK: One connection

    // C7
    @Test func `one client comes in, and those behind it meet the end or a reset`() throws {
        let run = ConnectorRun(on: reactor, .waiting)
        try run.start()
        let place = SocketAddress.loopback(port: run.port ?? 0)
        let partner = try Socket.connecting(to: place)
        let rivals = try (0..<5).map { _ in HeldSocket(try .connecting(to: place)) }
        let channel = try run.opened()
        let partnerAddress = try partner.localAddress
        #expect(channel.peerAddress == partnerAddress)
        reactor.settle()
        let turnedAway = rivals.filter { $0.socket.isTurnedAway }
        #expect(turnedAway.count == 5)
        try partner.sendAll("hello\n")
        let lines = Box<[String]>([])
        channel.onLine { _, line in lines.value.append(line) }
        reactor.expect("the partner is heard") { lines.value == ["hello"] }
        #expect(run.results.count == 1)
        channel.close()
    }

    // C7, C11
    @Test func `the port is free when the partner is in`() throws {
        let run = ConnectorRun(on: reactor, .waiting)
        try run.start()
        let place = SocketAddress.loopback(port: run.port ?? 0)
        let partner = try Socket.connecting(to: place)
        let channel = try run.opened()
        #expect(run.connector.port == nil)
        #expect(reactor.openSockets().allSatisfy { $0.kind != .listener })
        // Nobody listens there any more, so somebody else may.
        let other = try reactor.listen(at: [place])
        other.close()
        channel.close()
        withExtendedLifetime(partner) {}
    }

    // C7, C8
    @Test func `a stranger by its address is turned away, and the partner still comes in`() throws {
        var options = ConnectorOptions.waiting
        options.allowed = [AddressRange(.v4(0x7F4D_0003), prefixLength: 32)]
        let run = ConnectorRun(on: reactor, options)
        try run.start()
        let place = SocketAddress.loopback(port: run.port ?? 0)
        let stranger = try Socket.connecting(to: place)
        reactor.settle()
        let isTurnedAway = stranger.isTurnedAway
        #expect(isTurnedAway)
        #expect(!run.isOver)
        var going = ConnectorOptions.going(to: run.port)
        going.client.localAddress = .v4(0x7F4D_0003)
        let partner = ConnectorRun(on: reactor, going)
        try partner.start()
        let channel = try run.opened()
        #expect(channel.peerAddress.ipAddress == .v4(0x7F4D_0003))
        channel.close()
        try partner.opened().close()
    }

    // MARK: Options

    // C9, C10, C11
    @Test func `a connector is active at first, and goes to this machine`() {
        let options = ConnectorOptions()
        #expect(options.mode == .active)
        #expect(options.host == "localhost")
        #expect(options.port == 0)
        #expect(options.text == TextSettings())
        #expect(options.timeLimit == .seconds(30))
        #expect(ConnectorOptions.Mode(rawValue: "passive") == .passive)
        #expect(ConnectorOptions.Mode(rawValue: "other") == nil)
    }

    // C10
    @Test func `the host that nobody has named is found`() throws {
        let passive = ConnectorRun(on: reactor, ConnectorOptions(.passive))
        try passive.start()
        let active = ConnectorRun(on: reactor, ConnectorOptions(port: passive.port ?? 0))
        try active.start()
        try active.opened().close()
        try passive.opened().close()
    }

    // C11
    @Test func `a port that is in use is an error of the call`() throws {
        let server = try reactor.listen()
        var options = ConnectorOptions.waiting
        options.port = server.address.port ?? 0
        let before = openDescriptorCount()
        let connector = Connector(on: reactor, options: options)
        let inUse = SocketError(.bind, .addressInUse, at: server.address)
        #expect(throws: ConnectorError.socket(inUse)) { try connector.connect { _ in wrongly() } }
        #expect(openDescriptorCount() == before)
        #expect(!connector.isConnecting)
        server.close()
        // It may try again, now that the port is free.
        let run = ConnectorRun(on: reactor, options)
        try run.start()
        #expect(run.port == server.address.port ?? options.port)
        run.connector.cancel()
    }

    // C11
    @Test(.enabled(if: SocketAddress.hasLoopback6, "this machine has no ::1"))
    func `a port in use in one family is in use`() throws {
        let server = try reactor.listen(at: [.ip(.any6, port: 0)])
        let port = try #require(server.address.port)
        let before = openDescriptorCount()
        let connector = Connector(on: reactor, options: ConnectorOptions(.passive, port: port))
        let error = #expect(throws: ConnectorError.self) {
            try connector.connect { _ in wrongly() }
        }
        guard case .socket(let reason) = error else { throw Mishap() }
        #expect(reason.code == .addressInUse)
        #expect(openDescriptorCount() == before)
        server.close()
    }

    // C11
    @Test func `a port may be the name of a service`() throws {
        #expect(try ConnectorOptions(service: "http").port == 80)
        #expect(try ConnectorOptions(.passive, service: "0x1F90").port == 8_080)
        #expect(throws: PortError.unknownService("no such service")) {
            try ConnectorOptions(service: "no such service")
        }
        #expect(throws: PortError.outOfRange("65536")) { try ConnectorOptions(service: "65536") }
    }

    // C2
    @Test func `a connector is told from others by its name`() throws {
        var options = ConnectorOptions.waiting
        options.name = "backup"
        let run = ConnectorRun(on: reactor, options)
        #expect(run.connector.name == "backup")
        #expect("\(run.connector)" == "backup: passive, port 0, idle")
        try run.start()
        #expect("\(run.connector)" == "backup: passive, port \(run.port ?? 0), listening")
        run.connector.cancel()
        let other = Connector(on: reactor, options: .going(to: 80))
        #expect(other.name == nil)
        #expect("\(other)" == "connector: active, 127.0.0.1:80, idle")
    }
}

extension Socket {
    /// Whether its connection is over: the end of the input, or a reset.
    fileprivate var isTurnedAway: Bool {
        // The kernel may need a moment to bring it.
        for _ in 0..<100_000 {
            do {
                if try receiveNow() == nil { return true }
            } catch {
                return (error as? SocketError)?.code == .connectionReset
            }
            sched_yield()
        }
        return false
    }
}
