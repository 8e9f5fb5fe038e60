// SPDX-License-Identifier: Apache-2.0
//
// Opening connections: one verdict each, in a later turn, what can go wrong (T8, T10, W10, W30).

import Glibc
import TestSupport
import Testing

@testable import Sluice

private typealias Verdict = Result<Channel, ConnectError>

/// A listener whose backlog is full: what connects to it from now on gets no answer.
private final class SilentListener {
    private let listener: Socket
    private var fillers: [HeldSocket] = []
    let address: SocketAddress

    init() throws {
        let any = SocketAddress.loopback(port: 0)
        listener = try Socket(for: any)
        try listener.bind(to: any)
        try listener.listen(backlog: 0)
        address = try listener.localAddress
        for _ in 0..<3 { fillers.append(HeldSocket(try .connecting(to: address))) }
    }
}

@Suite(.countingDescriptors)
struct Connecting {
    let reactor: Reactor

    init() throws { reactor = try Reactor() }

    /// An address of the loopback interface where nobody listens.
    private func unusedAddress() throws -> SocketAddress {
        let any = SocketAddress.loopback(port: 0)
        let socket = try Socket(for: any)
        try socket.bind(to: any)
        return try socket.localAddress
    }

    private func connect(
        to address: SocketAddress, options: ClientOptions = .init()
    ) throws -> Verdict? {
        let verdict = Box<Verdict?>(nil)
        try Client(on: reactor, options: options).connect(to: address) { verdict.value = $0 }
        #expect(!verdict.isThere)
        reactor.expect("the verdict comes") { verdict.isThere }
        return verdict.value
    }

    // T4
    @Test func `a connection gives an open channel to the address`() throws {
        let server = try reactor.listen()
        let channel = try #require(try connect(to: server.addresses[0])?.get())
        #expect(channel.status == .open)
        #expect(channel.peerAddress == server.addresses[0])
        #expect(try channel.get(.noDelay))
        reactor.expect("the server sees it") { server.connectionCount == 1 }
        channel.close()
        server.close()
    }

    // T4
    @Test func `a refused connection names the address`() throws {
        let address = try unusedAddress()
        let error = #expect(throws: ConnectError.self) { try connect(to: address)?.get() }
        let refused = SocketError(.connect, .connectionRefused, at: address)
        #expect(error?.cause == .refused(refused))
        #expect(error?.attempts == [refused])
        #expect(error?.endpoint == .address(address))
        #expect(error.map { "\($0)" } == "connect \(address): Connection refused")
    }

    // T6, W15
    @Test func `a host written as a number needs no look-up`() throws {
        let server = try reactor.listen()
        let verdict = Box<Verdict?>(nil)
        let endpoint = Endpoint.host("127.0.0.1", port: server.addresses[0].port ?? 0)
        try Client(on: reactor).connect(to: endpoint) { verdict.value = $0 }
        reactor.expect("the verdict comes") { verdict.isThere }
        try verdict.value?.get().close()
        server.close()
    }

    @Test func `a peer that does not answer costs no more than the time limit`() throws {
        let silent = try SilentListener()
        var options = ClientOptions()
        options.timeout = .milliseconds(30)
        let start = ContinuousClock.now
        let error = #expect(throws: ConnectError.self) {
            try connect(to: silent.address, options: options)?.get()
        }
        #expect(error?.cause == .timedOut)
        #expect(error?.endpoint == .address(silent.address))
        #expect(ContinuousClock.now - start >= .milliseconds(30))
    }

    @Test func `the verdict does not come before connect has returned`() throws {
        let path = SocketAddress.abstract(name: Array("sluice-\(getpid())-connecting".utf8))
        let server = try reactor.listen(at: [path])
        for address in [server.addresses[0], try unusedAddress(), .abstract(name: [0, 1, 2])] {
            let order = Box("")
            try Client(on: reactor).connect(to: address) { verdict in
                order.value += "verdict"
                if case .success(let channel) = verdict { channel.close() }
            }
            order.value += "returned "
            reactor.expect("the verdict comes") { order.value == "returned verdict" }
        }
        server.close()
    }

    @Test func `a connection that fails at once is told in a later turn`() throws {
        let path = SocketAddress.unix(path: "/tmp/sluice-\(getpid())-nobody.socket")
        let error = #expect(throws: ConnectError.self) { try connect(to: path)?.get() }
        #expect(error?.cause == .refused(SocketError(.connect, .noEntry, at: path)))
    }

    @Test func `an error of the kernel's is told as the verdict`() throws {
        let server = try reactor.listen()
        let address = server.addresses[0]
        let verdict = Box<Verdict?>(nil)
        _ = try SystemCall.failing(.connect, with: .networkUnreachable) {
            try Client(on: reactor).connect(to: address) { verdict.value = $0 }
        }
        #expect(!verdict.isThere)
        reactor.expect("the verdict comes") { verdict.isThere }
        let error = #expect(throws: ConnectError.self) { try verdict.value?.get() }
        #expect(error?.cause == .refused(SocketError(.connect, .networkUnreachable, at: address)))
        server.close()
    }

    // MARK: The local end

    // T8, T9
    @Test func `a client connects from the local address and port that it names`() throws {
        let server = try reactor.listen()
        var options = ClientOptions()
        // 127.77.0.1: an address whose ports no other test uses.
        options.localAddress = .v4(0x7F4D_0001)
        options.localPort = try unusedAddress().port ?? 0
        let verdict = try connect(to: server.addresses[0], options: options)
        let channel = try #require(try verdict?.get())
        #expect(try channel.localAddress == .ip(.v4(0x7F4D_0001), port: options.localPort))
        channel.close()
        server.close()
    }

    // T8
    @Test func `a local address that is not this machine's is refused at once`() throws {
        let server = try reactor.listen()
        var options = ClientOptions()
        options.localAddress = IPAddress("192.0.2.1")
        let client = Client(on: reactor, options: options)
        let error = #expect(throws: SocketError.self) {
            try client.connect(to: server.addresses[0]) { _ in wrongly() }
        }
        #expect(error?.operation == .bind)
        #expect(error?.code == .addressNotAvailable)
        #expect(error?.address?.ipAddress == IPAddress("192.0.2.1"))
        reactor.settle()
        server.close()
    }

    @Test func `a local port that is taken is refused at once`() throws {
        let server = try reactor.listen()
        let other = try reactor.listen()
        var options = ClientOptions()
        options.localAddress = .loopback
        options.localPort = other.addresses[0].port ?? 0
        let client = Client(on: reactor, options: options)
        let error = #expect(throws: SocketError.self) {
            try client.connect(to: server.addresses[0]) { _ in wrongly() }
        }
        #expect(error?.code == .addressInUse)
        server.close()
        other.close()
    }

    // MARK: Unix sockets

    // T2
    @Test func `a client connects to a path`() throws {
        let path = SocketAddress.unix(path: "/tmp/sluice-\(getpid())-connecting.socket")
        let server = try reactor.listen(at: [path])
        let channel = try #require(try connect(to: path)?.get())
        #expect(channel.peerAddress == path)
        reactor.expect("the server sees it") { server.connectionCount == 1 }
        channel.close()
        server.close()
    }

    // MARK: Many, and giving up

    // W30
    @Test func `two hundred attempts at once each get their own verdict`() throws {
        let server = try reactor.listen()
        let unused = try unusedAddress()
        let client = Client(on: reactor)
        let verdicts = Box<[Int: [Bool]]>([:])
        let channels = Box<[Channel]>([])
        for number in 0..<200 {
            let address = number.isMultiple(of: 2) ? server.addresses[0] : unused
            try client.connect(to: address) { verdict in
                var isOpen = false
                if case .success(let channel) = verdict {
                    isOpen = true
                    channels.value.append(channel)
                }
                verdicts.value[number, default: []].append(isOpen)
            }
        }
        #expect(verdicts.value.isEmpty)
        reactor.expect("all verdicts come") { verdicts.value.count == 200 }
        reactor.settle()
        for number in 0..<200 {
            #expect(verdicts.value[number] == [number.isMultiple(of: 2)])
        }
        reactor.expect("the server has them") { server.connectionCount == 100 }
        for channel in channels.value { channel.close() }
        channels.value = []
        server.close()
    }

    @Test func `an attempt that was cancelled gives no verdict and keeps no descriptor`() throws {
        let silent = try SilentListener()
        let before = openDescriptorCount()
        let attempt = try Client(on: reactor).connect(to: silent.address) { _ in wrongly() }
        #expect(attempt.isPending)
        #expect(openDescriptorCount() == before + 1)
        attempt.cancel()
        #expect(!attempt.isPending)
        #expect(openDescriptorCount() == before)
        attempt.cancel()
        reactor.settle()
    }

    @Test func `an attempt can be cancelled when it is decided already`() throws {
        let server = try reactor.listen()
        for address in [server.addresses[0], try unusedAddress(), .unix(path: "/tmp/sluice-none")] {
            let attempt = try Client(on: reactor).connect(to: address) { _ in wrongly() }
            attempt.cancel()
            reactor.settle()
            #expect(!attempt.isPending)
        }
        server.close()
    }

    @Test func `a reactor can be dropped while an attempt is under way`() throws {
        let silent = try SilentListener()
        let before = openDescriptorCount()
        func begin() throws {
            let reactor = try Reactor()
            try Client(on: reactor).connect(to: silent.address) { _ in wrongly() }
            reactor.settle()
        }
        try begin()
        #expect(openDescriptorCount() == before)
    }

    @Test func `a channel may be closed and its client connect again inside the verdict`() throws {
        let server = try reactor.listen()
        let address = server.addresses[0]
        let verdicts = Box(0)
        func connect(_ client: Client) throws {
            try client.connect(to: address) { verdict in
                verdicts.value += 1
                guard case .success(let channel) = verdict else { return }
                channel.close()
                if verdicts.value < 5 { try? connect(client) }  // A failure ends the count early.
            }
        }
        try connect(Client(on: reactor))
        reactor.expect("all verdicts come") { verdicts.value == 5 }
        server.close()
    }

    @Test func `a Unix listener with a full backlog is asked again until there is room`() throws {
        let address = SocketAddress.abstract(name: Array("sluice-\(getpid())-full".utf8))
        let listener = try Socket(for: address)
        try listener.bind(to: address)
        try listener.listen(backlog: 0)
        let filler = HeldSocket(try .connecting(to: address))
        let late = try Socket(for: address)
        #expect(throws: SocketError(.connect, .wouldBlock, at: address)) {
            try late.connect(to: address)
        }
        let verdict = Box<Verdict?>(nil)
        try Client(on: reactor).connect(to: address) { verdict.value = $0 }
        reactor.after(.milliseconds(30)) { _ = try listener.accept() }
        reactor.expect("there is room at last") { verdict.value != nil }
        let channel = try #require(verdict.value).get()
        channel.close()
        withExtendedLifetime(filler) {}
    }
}

extension Box where Value == Verdict? {
    /// Whether the verdict has come.
    fileprivate var isThere: Bool { value != nil }
}
