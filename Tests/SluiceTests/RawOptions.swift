// SPDX-License-Identifier: Apache-2.0
//
// Options by C's numbers and by keys that a program makes, and answers of a length that nobody
// expects.

import Glibc
import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct RawOptions {
    private let socket: HeldSocket
    private let level = SOL_SOCKET

    init() throws { socket = HeldSocket(try Socket(for: .loopback(port: 0))) }

    // MARK: By numbers

    // P28, P36
    @Test func `an option is an integer`() throws {
        let before = try socket.socket.rawOption(level: level, name: SO_KEEPALIVE)
        try socket.socket.setRawOption(level: level, name: SO_KEEPALIVE, to: 1)
        let after = try socket.socket.rawOption(level: level, name: SO_KEEPALIVE)
        #expect(before == 0)
        #expect(after == 1)
    }

    // P28, P36
    @Test func `an option is bytes`() throws {
        let form: [UInt8] = [1, 0, 0, 0, 5, 0, 0, 0]
        try socket.socket.setRawOption(level: level, name: SO_LINGER, to: form)
        let bytes = try socket.socket.rawOption(level: level, name: SO_LINGER, upTo: 1_024)
        let linger = try socket.socket.get(.linger)
        #expect(bytes == form)
        #expect(linger == .on(.seconds(5)))
    }

    // P28
    @Test(arguments: 0...8)
    func `an answer is cut to its room`(byteCount: Int) throws {
        try socket.socket.set(.linger, to: .on(.seconds(5)))
        let bytes = try socket.socket.rawOption(level: level, name: SO_LINGER, upTo: byteCount)
        #expect(bytes == Array([1, 0, 0, 0, 5, 0, 0, 0].prefix(byteCount)))
    }

    // P28
    @Test(arguments: [-1, .min, .max, 1_048_577])
    func `room that can't be had is an error`(byteCount: Int) throws {
        #expect(throws: SocketError(.getOption, .invalidArgument)) {
            _ = try socket.socket.rawOption(level: level, name: SO_TYPE, upTo: byteCount)
        }
    }

    // P28
    @Test func `the most room there is does no harm`() throws {
        let bytes = try socket.socket.rawOption(level: level, name: SO_TYPE, upTo: 1_048_576)
        #expect(bytes.count == 4)
    }

    // P36
    @Test(arguments: [Int(CInt.max) + 1, Int(CInt.min) - 1, .max, .min])
    func `a number that C has no room for is an error`(number: Int) throws {
        #expect(throws: SocketError(.setOption, .invalidArgument)) {
            try socket.socket.setRawOption(level: level, name: SO_KEEPALIVE, to: number)
        }
    }

    // P36
    @Test(arguments: [0, 1, 3, 1_048_577])
    func `bytes of a wrong length are an error`(byteCount: Int) throws {
        #expect(throws: SocketError(.setOption, .invalidArgument)) {
            try socket.socket.setRawOption(
                level: level, name: SO_KEEPALIVE, to: Array(repeating: 1, count: byteCount))
        }
    }

    // P28, P36
    @Test(arguments: [(SOL_SOCKET, .max), (SOL_SOCKET, -1), (SOL_TCP, .min)] as [(CInt, CInt)])
    func `an option that there is not is an error`(level: CInt, name: CInt) throws {
        #expect(throws: SocketError(.getOption, .noProtocolOption)) {
            _ = try socket.socket.rawOption(level: level, name: name)
        }
        #expect(throws: SocketError(.getOption, .noProtocolOption)) {
            _ = try socket.socket.rawOption(level: level, name: name, upTo: 9)
        }
        #expect(throws: SocketError(.setOption, .noProtocolOption)) {
            try socket.socket.setRawOption(level: level, name: name, to: 1)
        }
        #expect(throws: SocketError(.setOption, .noProtocolOption)) {
            try socket.socket.setRawOption(level: level, name: name, to: [1, 0, 0, 0])
        }
    }

    // P36
    @Test func `what can only be read is refused by its number, too`() throws {
        #expect(throws: SocketError(.setOption, .noProtocolOption)) {
            try socket.socket.setRawOption(level: level, name: SO_ACCEPTCONN, to: 1)
        }
    }

    // MARK: By keys of the program's own

    // P28, P36
    @Test func `a program makes a key for an option`() throws {
        let idle = SocketOption<Duration>(level: SOL_TCP, name: TCP_KEEPIDLE, form: .seconds)
        let kind = ReadOnlySocketOption<Int>(level: level, name: SO_TYPE, form: .number)
        let room = WriteOnlySocketOption<Int>(level: level, name: SO_RCVBUF, form: .number)
        let readings = try socket.socket.readings(of: idle, setTo: [.seconds(30)])
        let number = try socket.socket.get(kind)
        try socket.socket.set(room, to: 50_000)
        let byteCount = try socket.socket.get(.receiveBufferByteCount)
        #expect(readings.last == .seconds(30))
        #expect(number == 1)
        #expect(byteCount == 100_000)
    }

    // P28, P36
    @Test func `a program makes a form for a structure`() throws {
        let form = SocketOptionForm<Seconds>(upTo: 8) { bytes in
            bytes.count == 8 ? Seconds(isOn: bytes[0] != 0, count: bytes[4]) : nil
        } encode: { value in
            [value.isOn ? 1 : 0, 0, 0, 0, value.count, 0, 0, 0]
        }
        let linger = SocketOption(level: level, name: SO_LINGER, form: form)
        let nine = Seconds(isOn: true, count: 9)
        let readings = try socket.socket.readings(of: linger, setTo: [nine])
        #expect(readings == [Seconds(isOn: false, count: 0), nine])
        let kind = SocketOption(level: level, name: SO_TYPE, form: form)
        #expect(throws: SocketError(.getOption, .noData)) { _ = try socket.socket.get(kind) }
    }

    // MARK: Answers

    @Test func `an answer that is too short for a value is an error`() throws {
        let wide = ReadOnlySocketOption<UInt64>(level: level, name: SO_TYPE, form: .number)
        let time = ReadOnlySocketOption<Duration?>(level: level, name: SO_TYPE, form: .timeValue)
        #expect(throws: SocketError(.getOption, .noData)) { _ = try socket.socket.get(wide) }
        #expect(throws: SocketError(.getOption, .noData)) { _ = try socket.socket.get(time) }
    }

    @Test(
        arguments: [
            ([], nil), ([1], true), ([0], false), ([1, 0], nil), ([0, 0, 1], nil),
            ([2, 0, 0, 0], true), ([0, 0, 0, 0], false), ([0, 1, 0, 0], true),
            ([0, 0, 0, 0, 1], false),
        ] as [([UInt8], Bool?)])
    func `a flag is one byte or an integer`(answer: [UInt8], expected: Bool?) {
        let flag = SocketOptionForm<Bool>.flag.value(of: answer)
        let number = SocketOptionForm<Int>.number.value(of: answer)
        #expect(flag == expected)
        #expect(number.map { $0 != 0 } == expected)
    }

    @Test(
        arguments: [
            ([], ""), ([0], ""), ([0x61], "a"), ([0x61, 0, 0x62], "a"), ([0xFF], "\u{FFFD}"),
        ] as [([UInt8], String)])
    func `a text ends with a zero or with the answer`(answer: [UInt8], expected: String) {
        let text = SocketOptionForm<String>.text(upTo: 16).value(of: answer)
        #expect(text == expected)
    }

    @Test(arguments: 0..<40)
    func `no structure is read from beyond its answer`(byteCount: Int) {
        let bytes = [UInt8](repeating: 0xFF, count: byteCount)
        #expect((SocketOptionForm<UInt32>.number.value(of: bytes) == nil) == (byteCount < 4))
        #expect((SocketOptionForm<UInt64>.number.value(of: bytes) == nil) == (byteCount < 8))
        #expect((SocketOptionForm<Linger>.linger.value(of: bytes) == nil) == (byteCount < 8))
        let peer = SocketOptionForm<PeerCredentials>.credentials.value(of: bytes)
        #expect((peer == nil) == (byteCount < 12))
        let memory = SocketOptionForm<SocketMemory>.memory.value(of: bytes)
        #expect((memory == nil) == (byteCount < 36))
        let groups = SocketOptionForm<[UInt32]>.numbers.value(of: bytes)
        #expect(groups?.count == byteCount / 4)
        #expect(SocketOptionForm<[UInt8]>.bytes(upTo: 9).value(of: bytes) == bytes)
    }

    @Test(
        arguments: [
            (UInt32(0), nil), (0xC350_0000, 0...50_000), (0x0000_9C40, 40_000...65_535),
            (0x0001_9C40, 40_000...40_000),
        ] as [(UInt32, ClosedRange<UInt16>?)])
    func `any answer is a range of ports or none`(
        number: UInt32, expected: ClosedRange<UInt16>?
    ) {
        let bytes = withUnsafeBytes(of: number) { Array($0) }
        let range = SocketOptionForm<ClosedRange<UInt16>?>.portRange.value(of: bytes)
        #expect(range == .some(expected))
    }

    // MARK: Failures

    // P6
    @Test func `a refused call is told with its code`() throws {
        for code in [ErrorCode.noBufferSpace, ErrorCode(rawValue: ERANGE)] {
            SystemCall.failing(.getOption, with: code) {
                #expect(throws: SocketError(.getOption, code)) {
                    _ = try socket.socket.get(.peerSecurityContext)
                }
            }
            SystemCall.failing(.setOption, with: code) {
                #expect(throws: SocketError(.setOption, code)) {
                    try socket.socket.set(.noDelay, to: true)
                }
            }
        }
    }

    @Test func `a call that a signal interrupts is made again`() throws {
        let answers = Answers(.failure(.interrupted), to: [.getOption, .setOption]) { $0 % 2 == 1 }
        let flag = try answers.give {
            try socket.socket.set(.noDelay, to: true)
            return try socket.socket.get(.noDelay)
        }
        #expect(flag)
        #expect(answers.count == 4)
    }
}

/// A value of a program's own.
private struct Seconds: Equatable, Sendable {
    let isOn: Bool
    let count: UInt8
}

extension SocketOptionForm {
    /// The value of an answer of these bytes.
    fileprivate func value(of answer: [UInt8]) -> Value? { read(answer.span.bytes) }
}
