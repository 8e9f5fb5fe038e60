// SPDX-License-Identifier: Apache-2.0
//
// What goes beside the bytes of a datagram, between us and Python's sendmsg and recvmsg: hop
// limits, traffic classes, addresses and interfaces.

import Glibc
import Sluice
import TestSupport
import Testing

@Suite(.countingDescriptors, .serialized)
struct AncillaryDataWithPython {
    /// The module lacks some of these names of ip(7).
    private static let names = """
        IP_PKTINFO, IP_RECVTTL, IP_RECVTOS = 8, 12, 13
        family, address = place(sys.argv[1])
        if family == socket.AF_INET:
            level, hops, traffic = socket.IPPROTO_IP, socket.IP_TTL, socket.IP_TOS
            receives = IP_RECVTTL, IP_RECVTOS
        else:
            level, hops, traffic = socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT, socket.IPV6_TCLASS
            receives = socket.IPV6_RECVHOPLIMIT, socket.IPV6_RECVTCLASS

        """

    private func bound(_ host: IPAddress) throws -> Socket {
        let socket = try Socket(for: .ip(host, port: 0), kind: .datagram)
        try socket.bind(to: .ip(host, port: 0))
        return socket
    }

    // N26
    @Test(arguments: [IPAddress.loopback, .loopback6])
    func `python is told the hop limit and traffic class that we send with one datagram`(
        host: IPAddress
    ) throws {
        let python = try CommandProcess.pythonPeer(
            Self.names + """
                peer = bound(sys.argv[1], socket.SOCK_DGRAM)
                for name in receives:
                    peer.setsockopt(level, name, 1)
                say(show(peer.getsockname()))
                for number in range(2):
                    data, items, flags, sender = peer.recvmsg(100, 200)
                    told = {(kind, name): value[0] for kind, name, value in items}
                    say(data.decode(), told[level, hops], told[level, traffic])
                """, "\(SocketAddress.ip(host, port: 0))")
        let peer = try #require(SocketAddress(try python.nextLine()))
        let socket = try Socket(for: peer, kind: .datagram)
        let family = peer.family
        let usual = try socket.get(host.isIPv6 ? .ipv6HopLimit : .ipv4HopLimit)
        let bytes = Array("told".utf8)
        let first = try socket.send(
            message: bytes.span.bytes, to: peer,
            with: [
                .hopLimit(9, for: family), .trafficClass(TrafficClass(codePoint: 10), for: family),
            ])
        let second = try socket.send(bytes.span.bytes, to: peer)
        #expect(first == .bytes(4))
        #expect(second == .bytes(4))
        #expect(try python.outcome() == "told 9 40\ntold \(usual) 0\n")
    }

    /// Sends two datagrams, one with a hop limit and a traffic class of its own.
    private static let sending =
        names + """
            peer = socket.socket(family, socket.SOCK_DGRAM)
            peer.sendmsg([b"to", b"ld"], [(level, hops, struct.pack("i", 9)),
                                          (level, traffic, struct.pack("i", 40))], 0, address)
            peer.setsockopt(level, traffic, 8)
            peer.sendto(b"usual", address)
            """

    // N26
    @Test(arguments: [IPAddress.loopback, .loopback6])
    func `a bare socket is told the hop limit and traffic class that python sends`(
        host: IPAddress
    ) throws {
        let socket = try bound(host)
        try socket.set(host.isIPv6 ? .ipv6ReceivesHopLimit : .ipv4ReceivesHopLimit, to: true)
        try socket.set(
            host.isIPv6 ? .ipv6ReceivesTrafficClass : .ipv4ReceivesTrafficClass, to: true)
        let usual = try socket.get(host.isIPv6 ? .ipv6HopLimit : .ipv4HopLimit)
        let python = try CommandProcess.pythonPeer(Self.sending, "\(try socket.localAddress)")
        for (text, hops, traffic) in [("told", 9, UInt8(40)), ("usual", usual, 8)] {
            try socket.withMessage(ancillaryByteCount: 200) { bytes, message in
                let items = message.items
                #expect(bytes.text == text)
                #expect(items.compactMap(\.hopLimit) == [hops])
                #expect(items.compactMap(\.trafficClass?.rawValue) == [traffic])
                let flags = message.flags
                #expect(flags == [])
            }
        }
        try python.outcome()
    }

    // N26
    @Test(arguments: [IPAddress.loopback, .loopback6])
    func `a channel is told the hop limit and traffic class that python sends`(
        host: IPAddress
    ) throws {
        let reactor = try Reactor()
        var options = DatagramOptions()
        options.ancillaryByteCount = 200
        let channel = try DatagramChannel(on: reactor, at: .ip(host, port: 0), options: options)
        defer { channel.close() }
        try channel.set(host.isIPv6 ? .ipv6ReceivesHopLimit : .ipv4ReceivesHopLimit, to: true)
        try channel.set(
            host.isIPv6 ? .ipv6ReceivesTrafficClass : .ipv4ReceivesTrafficClass, to: true)
        let usual = try channel.get(host.isIPv6 ? .ipv6HopLimit : .ipv4HopLimit)
        let heard = Box<[String]>([])
        channel.onDatagram { _, bytes, info in
            let hops = info.items.compactMap(\.hopLimit)
            let traffic = info.items.compactMap(\.trafficClass?.rawValue)
            heard.value.append("\(bytes.text) \(hops) \(traffic)")
        }
        let python = try CommandProcess.pythonPeer(Self.sending, "\(try channel.localAddress)")
        reactor.expect("both datagrams") { heard.value.count == 2 }
        #expect(heard.value == ["told [9] [40]", "usual [\(usual)] [8]"])
        try python.outcome()
    }

    // N26
    @Test func `we are told which of our addresses python has meant, and answer from it`() throws {
        let socket = try bound(.any)
        try socket.set(.ipv4ReceivesPacketInfo, to: true)
        let port = try #require(try socket.localAddress.port)
        let python = try CommandProcess.pythonPeer(
            """
            peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            peer.settimeout(20)
            peer.sendto(b"hello", ("127.0.0.4", int(sys.argv[1])))
            data, sender = peer.recvfrom(100)
            say(data.decode(), sender[0])
            """, "\(port)")
        let loopback = try NetworkInterface.index(of: "lo")
        let meant = IPAddress.v4(0x7F00_0004)
        try socket.withMessage(ancillaryByteCount: 100) { bytes, message in
            let info = message.items.compactMap(\.packetInfo)
            #expect(info == [PacketInfo(interface: loopback, localAddress: meant)])
            _ = try socket.send(
                message: bytes.span.bytes, to: message.sender,
                with: [.packetInfo(PacketInfo(interface: 0, localAddress: meant))])
        }
        #expect(try python.outcome() == "hello 127.0.0.4\n")
    }

    // N26
    @Test func `python is told which of its addresses we have meant, and answers from it`() throws {
        let python = try CommandProcess.pythonPeer(
            Self.names + """
                peer = bound(sys.argv[1], socket.SOCK_DGRAM)
                peer.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
                say(peer.getsockname()[1])
                data, items, flags, sender = peer.recvmsg(100, 200)
                (kind, name, value), = items
                index, _, meant = struct.unpack("=i4s4s", value)
                say(kind, name, index, socket.inet_ntoa(meant))
                info = struct.pack("=i4s4s", 0, meant, bytes(4))
                peer.sendmsg([data], [(socket.IPPROTO_IP, IP_PKTINFO, info)], 0, sender)
                """, "0.0.0.0:0")
        let port = try #require(UInt16(try python.nextLine()))
        let meant = SocketAddress.ip(.v4(0x7F00_0005), port: port)
        let socket = try bound(.any)
        let hello = Array("hello".utf8)
        _ = try socket.send(hello.span.bytes, to: meant)
        try socket.withMessage { bytes, message in
            let sender = message.sender
            #expect(bytes.text == "hello")
            #expect(sender == meant)
        }
        let loopback = try NetworkInterface.index(of: "lo")
        #expect(try python.outcome() == "\(IPPROTO_IP) 8 \(loopback) 127.0.0.5\n")
    }

    // N26
    @Test func `the interface and address of an IPv6 datagram are told on either side`() throws {
        let socket = try bound(.any6)
        try socket.set(.ipv6ReceivesPacketInfo, to: true)
        let port = try #require(try socket.localAddress.port)
        let python = try CommandProcess.pythonPeer(
            """
            peer = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            peer.settimeout(20)
            peer.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            peer.sendto(b"hello", ("::1", int(sys.argv[1])))
            data, items, flags, sender = peer.recvmsg(100, 200)
            address, index = struct.unpack("=16sI", items[0][2])
            say(data.decode(), socket.inet_ntop(socket.AF_INET6, address), index)
            """, "\(port)")
        let loopback = try NetworkInterface.index(of: "lo")
        let expected = PacketInfo(interface: loopback, localAddress: .loopback6)
        try socket.withMessage(ancillaryByteCount: 100) { bytes, message in
            let info = message.items.compactMap(\.packetInfo)
            #expect(info == [expected])
            _ = try socket.send(
                message: bytes.span.bytes, to: message.sender, with: [.packetInfo(expected)])
        }
        #expect(try python.outcome() == "hello ::1 \(loopback)\n")
    }
}
