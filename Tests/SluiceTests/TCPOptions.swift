// SPDX-License-Identifier: Apache-2.0
//
// The options of TCP by typed keys, and what the kernel tells of a connection.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct TCPOptions {
    // MARK: Flags and numbers

    // P9, P28, P36
    @Test(arguments: [
        SocketOption<Bool>.cork, .thinLinearTimeouts, .receivesUnreadByteCount,
        .fastOpenWithoutCookie, .keepsFirstPacket,
    ])
    func `a flag of TCP is off until it is set`(flag: SocketOption<Bool>) throws {
        let socket = try Socket(for: .loopback(port: 0))
        let readings = try socket.readings(of: flag, setTo: [true, false])
        #expect(readings == [false, true, false])
    }

    @Test func `acknowledging at once can be switched off and on`() throws {
        let socket = try Socket(for: .loopback(port: 0))
        let readings = try socket.readings(of: .quickAcknowledgement, setTo: [false, true])
        #expect(readings == [true, false, true])
    }

    @Test func `a connect with data is allowed, or the machine says no`() throws {
        let socket = try Socket(for: .loopback(port: 0))
        do throws(SocketError) {
            let readings = try socket.readings(of: .fastOpenConnect, setTo: [true, false])
            #expect(readings == [false, true, false])
        } catch {
            #expect(error == SocketError(.setOption, .notSupported))
        }
    }

    // P28, P36
    @Test(arguments: [
        (SocketOption<Int>.unsentLowMark, 16_384), (.maximumSegmentByteCount, 1_000),
        (.windowClampByteCount, 100_000), (.connectRetries, 3), (.fastOpenBacklog, 5),
        (.keepAliveProbes, 127),
    ])
    func `a number of TCP is read back as it was set`(
        option: SocketOption<Int>, number: Int
    ) throws {
        let socket = try Socket(for: .loopback(port: 0))
        let readings = try socket.readings(of: option, setTo: [number])
        #expect(readings[0] != number)
        #expect(readings[1] == number)
    }

    @Test(arguments: [
        (SocketOption<Int>.maximumSegmentByteCount, 1), (.connectRetries, 256),
        (.keepAliveProbes, 0), (.unsentLowMark, .min), (.connectRetries, .max),
    ])
    func `a number out of bounds never traps`(option: SocketOption<Int>, number: Int) throws {
        let socket = try Socket(for: .loopback(port: 0))
        do throws(SocketError) {
            try socket.set(option, to: number)
        } catch {
            #expect(error == SocketError(.setOption, .invalidArgument))
        }
    }

    // MARK: Times

    @Test func `data may stay unacknowledged as the kernel has it, until a time is set`() throws {
        let socket = try Socket(for: .loopback(port: 0))
        let readings = try socket.readings(
            of: .userTimeout, setTo: [.seconds(5), .microseconds(1_001), .nanoseconds(1), nil])
        #expect(readings == [nil, .seconds(5), .milliseconds(2), .milliseconds(1), nil])
        for time in [Duration.zero, .seconds(-1), .seconds(Int64.min)] {
            #expect(throws: SocketError(.setOption, .invalidArgument)) {
                try socket.set(.userTimeout, to: time)
            }
        }
        try socket.set(.userTimeout, to: .seconds(Int64.max))
        let longest = try socket.get(.userTimeout)
        #expect(longest == .milliseconds(Int(CInt.max)))
    }

    @Test func `the peer's close is waited for as long as is set`() throws {
        let socket = try Socket(for: .loopback(port: 0))
        let readings = try socket.readings(
            of: .closingTimeout, setTo: [.milliseconds(1_500), nil, .seconds(7_200), .zero])
        let initial = readings[0]
        #expect(readings == [initial, .seconds(2), nil, .seconds(120), initial])
        #expect(initial != nil)
    }

    @Test func `a connection is told of late, and the kernel rounds up`() throws {
        let socket = try Socket(for: .loopback(port: 0))
        let readings = try socket.readings(of: .deferAccept, setTo: [.seconds(5), .zero])
        #expect(readings[0] == .zero)
        #expect((.seconds(5)...(.seconds(15))).contains(readings[1]))
        #expect(readings[2] == .zero)
    }

    @Test func `packets are held back for whole microseconds`() throws {
        let socket = try Socket(for: .loopback(port: 0))
        let time = try socket.reading(of: .transmitDelay, setTo: .nanoseconds(1_499_001))
        #expect(time == nil || time == .microseconds(1_500))
    }

    // MARK: Texts and bytes

    // P28, P36
    @Test func `the algorithm of a connection has a name`() throws {
        let socket = try Socket(for: .loopback(port: 0))
        let readings = try socket.readings(of: .congestionControl, setTo: ["reno"])
        #expect(!readings[0].isEmpty)
        #expect(readings[1] == "reno")
    }

    @Test(arguments: [
        ("reno\0", ErrorCode.invalidArgument), ("re\0no", .invalidArgument),
        ("sixteen-letters!", .nameTooLong), ("fifteen-letters", .noEntry),
        (String(repeating: "\u{E9}", count: 8), .nameTooLong),
    ])
    func `an algorithm that there is not is refused`(name: String, code: ErrorCode) throws {
        let socket = try Socket(for: .loopback(port: 0))
        #expect(throws: SocketError(.setOption, code)) {
            try socket.set(.congestionControl, to: name)
        }
    }

    @Test func `nothing works on the bytes until it is asked for`() throws {
        let socket = try Socket(for: .loopback(port: 0))
        let name = try socket.get(.upperProtocol)
        #expect(name == "")
    }

    @Test func `the key of cookies is bytes`() throws {
        let socket = try Socket(for: .loopback(port: 0))
        let key = Array(UInt8(0)..<16)
        try socket.set(.fastOpenKey, to: key)
        let read = try socket.get(.fastOpenKey)
        #expect(read == key)
        #expect(throws: SocketError(.setOption, .invalidArgument)) {
            try socket.set(.fastOpenKey, to: [1, 2, 3])
        }
    }

    @Test func `the first packet of a connection is kept once`() throws {
        let listener = try Socket.listening()
        try listener.set(.keepsFirstPacket, to: true)
        let client = try Socket.connecting(to: try listener.localAddress)
        guard let accepted = try listener.accept() else {
            throw SocketError(.accept, .wouldBlock)
        }
        let packet = try accepted.socket.get(.firstPacket)
        let again = try accepted.socket.get(.firstPacket)
        // IPv4 with a header of 20 bytes, and the header of TCP after it.
        #expect(packet.first == 0x45)
        #expect(packet.count >= 40)
        #expect(again == [])
        try client.close()
    }

    // MARK: How a connection does

    // P9, P28
    @Test func `a connection tells what it has moved`() throws {
        let ends = try TCPEnds()
        let bytes = [UInt8](repeating: 7, count: 1_000)
        let sent = try ends.client.send(bytes.span.bytes)
        let received = try ends.server.receive(upTo: 1_000)
        let client = try ends.client.get(.tcpInfo)
        let server = try ends.server.get(.tcpInfo)
        #expect(sent == .bytes(1_000))
        #expect(received?.count == 1_000)
        #expect(client.state == .established)
        #expect(server.state == .established)
        #expect(client.sentByteCount == 1_000)
        #expect(client.retransmittedByteCount == 0)
        #expect(client.unsentByteCount == 0)
        #expect(server.receivedByteCount == 1_000)
        #expect(server.sentByteCount == 0)
    }

    @Test func `a connection tells of times and windows that make sense`() throws {
        let ends = try TCPEnds()
        let info = try ends.client.get(.tcpInfo)
        #expect(info.congestion == .open)
        #expect((.zero...(.seconds(1))).contains(info.roundTripTime))
        #expect(info.retransmissionTimeout > .zero)
        #expect(info.congestionWindow > 0)
        #expect(info.sendSegmentByteCount > 0)
        #expect(info.pathMTU >= info.sendSegmentByteCount)
        #expect(info.lostCount == 0)
        #expect(info.totalRetransmitCount == 0)
    }

    @Test func `a connection tells that the peer has closed`() throws {
        let server = try TCPEnds().closingClient()
        let state = try server.get(.tcpInfo).state
        #expect(state == .closeWait)
        #expect(state.description == "closeWait")
    }

    @Test func `a listener tells how many wait`() throws {
        let listener = try Socket.listening()
        let client = try Socket.connecting(to: try listener.localAddress)
        let info = try listener.get(.tcpInfo)
        #expect(info.state == .listening)
        #expect(info.unacknowledgedCount == 1)
        #expect(info.selectivelyAcknowledgedCount == 4)
        try client.close()
    }

    @Test func `a socket that is not connected is closed`() throws {
        let state = try Socket(for: .loopback(port: 0)).get(.tcpInfo).state
        #expect(state == .closed)
    }

    @Test func `what an older kernel does not tell is nil`() throws {
        var bytes = [UInt8](repeating: 0, count: 104)
        (bytes[0], bytes[68], bytes[80]) = (1, 250, 10)
        let told = TCPInfo(bytes.span.bytes)
        let info = try #require(told)
        #expect(info.state == .established)
        #expect(info.roundTripTime == .microseconds(250))
        #expect(info.congestionWindow == 10)
        #expect(info.pacingRate == nil)
        #expect(info.minimumRoundTripTime == nil)
        #expect(info.sentByteCount == nil)
        #expect(info.peerWindowByteCount == nil)
    }

    @Test(arguments: [0, 1, 8, 103])
    func `an answer that is too short is none`(byteCount: Int) {
        let bytes = [UInt8](repeating: 1, count: byteCount)
        let info = TCPInfo(bytes.span.bytes)
        #expect(info == nil)
    }

    @Test(arguments: 104...240)
    func `an answer may end anywhere`(byteCount: Int) throws {
        let bytes = [UInt8](repeating: 1, count: byteCount)
        let told = TCPInfo(bytes.span.bytes)
        let info = try #require(told)
        #expect(info.receivedByteCount == (byteCount < 136 ? nil : 0x0101_0101_0101_0101))
        #expect((info.minimumRoundTripTime == nil) == (byteCount < 152))
        #expect((info.deliveryRate == nil) == (byteCount < 168))
        #expect((info.busyTime == nil) == (byteCount < 176))
        #expect((info.peerWindowByteCount == nil) == (byteCount < 232))
    }

    @Test func `what was not measured or has no limit is nil`() throws {
        let bytes = [UInt8](repeating: 0xFF, count: 240)
        let told = TCPInfo(bytes.span.bytes)
        let info = try #require(told)
        #expect(info.minimumRoundTripTime == nil)
        #expect(info.maximumPacingRate == nil)
        #expect(info.state.description == "state 255")
    }
}
