// SPDX-License-Identifier: Apache-2.0
//
// The options of every socket by typed keys: what is set is what the kernel then says.
// Times are whole units there, so the rounding is tested as well.

import Glibc
import Sluice
import TestSupport
import Testing

@Suite(.countingDescriptors)
struct SocketOptions {
    // MARK: Flags

    // P9, P28, P36
    @Test(arguments: [
        SocketOption<Bool>.reuseAddress, .reusePort, .noDelay, .keepAlive, .inlineUrgentData,
        .dontRoute, .selectErrorQueue,
    ])
    func `a flag of a stream is off until it is set`(flag: SocketOption<Bool>) throws {
        let socket = try Socket(for: .loopback(port: 0))
        let readings = try socket.readings(of: flag, setTo: [true, false])
        #expect(readings == [false, true, false])
    }

    // P9
    @Test(arguments: [
        SocketOption<Bool>.broadcast, .receivesTimestamp, .receivesNanosecondTimestamp,
        .receivesLostCount, .reuseAddress,
    ])
    func `a flag of datagrams is off until it is set`(flag: SocketOption<Bool>) throws {
        let socket = try Socket(family: .ipv4, kind: .datagram)
        let readings = try socket.readings(of: flag, setTo: [true, false])
        #expect(readings == [false, true, false])
    }

    @Test(arguments: [SocketOption<Bool>.debug, .preferBusyPoll, .receivesMark, .zeroCopy])
    func `a flag that needs rights or a newer kernel is set or refused`(
        flag: SocketOption<Bool>
    ) throws {
        let socket = try Socket(family: .ipv4, kind: .datagram)
        let reading = try socket.reading(of: flag, setTo: true)
        #expect(reading != false)
    }

    @Test func `of two kinds of timestamps the later one counts`() throws {
        let socket = try Socket(family: .ipv4, kind: .datagram)
        try socket.set(.receivesTimestamp, to: true)
        try socket.set(.receivesNanosecondTimestamp, to: true)
        let coarse = try socket.get(.receivesTimestamp)
        let fine = try socket.get(.receivesNanosecondTimestamp)
        #expect(!coarse)
        #expect(fine)
    }

    @Test func `an IPv6 socket can be kept to IPv6 alone and let go again`() throws {
        let socket = try Socket(for: .ip(.loopback6, port: 0))
        for value in [true, false, true] {
            try socket.set(.ipv6Only, to: value)
            let read = try socket.get(.ipv6Only)
            #expect(read == value)
        }
    }

    @Test func `a listening socket says so`() throws {
        let socket = try Socket(for: .loopback(port: 0))
        let before = try socket.get(.isListening)
        try socket.listen(backlog: 1)
        let after = try socket.get(.isListening)
        #expect(!before)
        #expect(after)
    }

    @Test func `an accepted socket inherits the listener's no-delay`() throws {
        let listener = try Socket(for: .loopback(port: 0))
        try listener.set(.noDelay, to: true)
        try listener.listen(backlog: 1)
        let client = try Socket.connecting(to: .loopback(port: try listener.localAddress.port ?? 0))
        let inherited = try listener.accept()?.socket.get(.noDelay)
        #expect(inherited == true)
        _ = client.number
    }

    // MARK: Numbers

    // N6
    @Test func `the number of keep-alive probes is nine until it is set`() throws {
        let socket = try Socket(for: .loopback(port: 0))
        let initial = try socket.get(.keepAliveProbes)
        try socket.set(.keepAliveProbes, to: 4)
        let changed = try socket.get(.keepAliveProbes)
        #expect(initial == 9)
        #expect(changed == 4)
    }

    @Test func `the kernel doubles the receive buffer that is set`() throws {
        let socket = try Socket(for: .loopback(port: 0))
        try socket.set(.receiveBufferByteCount, to: 50_000)
        let count = try socket.get(.receiveBufferByteCount)
        #expect(count == 100_000)
    }

    @Test func `the kernel doubles the send buffer that is set`() throws {
        let socket = try Socket(for: .loopback(port: 0))
        try socket.set(.sendBufferByteCount, to: 50_000)
        let count = try socket.get(.sendBufferByteCount)
        #expect(count == 100_000)
    }

    // P28, P36
    @Test func `numbers are read back as they were set`() throws {
        let socket = try Socket(for: .loopback(port: 0))
        let mark = try socket.readings(of: .receiveLowMark, setTo: [64])
        let priority = try socket.readings(of: .priority, setTo: [6, 0])
        #expect(mark == [1, 64])
        #expect(priority == [0, 6, 0])
    }

    @Test func `a number that may be missing is nil until it is set`() throws {
        let ends = try Socket.makePair()
        let offsets = try ends.first.readings(of: .peekOffset, setTo: [5, 0, nil])
        #expect(offsets == [nil, 5, 0, nil])
        let socket = try Socket(for: .loopback(port: 0))
        let rates = try socket.readings(of: .maximumPacingRate, setTo: [1_000_000, nil])
        #expect(rates == [nil, 1_000_000, nil])
        let cores = try socket.readings(of: .incomingCPU, setTo: [0, nil])
        #expect(cores == [nil, 0, nil])
    }

    @Test(arguments: [SocketOption<Int?>.peekOffset, .maximumPacingRate, .incomingCPU])
    func `a negative number that may be missing is refused`(option: SocketOption<Int?>) throws {
        let ends = try Socket.makePair()
        for number in [-1, .min] {
            #expect(throws: SocketError(.setOption, .invalidArgument)) {
                try ends.first.set(option, to: number)
            }
        }
    }

    @Test func `a peek begins where it was told to`() throws {
        let ends = try Socket.makePair()
        try ends.second.sendAll("abcdef")
        try ends.first.set(.peekOffset, to: 4)
        let peeked = try ends.first.receive(upTo: 2, flags: .peek)
        let next = try ends.first.get(.peekOffset)
        #expect(peeked?.text == "ef")
        #expect(next == 6)
    }

    @Test func `what needs rights is set or refused`() throws {
        let socket = try Socket(for: .loopback(port: 0))
        let mark = try socket.reading(of: .mark, setTo: 0xFFFF_FFFE)
        let wait = try socket.reading(of: .busyPoll, setTo: .nanoseconds(49_001))
        #expect(mark == nil || mark == 0xFFFF_FFFE)
        #expect(wait == nil || wait == .microseconds(50))
        for option in [
            WriteOnlySocketOption<Int>.forcedReceiveBufferByteCount, .forcedSendBufferByteCount,
            .busyPollBudget,
        ] {
            do throws(SocketError) {
                try socket.set(option, to: 16)
            } catch {
                #expect(error.isRefusal)
            }
        }
    }

    @Test func `a number larger than the kernel's int is cut, not trapped on`() throws {
        let socket = try Socket(for: .loopback(port: 0))
        #expect(throws: SocketError(.setOption, .invalidArgument)) {
            try socket.set(.keepAliveProbes, to: .max)
        }
        #expect(throws: SocketError(.setOption, .invalidArgument)) {
            try socket.set(.keepAliveProbes, to: .min)
        }
    }

    // MARK: Times

    @Test func `the time before the first probe is two hours until it is set`() throws {
        let socket = try Socket(for: .loopback(port: 0))
        let initial = try socket.get(.keepAliveIdle)
        try socket.set(.keepAliveIdle, to: .seconds(30))
        let changed = try socket.get(.keepAliveIdle)
        #expect(initial == .seconds(7_200))
        #expect(changed == .seconds(30))
    }

    @Test func `the time between probes is 75 seconds until it is set`() throws {
        let socket = try Socket(for: .loopback(port: 0))
        let initial = try socket.get(.keepAliveInterval)
        try socket.set(.keepAliveInterval, to: .seconds(11))
        let changed = try socket.get(.keepAliveInterval)
        #expect(initial == .seconds(75))
        #expect(changed == .seconds(11))
    }

    @Test(arguments: [
        (Duration.nanoseconds(1), 1), (.milliseconds(1), 1), (.milliseconds(999), 1),
        (.seconds(1), 1), (.milliseconds(1_001), 2), (.milliseconds(2_500), 3), (.seconds(3), 3),
        (.seconds(3) + .nanoseconds(1), 4),
    ])
    func `a time is rounded up to whole seconds`(time: Duration, seconds: Int) throws {
        let socket = try Socket(for: .loopback(port: 0))
        try socket.set(.keepAliveIdle, to: time)
        let read = try socket.get(.keepAliveIdle)
        #expect(read == .seconds(seconds))
    }

    @Test(arguments: [Duration.zero, .seconds(-1), .milliseconds(-1), .seconds(Int64.max)])
    func `a time that the kernel does not take is an error`(time: Duration) throws {
        let socket = try Socket(for: .loopback(port: 0))
        #expect(throws: SocketError(.setOption, .invalidArgument)) {
            try socket.set(.keepAliveIdle, to: time)
        }
    }

    @Test func `the longest time there is does not trap`() async {
        await #expect(processExitsWith: .success) {
            let longest = Duration.seconds(Int64.max) + .nanoseconds(1)
            let socket = try Socket(for: .loopback(port: 0))
            // The kernel's refusal is not the point here.
            try? socket.set(.keepAliveIdle, to: longest)
        }
    }

    // P28, P36
    @Test(arguments: [SocketOption<Duration?>.receiveTimeout, .sendTimeout])
    func `a time to wait is none until it is set`(option: SocketOption<Duration?>) throws {
        let socket = try Socket(for: .loopback(port: 0))
        let readings = try socket.readings(of: option, setTo: [.milliseconds(1_500), nil])
        #expect(readings.first == .some(nil))
        #expect(readings.last == .some(nil))
        // The kernel rounds up to its ticks.
        let time = try #require(readings[1])
        #expect((.milliseconds(1_500)...(.milliseconds(1_520))).contains(time))
    }

    @Test func `the shortest time to wait is not taken for none`() throws {
        let socket = try Socket(for: .loopback(port: 0))
        try socket.set(.receiveTimeout, to: .nanoseconds(1))
        let time = try #require(try socket.get(.receiveTimeout))
        #expect(time > .zero && time < .seconds(1))
        try socket.set(.receiveTimeout, to: .seconds(1) + .nanoseconds(999_999_999))
        let rounded = try #require(try socket.get(.receiveTimeout))
        #expect((.seconds(2)...(.milliseconds(2_020))).contains(rounded))
    }

    @Test(arguments: [Duration.zero, .nanoseconds(-1), .seconds(-1), .seconds(Int64.min)])
    func `a time to wait that is over is refused`(time: Duration) throws {
        let socket = try Socket(for: .loopback(port: 0))
        #expect(throws: SocketError(.setOption, .invalidArgument)) {
            try socket.set(.receiveTimeout, to: time)
        }
    }

    @Test func `the longest time to wait does not trap`() throws {
        let socket = try Socket(for: .loopback(port: 0))
        try socket.set(.sendTimeout, to: .seconds(Int64.max) + .nanoseconds(999_999_999))
        let time = try socket.get(.sendTimeout)
        #expect(time ?? .seconds(Int64.max) > .seconds(1_000_000))
    }

    @Test func `a blocking read gives up when its time is over`() throws {
        let ends = try Socket.makePair()
        try ends.first.setBlocking(true)
        try ends.first.set(.receiveTimeout, to: .milliseconds(1))
        let bytes = try ends.first.receive(upTo: 1)
        #expect(bytes == nil)
    }

    // MARK: Interfaces

    @Test func `a socket is bound to an interface by name or index`() throws {
        let loopback = if_nametoindex("lo")
        let named = try Socket(for: .loopback(port: 0))
        let name = try named.reading(of: .boundInterface, setTo: "lo")
        #expect(name == nil || name == "lo")
        let numbered = try Socket(for: .loopback(port: 0))
        let index = try numbered.reading(of: .boundInterfaceIndex, setTo: loopback)
        #expect(index == nil || index == loopback)
        let fresh = try Socket(for: .loopback(port: 0))
        let initial = try fresh.get(.boundInterface)
        #expect(initial == "")
    }

    @Test(arguments: [
        ("lo\0", ErrorCode.invalidArgument), ("sixteen-letters!", .nameTooLong),
        ("fifteen-letters", .noSuchDevice),
    ])
    func `a name that the kernel would cut is refused`(name: String, code: ErrorCode) throws {
        let socket = try Socket(for: .loopback(port: 0))
        #expect(throws: SocketError(.setOption, code)) {
            try socket.set(.boundInterface, to: name)
        }
    }

    // MARK: What a socket is

    // P9, N31
    @Test(arguments: [
        (AddressFamily.ipv4, SocketKind.stream, SocketProtocol.tcp),
        (.ipv6, .datagram, .udp), (.unix, .sequentialPacket, .usual),
    ])
    func `a socket tells its family, kind and protocol`(
        family: AddressFamily, kind: SocketKind, protocol: SocketProtocol
    ) throws {
        let socket = try Socket(family: family, kind: kind)
        let toldFamily = try socket.get(.family)
        let toldKind = try socket.get(.kind)
        let toldProtocol = try socket.get(.protocol)
        #expect(toldFamily == family)
        #expect(toldKind == kind)
        #expect(toldProtocol == `protocol`)
    }

    @Test func `each socket has a number of its own`() throws {
        let ends = try Socket.makePair()
        let first = try ends.first.get(.cookie)
        let again = try ends.first.get(.cookie)
        let second = try ends.second.get(.cookie)
        #expect(first == again)
        #expect(first != second)
        #expect(first != 0)
    }

    @Test func `a socket tells what memory it uses`() throws {
        let socket = try Socket(family: .ipv4, kind: .datagram)
        try socket.bind(to: .loopback(port: 0))
        _ = try socket.connect(to: try socket.localAddress)
        let before = try socket.get(.memory)
        try socket.sendAll("x")
        let after = try socket.get(.memory)
        let limit = try socket.get(.receiveBufferByteCount)
        #expect(before.receivedByteCount == 0)
        #expect(after.receivedByteCount > 0)
        #expect(after.receiveBufferByteCount == limit)
        #expect(after.dropCount == 0)
    }

    @Test func `what a socket can't have is zero or one`() throws {
        let socket = try Socket(for: .loopback(port: 0))
        let queue = try socket.get(.incomingQueueNumber)
        let mark = try socket.get(.sendLowMark)
        #expect(queue == 0)
        #expect(mark == 1)
    }

    // MARK: Lingering and errors

    @Test func `lingering is off until it is set`() throws {
        let socket = try Socket(for: .loopback(port: 0))
        for value in [Linger.on(.seconds(5)), .on(.zero), .off] {
            try socket.set(.linger, to: value)
            let read = try socket.get(.linger)
            #expect(read == value)
        }
        let initial = try Socket(for: .loopback(port: 0)).get(.linger)
        #expect(initial == .off)
    }

    @Test func `the time to linger is rounded up`() throws {
        let socket = try Socket(for: .loopback(port: 0))
        try socket.set(.linger, to: .on(.milliseconds(1_200)))
        let read = try socket.get(.linger)
        #expect(read == .on(.seconds(2)))
    }

    @Test func `a pending error is told once`() throws {
        let listener = try Socket(for: .loopback(port: 0))
        try listener.listen(backlog: 1)
        let client = try Socket.connecting(to: .loopback(port: try listener.localAddress.port ?? 0))
        if let accepted = try listener.accept() { try accepted.socket.resetOnClose() }
        let first = try client.get(.pendingError)
        let second = try client.get(.pendingError)
        #expect(first == .connectionReset)
        #expect(second == ErrorCode(rawValue: 0))
    }

    @Test func `an option of another family is refused both ways`() throws {
        let pair = try Socket.makePair()
        #expect(throws: SocketError(.setOption, .notSupported)) {
            try pair.first.set(.noDelay, to: true)
        }
        #expect(throws: SocketError(.getOption, .notSupported)) {
            _ = try pair.first.get(.noDelay)
        }
    }
}
