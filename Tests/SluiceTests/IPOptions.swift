// SPDX-License-Identifier: Apache-2.0
//
// The options of IPv4, IPv6, UDP and ICMP by typed keys: what is set is what the kernel then says.
// What needs rights or a newer kernel is left out where it is refused.

import Glibc
import Sluice
import TestSupport
import Testing

@Suite(.countingDescriptors)
struct IPOptions {
    private func datagrams(_ family: AddressFamily = .ipv4) throws -> Socket {
        try Socket(family: family, kind: .datagram)
    }

    // MARK: Flags

    // P9, P28, P36
    @Test(arguments: [
        SocketOption<Bool>.bindWithoutPort, .ipv4FreeBind, .ipv4ReceivesPacketInfo,
        .ipv4ReceivesErrors, .ipv4ReceivesHopLimit, .ipv4ReceivesTrafficClass,
        .ipv4ReceivesOptions, .ipv4ReceivesRawOptions, .ipv4ReceivesOriginalDestination,
        .ipv4ReceivesFragmentSize,
    ])
    func `a flag of IPv4 is off until it is set`(flag: SocketOption<Bool>) throws {
        let socket = try datagrams()
        let readings = try socket.readings(of: flag, setTo: [true, false])
        #expect(readings == [false, true, false])
    }

    // P9
    @Test(arguments: [
        SocketOption<Bool>.ipv6FreeBind, .ipv6DontFragment, .ipv6SendFlowInfo,
        .ipv6ReceivesPacketInfo, .ipv6ReceivesErrors, .ipv6ReceivesHopLimit,
        .ipv6ReceivesTrafficClass, .ipv6ReceivesFlowInfo, .ipv6ReceivesDestinationOptions,
        .ipv6ReceivesRoutingHeader, .ipv6ReceivesPathMTU, .ipv6ReceivesOriginalDestination,
        .ipv6ReceivesFragmentSize, .ipv4ReceivesErrors, .bindWithoutPort,
    ])
    func `a flag of IPv6 is off until it is set`(flag: SocketOption<Bool>) throws {
        let socket = try datagrams(.ipv6)
        let readings = try socket.readings(of: flag, setTo: [true, false])
        #expect(readings == [false, true, false])
    }

    @Test(arguments: [
        (SocketOption<Bool>.ipv4MulticastLoop, AddressFamily.ipv4), (.ipv4MulticastAll, .ipv4),
        (.ipv6MulticastLoop, .ipv6), (.ipv6MulticastAll, .ipv6),
    ])
    func `a flag of groups is on until it is set`(
        flag: SocketOption<Bool>, family: AddressFamily
    ) throws {
        let socket = try datagrams(family)
        let readings = try socket.readings(of: flag, setTo: [false, true])
        #expect(readings == [true, false, true])
    }

    @Test(arguments: [
        (SocketOption<Bool>.ipv4Transparent, AddressFamily.ipv4), (.ipv6Transparent, .ipv6),
        (.ipv6ReceivesHopOptions, .ipv6), (.ipv6AutoFlowLabel, .ipv6),
        (.ipv4ReceivesSecurityContext, .ipv4),
    ])
    func `a flag that needs rights is set or refused`(
        flag: SocketOption<Bool>, family: AddressFamily
    ) throws {
        let socket = try datagrams(family)
        let reading = try socket.reading(of: flag, setTo: true)
        #expect(reading != false)
    }

    // MARK: Numbers

    // P28, P36
    @Test(arguments: [
        (SocketOption<Int>.ipv4HopLimit, AddressFamily.ipv4, [1, 255]),
        (.ipv4MulticastHopLimit, .ipv4, [0, 255]), (.ipv6HopLimit, .ipv6, [0, 255]),
        (.ipv6MulticastHopLimit, .ipv6, [0, 255]),
    ])
    func `a hop limit is read back, and -1 brings the first one back`(
        option: SocketOption<Int>, family: AddressFamily, limits: [Int]
    ) throws {
        let socket = try datagrams(family)
        let readings = try socket.readings(of: option, setTo: limits + [-1])
        #expect(Array(readings[1...2]) == limits)
        #expect(readings[3] == readings[0])
        #expect(throws: SocketError(.setOption, .invalidArgument)) {
            try socket.set(option, to: 256)
        }
    }

    @Test(arguments: [
        (SocketOption<Int>.ipv4MinimumHopLimit, AddressFamily.ipv4), (.ipv6MinimumHopLimit, .ipv6),
    ])
    func `the smallest hop limit is none until it is set`(
        option: SocketOption<Int>, family: AddressFamily
    ) throws {
        let socket = try Socket(family: family, kind: .stream)
        let readings = try socket.readings(of: option, setTo: [255, 0])
        #expect(readings == [0, 255, 0])
    }

    @Test(arguments: [
        (SocketOption<TrafficClass>.ipv4TrafficClass, AddressFamily.ipv4),
        (.ipv6TrafficClass, .ipv6),
    ])
    func `a traffic class is standard until it is set`(
        option: SocketOption<TrafficClass>, family: AddressFamily
    ) throws {
        let classes = [TrafficClass.expedited, .lowerEffort, TrafficClass(rawValue: 0xFF)]
        let readings = try datagrams(family).readings(of: option, setTo: classes)
        #expect(readings == [.standard] + classes)
        // The two lower bits of TCP are the kernel's.
        let stream = try Socket(family: family, kind: .stream)
        let ofStream = try stream.readings(of: option, setTo: classes)
        #expect(ofStream.last == TrafficClass(codePoint: 63))
    }

    @Test func `a traffic class is a code point and a mark`() {
        #expect(TrafficClass.expedited.rawValue == 0xB8)
        #expect(TrafficClass(rawValue: 0xBB).congestionMark == 3)
        #expect(TrafficClass(rawValue: 0xBB).codePoint == 46)
    }

    @Test(arguments: [
        (SocketOption<PathMTUDiscovery>.ipv4PathMTUDiscovery, AddressFamily.ipv4),
        (.ipv6PathMTUDiscovery, .ipv6),
    ])
    func `each way to find the path's limit can be chosen`(
        option: SocketOption<PathMTUDiscovery>, family: AddressFamily
    ) throws {
        let socket = try datagrams(family)
        let ways = [
            PathMTUDiscovery.never, .byRoute, .always, .probe, .interface, .interfaceCutting,
        ]
        let readings = try socket.readings(of: option, setTo: ways)
        #expect(Array(readings.dropFirst()) == ways)
        #expect(throws: SocketError(.setOption, .invalidArgument)) {
            try socket.set(option, to: PathMTUDiscovery(rawValue: 99))
        }
    }

    @Test func `the path's limit is known once there is a peer`() throws {
        let socket = try datagrams()
        let socket6 = try datagrams(.ipv6)
        #expect(throws: SocketError(.getOption, .notConnected)) {
            _ = try socket.get(.ipv4PathMTU)
        }
        #expect(throws: SocketError(.getOption, .notConnected)) {
            _ = try socket6.get(.ipv6PathMTU)
        }
        _ = try socket.connect(to: .loopback(port: 9))
        let limit = try socket.get(.ipv4PathMTU)
        #expect(limit >= 1_280)
    }

    @Test func `options of the header are bytes`() throws {
        let socket = try datagrams()
        // Nothing, nothing, nothing, the end. Source: RFC 791, 3.1.
        let readings = try socket.readings(of: .ipv4Options, setTo: [[1, 1, 1, 0], []])
        #expect(readings == [[], [1, 1, 1, 0], []])
        #expect(throws: SocketError(.setOption, .invalidArgument)) {
            try socket.set(.ipv4Options, to: Array(repeating: 1, count: 41))
        }
    }

    // MARK: Interfaces

    @Test(arguments: [
        (SocketOption<UInt32>.ipv4UnicastInterface, AddressFamily.ipv4),
        (.ipv6UnicastInterface, .ipv6), (.ipv6MulticastInterface, .ipv6),
    ])
    func `an interface to send by is any until it is set`(
        option: SocketOption<UInt32>, family: AddressFamily
    ) throws {
        let socket = try datagrams(family)
        let loopback = if_nametoindex("lo")
        let readings = try socket.readings(of: option, setTo: [loopback, 0])
        #expect(readings == [0, loopback, 0])
    }

    @Test func `groups are sent to by an interface with an address or index`() throws {
        let socket = try datagrams()
        let readings = try socket.readings(
            of: .ipv4MulticastInterface,
            setTo: [.address(.loopback), .byRoute, .index(if_nametoindex("lo"))])
        #expect(readings == [.byRoute, .address(.loopback), .byRoute, .byRoute])
        #expect(throws: SocketError(.setOption, .invalidArgument)) {
            try socket.set(.ipv4MulticastInterface, to: .address(.loopback6))
        }
        for foreign in [MulticastInterface.address(.v4(0xC000_0201)), .index(.max)] {
            #expect(throws: SocketError(.setOption, .addressNotAvailable)) {
                try socket.set(.ipv4MulticastInterface, to: foreign)
            }
        }
    }

    // MARK: Ports

    @Test func `the kernel chooses a port from the range that is set`() throws {
        let socket = try Socket(for: .loopback(port: 0))
        // Linux 6.3.
        guard try socket.reading(of: .localPortRange, setTo: 45_000...45_063) != nil else { return }
        try socket.bind(to: .loopback(port: 0))
        let port = try socket.localAddress.port
        #expect((45_000...45_063).contains(port ?? 0))
    }

    @Test func `a range of ports may be open at each end`() throws {
        let socket = try Socket(for: .loopback(port: 0))
        guard try socket.reading(of: .localPortRange, setTo: nil) != nil else { return }
        let ranges: [ClosedRange<UInt16>?] = [
            40_000...50_000, 0...50_000, 40_000...UInt16.max, 40_000...40_000, nil,
        ]
        let readings = try socket.readings(of: .localPortRange, setTo: ranges)
        #expect(readings == [nil] + ranges)
    }

    // MARK: UDP

    // P9
    @Test(arguments: [
        SocketOption<Bool>.datagramCork, .joinsDatagrams, .ipv4NoSendChecksum,
        .ipv6NoSendChecksum, .ipv6NoReceiveChecksum,
    ])
    func `a flag of UDP is off until it is set`(flag: SocketOption<Bool>) throws {
        let socket = try datagrams(.ipv6)
        let readings = try socket.readings(of: flag, setTo: [true, false])
        #expect(readings == [false, true, false])
    }

    @Test func `a corked socket sends one datagram`() throws {
        let receiver = try datagrams()
        try receiver.bind(to: .loopback(port: 0))
        let sender = try datagrams()
        _ = try sender.connect(to: try receiver.localAddress)
        try sender.set(.datagramCork, to: true)
        try sender.sendAll("ab")
        try sender.sendAll("cd")
        let before = try receiver.receive(upTo: 9)
        try sender.set(.datagramCork, to: false)
        let after = try receiver.receive(upTo: 9)
        #expect(before == nil)
        #expect(after?.text == "abcd")
    }

    @Test func `a length of segments cuts what is sent`() throws {
        let receiver = try datagrams()
        try receiver.bind(to: .loopback(port: 0))
        let sender = try datagrams()
        _ = try sender.connect(to: try receiver.localAddress)
        let readings = try sender.readings(of: .segmentByteCount, setTo: [2])
        try sender.sendAll("abcde")
        var texts: [String] = []
        while let bytes = try receiver.receive(upTo: 9) { texts.append(bytes.text) }
        #expect(readings == [0, 2])
        #expect(texts == ["ab", "cd", "e"])
        for length in [-1, 65_536] {
            #expect(throws: SocketError(.setOption, .invalidArgument)) {
                try sender.set(.segmentByteCount, to: length)
            }
        }
    }

    @Test(arguments: [SocketOption<Int>.sendChecksumCoverage, .receiveChecksumCoverage])
    func `a checksum covers a part at most as small as the header`(
        option: SocketOption<Int>
    ) throws {
        // Newer kernels have no UDP-Lite.
        let socket = try Socket.opened(family: .ipv4, kind: .datagram, protocol: .udpLite)
        let readings = try socket?.readings(of: option, setTo: [1, 20])
        #expect(readings == nil || readings == [0, 8, 20])
    }

    // MARK: Raw sockets

    @Test func `types of ICMP are let through until they are blocked`() throws {
        guard let socket = try Socket.opened(family: .ipv4, kind: .raw, protocol: .icmp) else {
            return
        }
        let readings = try socket.readings(of: .icmpBlockedTypes, setTo: [[0, 8, 31], []])
        #expect(readings == [[], [0, 8, 31], []])
        #expect(throws: SocketError(.setOption, .invalidArgument)) {
            try socket.set(.icmpBlockedTypes, to: [32])
        }
    }

    @Test func `types of ICMPv6 are let through until they are blocked`() throws {
        guard let socket = try Socket.opened(family: .ipv6, kind: .raw, protocol: .icmp6) else {
            return
        }
        let all = Set(UInt8.min...UInt8.max)
        let readings = try socket.readings(
            of: .icmp6BlockedTypes, setTo: [[0, 31, 32, 128, 255], all, []])
        #expect(readings == [[], [0, 31, 32, 128, 255], all, []])
    }

    @Test(arguments: [SocketOption<Bool>.ipv4HeaderIncluded, .ipv4NoDefragmentation])
    func `a flag of raw sockets is off until it is set`(flag: SocketOption<Bool>) throws {
        let socket = try Socket.opened(family: .ipv4, kind: .raw, protocol: .icmp)
        let readings = try socket?.readings(of: flag, setTo: [true, false])
        #expect(readings == nil || readings == [false, true, false])
    }

    // MARK: Other kinds of sockets

    // P28, P36
    @Test(arguments: [
        SocketOption<Bool>.ipv6Only, .ipv6ReceivesErrors, .datagramCork, .joinsDatagrams,
    ])
    func `an option of another protocol is refused both ways`(flag: SocketOption<Bool>) throws {
        let socket = try Socket(for: .loopback(port: 0))
        #expect(throws: SocketError(.getOption, .notSupported)) { _ = try socket.get(flag) }
        #expect(throws: SocketError(.setOption, .noProtocolOption)) {
            try socket.set(flag, to: true)
        }
    }
}
