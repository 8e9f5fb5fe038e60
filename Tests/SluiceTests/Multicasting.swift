// SPDX-License-Identifier: Apache-2.0
//
// Datagrams to many at once: groups, who hears them and how far they go; and broadcasts.
// Loopback has groups of IPv4 alone: the rest needs another interface, and lets nothing leave it.

import TestSupport
import Testing

@testable import Sluice

/// An interface other than loopback that knows groups and is on.
///
/// Its datagrams come back to this machine, and none leaves it, for they have no hop.
private let other: NetworkInterface? = {
    // Without a list of interfaces there is none.
    let all = (try? NetworkInterface.all()) ?? []
    return all.first { $0.flags.isSuperset(of: [.up, .running, .multicast]) && $0.address4 != nil }
}()

/// The same, with a link-local address of IPv6, as that is what such datagrams are sent from.
private let other6: NetworkInterface? = {
    // As above.
    let all = (try? NetworkInterface.all()) ?? []
    return all.first { interface in
        interface.flags.isSuperset(of: [.up, .running, .multicast])
            && interface.addresses.contains { $0.ip.isLinkLocal && $0.ip.isIPv6 }
    }
}()

extension NetworkInterface {
    fileprivate var address4: IPAddress? { addresses.first { !$0.ip.isIPv6 }?.ip }
}

@Suite(.countingDescriptors)
struct Multicasting {
    let reactor: Reactor
    let loopback: UInt32
    let group = IPAddress.v4(0xEF7B_0102)
    /// Of the scope of an interface: nothing leaves it.
    let group6 = IPAddress.v6(high: 0xFF11_0000_0000_0000, low: 0x7B_0102, scope: 0)

    init() throws {
        reactor = try Reactor()
        loopback = try NetworkInterface.index(of: "lo")
    }

    /// Joins the group on loopback, at a port of its own or at one that is shared.
    private func join(
        at port: UInt16 = 0, on place: IPAddress = .any, from source: IPAddress? = nil
    ) throws -> DatagramRecord {
        var options = DatagramOptions()
        options.reuseAddress = true
        let heard = try DatagramRecord(on: reactor, at: .ip(place, port: port), options: options)
        try heard.channel.join(group, on: loopback, from: source)
        return heard
    }

    private func port(of heard: DatagramRecord) throws -> UInt16 { try heard.address.port ?? 0 }

    /// A channel whose datagrams to groups leave by the loopback interface.
    private func open(from address: IPAddress = .loopback) throws -> DatagramChannel {
        try DatagramChannel(on: reactor, at: .ip(address, port: 0))
    }

    // MARK: Groups of IPv4

    @Test func `who has joined a group hears it, and who has left hears it no more`() throws {
        let heard = try join()
        let sender = try open()
        let place = SocketAddress.ip(group, port: try port(of: heard))
        try sender.send(text: "a", to: place)
        reactor.expect("it comes") { heard.texts == ["a"] }
        #expect(try heard.senders == [sender.localAddress])
        try heard.channel.leave(group, on: loopback)
        try sender.send(text: "b", to: place)
        reactor.settle()
        #expect(heard.texts == ["a"])
        #expect(sender.counters.datagramsSent == 2)
        try heard.channel.join(group, on: loopback)
        try sender.send(text: "c", to: place)
        reactor.expect("it comes") { heard.texts == ["a", "c"] }
    }

    @Test func `several sockets hear one group at one port`() throws {
        let first = try join()
        let port = try port(of: first)
        #expect(throws: SocketError(.bind, .addressInUse, at: .any(port: port))) {
            try DatagramChannel(on: reactor, at: .any(port: port))
        }
        let second = try join(at: port)
        let third = try join(at: port)
        let sender = try open()
        for text in ["a", "b"] { try sender.send(text: text, to: .ip(group, port: port)) }
        let all = [first, second, third]
        reactor.expect("all hear all") { all.allSatisfy { $0.count == 2 } }
        #expect(all.allSatisfy { $0.texts == ["a", "b"] })
        #expect(sender.counters.sends == 1)
    }

    @Test func `a socket may be at the group's own address`() throws {
        let heard = try join(on: group)
        let port = try port(of: heard)
        let sender = try open()
        try sender.send(text: "lost", to: .loopback(port: port))
        try sender.send(text: "a", to: .ip(group, port: port))
        reactor.expect("it comes") { heard.count > 0 }
        reactor.settle()
        #expect(heard.texts == ["a"])
    }

    @Test func `a source that was named is heard alone`() throws {
        let second = IPAddress.v4(0x7F00_0002)
        let heard = try join(from: .loopback)
        let place = SocketAddress.ip(group, port: try port(of: heard))
        let (good, bad) = (try open(), try open(from: second))
        for _ in 0..<3 {
            try bad.send(text: "lost", to: place)
            try good.send(text: "heard", to: place)
        }
        reactor.expect("they come") { heard.count == 3 }
        reactor.settle()
        #expect(heard.texts == ["heard", "heard", "heard"])
        try heard.channel.join(group, on: loopback, from: second)
        try heard.channel.leave(group, on: loopback, from: .loopback)
        try good.send(text: "lost", to: place)
        try bad.send(text: "second", to: place)
        reactor.expect("the other is heard now") { heard.count == 4 }
        reactor.settle()
        #expect(heard.texts.last == "second")
        #expect(heard.count == 4)
    }

    @Test func `a bare socket joins and leaves as well`() throws {
        let socket = try Socket.datagrams(at: .any(port: 0))
        try socket.join(group, on: loopback)
        let place = SocketAddress.ip(group, port: try socket.localAddress.port ?? 0)
        let sender = try Socket.datagrams()
        try sender.send("a", to: place)
        let first = try socket.receiveTexts()
        try socket.leave(group, on: loopback)
        try sender.send("b", to: place)
        let second = try socket.receiveTexts()
        #expect(first == ["a"])
        #expect(second == [])
    }

    @Test func `how many hops it has is told`() throws {
        var options = DatagramOptions()
        options.ancillaryByteCount = 64
        let heard = try DatagramRecord(on: reactor, at: .any(port: 0), options: options)
        try heard.channel.set(.ipv4ReceivesHopLimit, to: true)
        try heard.channel.join(group, on: loopback)
        let sender = try open()
        let place = SocketAddress.ip(group, port: try port(of: heard))
        for hops in [1, 0, 7] {
            try sender.set(.ipv4MulticastHopLimit, to: hops)
            try sender.send(text: "\(hops)", to: place)
            sender.flush()
        }
        reactor.expect("all come") { heard.count == 3 }
        #expect(heard.infos.map { $0.items.map(\.hopLimit) } == [[1], [0], [7]])
    }

    @Test(.enabled(if: other != nil, "there is no interface with groups but loopback"))
    func `what is not to come back does not`() throws {
        guard let other, let address = other.address4 else { return }
        let heard = try DatagramRecord(on: reactor, at: .any(port: 0))
        try heard.channel.join(group, on: other.index)
        let sender = try open(from: address)
        try sender.set(.ipv4MulticastInterface, to: .index(other.index))
        try sender.set(.ipv4MulticastHopLimit, to: 0)
        let place = SocketAddress.ip(group, port: try port(of: heard))
        for loops in [false, true] {
            try sender.set(.ipv4MulticastLoop, to: loops)
            try sender.send(text: "\(loops)", to: place)
            sender.flush()
        }
        reactor.expect("the second comes back") { heard.count > 0 }
        reactor.settle()
        #expect(heard.texts == ["true"])
        #expect(try heard.senders == [sender.localAddress])
    }

    // MARK: Groups of IPv6

    @Test(.enabled(if: other6 != nil, "there is no interface with groups of IPv6"))
    func `groups of IPv6 are heard, left, and kept from coming back`() throws {
        guard let other6, case .v6(let high, let low, _) = group6 else { return }
        var options = DatagramOptions()
        options.reuseAddress = true
        let first = try DatagramRecord(on: reactor, at: .ip(.any6, port: 0), options: options)
        let port = try port(of: first)
        let second = try DatagramRecord(on: reactor, at: .ip(.any6, port: port), options: options)
        for heard in [first, second] { try heard.channel.join(group6, on: other6.index) }
        let sender = try DatagramChannel(on: reactor, at: .ip(.any6, port: 0))
        try sender.set(.ipv6MulticastHopLimit, to: 0)
        let place = SocketAddress.ip(.v6(high: high, low: low, scope: other6.index), port: port)
        try sender.send(text: "a", to: place)
        reactor.expect("both hear it") { first.count == 1 && second.count == 1 }
        // Off, a socket hears only what it has joined itself.
        try second.channel.set(.ipv6MulticastAll, to: false)
        try second.channel.leave(group6, on: other6.index)
        try sender.send(text: "b", to: place)
        reactor.expect("one hears it") { first.count == 2 }
        try sender.set(.ipv6MulticastLoop, to: false)
        try sender.send(text: "lost", to: place)
        sender.flush()
        try sender.set(.ipv6MulticastLoop, to: true)
        try sender.send(text: "c", to: place)
        reactor.expect("the last comes") { first.count > 2 }
        reactor.settle()
        #expect(first.texts == ["a", "b", "c"])
        #expect(second.texts == ["a"])
    }

    @Test(.enabled(if: other6 != nil, "there is no interface with groups of IPv6"))
    func `a source of IPv6 that was named is heard alone`() throws {
        guard let other6, case .v6(let high, let low, _) = group6 else { return }
        let good = other6.addresses.first { $0.ip.isLinkLocal && $0.ip.isIPv6 }?.ip ?? .any6
        let heard = try DatagramRecord(on: reactor, at: .ip(.any6, port: 0))
        let sender = try DatagramChannel(on: reactor, at: .ip(.any6, port: 0))
        try sender.set(.ipv6MulticastHopLimit, to: 0)
        let place = SocketAddress.ip(
            .v6(high: high, low: low, scope: other6.index), port: try port(of: heard))
        try heard.channel.join(group6, on: other6.index, from: .loopback6)
        try sender.send(text: "lost", to: place)
        reactor.settle()
        try heard.channel.join(group6, on: other6.index, from: good)
        try sender.send(text: "heard", to: place)
        reactor.expect("it comes") { heard.count > 0 }
        #expect(heard.texts == ["heard"])
    }

    // MARK: What is refused

    @Test(
        arguments: [IPAddress.v4(0x0A00_0001), .any]
            + (SocketAddress.hasLoopback6 ? [.any6, .v6(high: 0, low: 5, scope: 0)] : []))
    func `an address that is no group is refused and named`(address: IPAddress) throws {
        let any = SocketAddress.ip(address.isIPv6 ? .any6 : .any, port: 0)
        let channel = try DatagramChannel(on: reactor, at: any)
        let refused = SocketError(.setOption, .invalidArgument, at: .ip(address, port: 0))
        #expect(throws: refused) { try channel.join(address, on: loopback) }
        let source = address.isIPv6 ? IPAddress.loopback6 : .loopback
        #expect(throws: refused) { try channel.join(address, on: loopback, from: source) }
        #expect(channel.isOpen)
    }

    @Test func `a membership that can't be is refused, and the group named`() throws {
        let channel = try DatagramChannel(on: reactor, at: .any(port: 0))
        let place = SocketAddress.ip(group, port: 0)
        func expectRefusal(_ code: ErrorCode, _ body: () throws -> Void) {
            #expect(throws: SocketError(.setOption, code, at: place)) { try body() }
        }
        expectRefusal(.addressNotAvailable) { try channel.leave(group, on: loopback) }
        expectRefusal(.noSuchDevice) { try channel.join(group, on: 9_999_999) }
        expectRefusal(.invalidArgument) { try channel.join(group, on: loopback, from: .loopback6) }
        expectRefusal(.invalidArgument) { try channel.leave(group, on: loopback, from: .loopback6) }
        try channel.join(group, on: loopback)
        expectRefusal(.addressInUse) { try channel.join(group, on: loopback) }
        try channel.leave(group, on: loopback)
        try channel.join(group, on: loopback, from: .loopback)
        expectRefusal(.addressNotAvailable) {
            try channel.leave(group, on: loopback, from: .v4(0x7F00_0002))
        }
        try channel.leave(group, on: loopback, from: .loopback)
        SystemCall.failing(.setOption, with: .noBufferSpace) {
            expectRefusal(.noBufferSpace) { try channel.join(group, on: loopback) }
        }
        let answers = Answers(.failure(.interrupted), to: [.setOption]) { $0 <= 2 }
        try answers.give { try channel.join(group, on: loopback) }
        expectRefusal(.addressInUse) { try channel.join(group, on: loopback) }
    }

    // MARK: Broadcasts

    @Test func `a broadcast needs permission, and reaches who is at any address`() throws {
        let heard = try DatagramRecord(on: reactor, at: .any(port: 0))
        let all = SocketAddress.ip(.v4(0x7FFF_FFFF), port: try port(of: heard))
        let forbidden = DatagramRecord(try open())
        try forbidden.channel.send(text: "lost", to: all)
        reactor.settle()
        #expect(forbidden.errors.map(\.error) == [SocketError(.write, .permissionDenied, at: all)])
        var options = DatagramOptions()
        options.allowsBroadcast = true
        let allowed = try DatagramChannel(on: reactor, at: .loopback(port: 0), options: options)
        try allowed.send(text: "a", to: all)
        let connected = try DatagramChannel(
            on: reactor, connectedTo: all, from: .loopback(port: 0), options: options)
        try connected.send(text: "b")
        reactor.expect("both come") { heard.count == 2 }
        #expect(heard.texts == ["a", "b"])
    }

    @Test func `a datagram to a group tells the group, and the address that answers it`() throws {
        let socket = try Socket(family: .ipv4, kind: .datagram)
        try socket.bind(to: .any(port: 0))
        try socket.set(.ipv4ReceivesPacketInfo, to: true)
        try socket.join(group, on: loopback)
        let sender = try open()
        let place = SocketAddress.ip(group, port: try socket.localAddress.port ?? 0)
        try sender.send(text: "a", to: place)
        sender.flush()
        let message = try socket.arrived(ancillaryByteCount: 100)
        let info = message.items.compactMap(\.packetInfo)
        #expect(info == [PacketInfo(interface: loopback, localAddress: .loopback)])
        #expect(message.items.compactMap(\.packetDestination) == [group])
        // As it is, it serves to answer.
        let answer = try socket.send(
            message: Array("b".utf8).span.bytes, to: message.sender, with: [.packetInfo(info[0])])
        #expect(answer == .bytes(1))
    }

    @Test func `a source that is blocked is heard no more, until it is let in again`() throws {
        let socket = try Socket(family: .ipv4, kind: .datagram)
        try socket.bind(to: .any(port: 0))
        try socket.join(group, on: loopback)
        let sender = try open()
        let place = SocketAddress.ip(group, port: try socket.localAddress.port ?? 0)
        try socket.block(.loopback, in: group, on: loopback)
        try sender.send(text: "a", to: place)
        sender.flush()
        try socket.unblock(.loopback, in: group, on: loopback)
        try sender.send(text: "b", to: place)
        sender.flush()
        let message = try socket.arrived()
        #expect(message.text == "b")
        #expect(throws: SocketError(.setOption, .addressNotAvailable, at: .ip(group, port: 0))) {
            try socket.unblock(.loopback, in: group, on: loopback)
        }
    }
}
