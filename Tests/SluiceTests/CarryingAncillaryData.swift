// SPDX-License-Identifier: Apache-2.0
//
// What goes beside the bytes of a message: its layout both ways, and what the kernel makes of it.

import Glibc
import TestSupport
import Testing

@testable import Sluice

/// Whether this machine has an IPv6 loopback address.
private let hasIPv6: Bool = {
    let address = SocketAddress.ip(.loopback6, port: 0)
    do {
        try Socket(for: address, kind: .datagram).bind(to: address)
        return true
    } catch {
        return false
    }
}()

/// Room for anything that these tests receive.
private let room = 512

@Suite(.countingDescriptors)
struct CarryingAncillaryData {
    // MARK: Layout

    // N26
    @Test(arguments: Array(0...40))
    func `an item has a header, and takes room up to the next whole word`(count: Int) throws {
        let length = try AncillaryItem.byteCount(ofData: count)
        let space = try AncillaryItem.space(forData: count)
        #expect(length == 16 + count)
        #expect(space == 16 + (count + 7) / 8 * 8)
        let item = AncillaryItem(level: 1, type: 2, data: pattern(count))
        #expect(AncillaryItem.write([item]).count == space)
    }

    // P5, N26
    @Test(arguments: [-1, Int.min, Int(CInt.max) + 1, Int.max])
    func `sizes out of bounds are refused`(count: Int) {
        let error = SocketError(.read, .invalidArgument)
        #expect(throws: error) { _ = try AncillaryItem.byteCount(ofData: count) }
        #expect(throws: error) { _ = try AncillaryItem.space(forData: count) }
    }

    @Test func `the largest size is counted`() throws {
        let space = try AncillaryItem.space(forData: Int(CInt.max))
        #expect(space == 16 + (1 << 31))
    }

    // N26
    @Test func `items are laid out one behind the other, as C does it`() {
        let bytes = AncillaryItem.write([
            AncillaryItem(level: 1, type: 2, data: [7, 8, 9]),
            AncillaryItem(level: 0x0102, type: 0x0304, data: []),
        ])
        let first: [UInt8] = [19, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 7, 8, 9]
        let second: [UInt8] = [16, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0, 0, 4, 3, 0, 0]
        #expect(bytes == first + [0, 0, 0, 0, 0] + second)
    }

    // N26
    @Test func `what was laid out is read back`() {
        let items = (0..<20).map { AncillaryItem(level: $0, type: -$0, data: pattern(Int($0))) }
        let content = AncillaryItem.write(items).withUnsafeBytes { AncillaryItem.read($0) }
        #expect(content.items == items)
        #expect(content.descriptors.isEmpty)
    }

    // N27
    @Test func `of descriptors whole numbers count`() {
        for extra in 0..<4 {
            let data: [UInt8] = [5, 0, 0, 0, 6, 0, 0, 0] + [UInt8](repeating: 1, count: extra)
            let bytes = AncillaryItem.write([
                AncillaryItem(level: SOL_SOCKET, type: 1, data: data),
                AncillaryItem(level: 9, type: 9, data: [9]),
            ])
            let content = bytes.withUnsafeBytes { AncillaryItem.read($0) }
            #expect(content.descriptors == [5, 6])
            #expect(content.items == [AncillaryItem(level: 9, type: 9, data: [9])])
        }
    }

    @Test func `what is cut off or says a wrong length ends the items`() {
        let items = (10..<14).map { AncillaryItem(level: $0, type: 1, data: pattern(5)) }
        let bytes = AncillaryItem.write(items)
        for count in 0...bytes.count {
            let read = bytes[..<count].withUnsafeBytes { AncillaryItem.read($0).items }
            #expect(read == Array(items.prefix((count + 3) / 24)))
        }
        for length in [0, 1, 15, 121, 1 << 40] as [UInt64] {
            var wrong = bytes
            wrong.replaceSubrange(24..<32, with: withUnsafeBytes(of: length) { Array($0) })
            let read = wrong.withUnsafeBytes { AncillaryItem.read($0).items }
            #expect(read == [items[0]])
        }
    }

    @Test func `no bytes whatever trap`() {
        var lottery = Lottery(seed: 26)
        for _ in 0..<20_000 {
            var bytes = (0..<Int.random(in: 0...80, using: &lottery)).map { _ in
                UInt8.random(in: 0...255, using: &lottery)
            }
            // Lengths that may be true lead deeper into the items than chance does.
            for place in stride(from: 0, to: bytes.count - 8, by: 24) {
                let length: [UInt8] = [
                    UInt8.random(in: 0...40, using: &lottery), 0, 0, 0, 0, 0, 0, 0,
                ]
                bytes.replaceSubrange(place..<place + 8, with: length)
            }
            let content = bytes.withUnsafeBytes { AncillaryItem.read($0) }
            #expect(content.items.count <= 5)
            for item in content.items {
                _ = (item.hopLimit, item.trafficClass, item.packetInfo, item.joinedByteCount)
                _ = (item.lostCount, item.timestamp, item.credentials)
            }
        }
    }

    @Test func `an item of another kind, or one that is too short, is none of these`() {
        for data in [[], [1], [1, 2, 3]] as [[UInt8]] {
            let item = AncillaryItem(level: CInt(IPPROTO_IP), type: IP_TTL, data: data)
            #expect(item.hopLimit == nil)
            #expect(item.trafficClass == nil)
            #expect(item.packetInfo == nil)
        }
        let other = AncillaryItem(level: 77, type: IP_TTL, data: [9, 0, 0, 0])
        #expect(other.hopLimit == nil)
        #expect(other.timestamp == nil)
        #expect(other.lostCount == nil)
        #expect(other.joinedByteCount == nil)
        #expect(other.credentials == nil)
    }

    // MARK: IP

    // P9, P28, N26
    @Test func `the hop limit of a datagram is set and told`() throws {
        let ends = try DatagramEnds()
        try ends.receiver.set(.ipv4ReceivesHopLimit, to: true)
        let message = try ends.carry([.hopLimit(7, for: .ipv4)])
        #expect(message.items.compactMap(\.hopLimit) == [7])
    }

    // N26
    @Test(.enabled(if: hasIPv6), arguments: [7, 255, 0] as [UInt8])
    func `the hop limit of an IPv6 datagram is set and told`(hops: UInt8) throws {
        let ends = try DatagramEnds(.loopback6)
        try ends.receiver.set(.ipv6ReceivesHopLimit, to: true)
        let message = try ends.carry([.hopLimit(hops, for: .ipv6)])
        #expect(message.items.compactMap(\.hopLimit) == [Int(hops)])
    }

    // N26
    @Test func `the traffic class of a datagram is set and told`() throws {
        let ends = try DatagramEnds()
        try ends.receiver.set(.ipv4ReceivesTrafficClass, to: true)
        let message = try ends.carry([.trafficClass(.expedited, for: .ipv4)])
        #expect(message.items.compactMap(\.trafficClass) == [.expedited])
    }

    // N26
    @Test(.enabled(if: hasIPv6))
    func `the traffic class of an IPv6 datagram is set and told`() throws {
        let ends = try DatagramEnds(.loopback6)
        try ends.receiver.set(.ipv6ReceivesTrafficClass, to: true)
        let message = try ends.carry([.trafficClass(.expedited, for: .ipv6)])
        #expect(message.items.compactMap(\.trafficClass) == [.expedited])
    }

    // N26
    @Test func `a datagram leaves from an address, and tells which one it came to`() throws {
        let ends = try DatagramEnds()
        try ends.receiver.set(.ipv4ReceivesPacketInfo, to: true)
        let interface = if_nametoindex("lo")
        let other = IPAddress.v4(0x7F00_0002)
        let message = try ends.carry([
            .packetInfo(PacketInfo(interface: interface, localAddress: other))
        ])
        #expect(message.sender?.ipAddress == other)
        let told = PacketInfo(interface: interface, localAddress: .loopback)
        #expect(message.items.compactMap(\.packetInfo) == [told])
    }

    // N26
    @Test(.enabled(if: hasIPv6))
    func `an IPv6 datagram tells which address it came to`() throws {
        let ends = try DatagramEnds(.loopback6)
        try ends.receiver.set(.ipv6ReceivesPacketInfo, to: true)
        let told = PacketInfo(interface: if_nametoindex("lo"), localAddress: .loopback6)
        let message = try ends.carry([.packetInfo(told)])
        #expect(message.items.compactMap(\.packetInfo) == [told])
    }

    // N26
    @Test func `several items go with one datagram`() throws {
        let ends = try DatagramEnds()
        try ends.receiver.set(.ipv4ReceivesHopLimit, to: true)
        try ends.receiver.set(.ipv4ReceivesTrafficClass, to: true)
        try ends.receiver.set(.receivesNanosecondTimestamp, to: true)
        let message = try ends.carry([
            .hopLimit(9, for: .ipv4), .trafficClass(.lowLatency, for: .ipv4),
        ])
        #expect(message.items.count == 3)
        #expect(message.items.compactMap(\.hopLimit) == [9])
        #expect(message.items.compactMap(\.trafficClass) == [.lowLatency])
        #expect(message.flags == [])
    }

    // N26
    @Test func `a message that is cut up comes as many`() throws {
        let ends = try DatagramEnds()
        let bytes = Array("abcdefgh".utf8)
        let result = try ends.sender.send(
            message: bytes.span.bytes, to: ends.address, with: [.segmentByteCount(3)])
        #expect(result == .bytes(8))
        let texts = try (0..<3).map { _ in try ends.receiver.arrived().text }
        #expect(texts == ["abc", "def", "gh"])
    }

    // P28
    @Test func `a datagram tells when it came, and how many were lost`() throws {
        let ends = try DatagramEnds()
        for option in [SocketOption.receivesTimestamp, .receivesLostCount] {
            try ends.receiver.set(option, to: true)
        }
        let first = try ends.carry([])
        #expect(first.items.compactMap(\.timestamp).count == 1)
        #expect(first.items.compactMap(\.timestamp).allSatisfy { $0 > .seconds(1_700_000_000) })
        try ends.receiver.set(.receiveBufferByteCount, to: 2_304)
        let long = String(repeating: "x", count: 1_000)
        for _ in 0..<100 { try ends.send(long) }
        while try ends.receiver.receive(upTo: 2_000) != nil {}
        let next = try ends.carry([])
        #expect(next.items.compactMap(\.lostCount).allSatisfy { (1..<100).contains($0) })
        #expect(next.items.compactMap(\.lostCount).count == 1)
    }

    // N26
    @Test func `what there is no room for is told as cut off`() throws {
        let ends = try DatagramEnds()
        try ends.receiver.set(.ipv4ReceivesHopLimit, to: true)
        try ends.receiver.set(.ipv4ReceivesTrafficClass, to: true)
        try ends.send("x")
        let none = try ends.receiver.arrived()
        #expect(none.items.isEmpty)
        #expect(none.flags == .controlTruncated)
        try ends.send("x")
        let some = try ends.receiver.arrived(ancillaryByteCount: AncillaryItem.space(forData: 4))
        #expect(some.items.count == 1)
        #expect(some.flags == .controlTruncated)
    }

    // P5
    @Test func `ancillary data that the kernel does not take is refused`() throws {
        let ends = try DatagramEnds()
        let byte: [UInt8] = [1]
        for item in [
            AncillaryItem(level: CInt(IPPROTO_IP), type: IP_TTL, data: [0, 1, 0, 0]),
            AncillaryItem(level: CInt(IPPROTO_IP), type: IP_PKTINFO, data: [1]),
        ] {
            #expect(throws: SocketError(.write, .invalidArgument, at: ends.address)) {
                _ = try ends.sender.send(
                    message: byte.span.bytes, to: ends.address, with: [item])
            }
        }
    }

    // P5, N26
    @Test func `a room out of bounds is refused or cut`() throws {
        let ends = try DatagramEnds()
        var buffers: [[UInt8]] = [[0]]
        #expect(throws: SocketError(.read, .invalidArgument)) {
            _ = try ends.receiver.receiveMessage(into: &buffers, ancillaryByteCount: -1)
        }
        try ends.send("x")
        let message = try ends.receiver.arrived(ancillaryByteCount: .max)
        #expect(message.text == "x")
    }

    // MARK: Unix sockets

    // N26
    @Test func `a message tells the process, user and group of its sender`() throws {
        let pair = try Socket.makePair()
        try pair.second.set(.receivesCredentials, to: true)
        try pair.first.sendAll("x")
        let told = try pair.second.arrived(ancillaryByteCount: room)
        #expect(told.items.map(\.credentials) == [own])
        let bytes = Array("own".utf8)
        _ = try pair.first.send(message: bytes.span.bytes, with: [.credentials(own)])
        let asked = try pair.second.arrived(ancillaryByteCount: room)
        #expect(asked.text == "own")
        #expect(asked.items.map(\.credentials) == [own])
    }

    // P5
    @Test func `credentials that are none are refused`() throws {
        let pair = try Socket.makePair()
        let byte: [UInt8] = [1]
        let item = AncillaryItem(level: SOL_SOCKET, type: 2, data: [1, 2, 3])
        #expect(throws: SocketError(.write, .invalidArgument)) {
            _ = try pair.first.send(message: byte.span.bytes, with: [item])
        }
    }

    private let own = PeerCredentials(processID: getpid(), userID: getuid(), groupID: getgid())
}

extension DatagramEnds {
    /// Sends a byte with these items, and gives what came.
    fileprivate func carry(_ items: [AncillaryItem]) throws -> ArrivedMessage {
        let byte: [UInt8] = [UInt8(ascii: "x")]
        let result = try sender.send(message: byte.span.bytes, to: address, with: items)
        #expect(result == .bytes(1))
        return try receiver.arrived(ancillaryByteCount: room)
    }
}
