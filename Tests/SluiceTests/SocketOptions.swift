// SPDX-License-Identifier: Apache-2.0
//
// Options by typed keys: what is set is what the kernel then says.
// Times are whole seconds there, so the rounding is tested as well.

import Sluice
import TestSupport
import Testing

@Suite(.countingDescriptors)
struct SocketOptions {
    // MARK: Flags

    @Test func `reuse of an address is off until it is set`() throws {
        try expectFlag(.reuseAddress, on: Socket(for: .loopback(port: 0)))
    }

    @Test func `sharing a port is off until it is set`() throws {
        try expectFlag(.reusePort, on: Socket(for: .loopback(port: 0)))
    }

    @Test func `sending without delay is off until it is set`() throws {
        try expectFlag(.noDelay, on: Socket(for: .loopback(port: 0)))
    }

    @Test func `keep-alive is off until it is set`() throws {
        try expectFlag(.keepAlive, on: Socket(for: .loopback(port: 0)))
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

    @Test func `an option that is read-only is refused`() throws {
        let socket = try Socket(for: .loopback(port: 0))
        #expect(throws: SocketError(.setOption, .noProtocolOption)) {
            try socket.set(.isListening, to: true)
        }
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

/// Expects a flag to be off, then on, then off again, as it is set.
private func expectFlag(_ flag: SocketOption<Bool>, on socket: consuming Socket) throws {
    let initial = try socket.get(flag)
    try socket.set(flag, to: true)
    let on = try socket.get(flag)
    try socket.set(flag, to: false)
    let off = try socket.get(flag)
    #expect([initial, on, off] == [false, true, false])
}
