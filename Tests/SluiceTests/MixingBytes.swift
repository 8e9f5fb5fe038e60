// SPDX-License-Identifier: Apache-2.0
//
// Text that can't be decoded or encoded, and text beside bytes: nothing is lost, nothing is
// guessed.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct MixingBytes: ConnectionSuite {
    let ends: ConnectionEnds

    private func send(_ bytes: [UInt8]) throws {
        #expect(try ends.peer?.send(bytes.span.bytes) == .bytes(bytes.count))
    }

    private func undecodable(_ bytes: [UInt8], _ encoding: TextEncoding = .utf8) -> ChannelError {
        .text(.undecodable(bytes, encoding), at: "\(channel.peerAddress)")
    }

    // N9, A24
    @Test func `a strict line with bytes that are none is refused, and stays`() throws {
        try send([0x61, 0x62, 0xFF, 0x63, 0x0A])
        for _ in 0..<2 {
            let error = #expect(throws: ChannelError.self) { try channel.readLine() }
            #expect(error == undecodable([0xFF]))
            #expect(channel.unreadByteCount == 5)
        }
        #expect(try channel.readOnce().utf8.count > 4)
    }

    // N9
    @Test func `good lines come before a bad one`() throws {
        try send(Array("good\n".utf8) + [0xC3, 0x28, 0x0A])
        #expect(try channel.readLine() == "good")
        let error = #expect(throws: ChannelError.self) { try channel.readLine() }
        #expect(error == undecodable([0xC3]))
        #expect(channel.unreadByteCount == 3)
    }

    // N9
    @Test func `good characters come before bad bytes`() throws {
        try send([0x61, 0x62, 0xFF, 0x63])
        #expect(try channel.readText() == "ab")
        for _ in 0..<2 {
            let error = #expect(throws: ChannelError.self) { try channel.readText() }
            #expect(error == undecodable([0xFF]))
        }
        channel.options.text.errorPolicy = .replacing
        #expect(try channel.readText() == "\u{FFFD}c")
    }

    // N9
    @Test func `good characters of an earlier piece come before bad bytes`() throws {
        channel.options.isBlocking = true
        try send([0x61])
        #expect(try channel.read(characters: 1) == "a")
        try send([0x62, 0xFF])
        // A read that waited for more, in vain, would meet this end.
        try ends.peer?.shutDown(.writing)
        #expect(try channel.read(characters: 9) == "b")
        #expect(!channel.isAtEnd)
        #expect(throws: ChannelError.self) { try channel.read(characters: 9) }
        #expect(channel.unreadByteCount == 1)
    }

    // A24
    @Test func `bytes that are none can be stepped over by reading bytes`() throws {
        try send([0x61, 0xFF, 0x62, 0x0A])
        #expect(try channel.readText() == "a")
        #expect(throws: ChannelError.self) { try channel.readText() }
        let byte = Box<[UInt8]>([])
        try channel.read(upTo: 1) { byte.value = $0.array }
        #expect(byte.value == [0xFF])
        #expect(try channel.readLine() == "b")
    }

    // A24
    @Test(arguments: [("utf-8", [0x61, 0xFF, 0x0A]), ("ascii", [0x61, 0x80, 0x0A])])
    func `a replacing channel reads U+FFFD for them`(name: String, bytes: [Int]) throws {
        channel.options.text.encoding = try TextEncoding(named: name)
        channel.options.text.errorPolicy = .replacing
        try send(bytes.map { UInt8($0) })
        #expect(try channel.readLine() == "a\u{FFFD}")
    }

    // K17, N9
    @Test func `a character that the end cuts off is an error, and its bytes stay`() throws {
        try send([0x61, 0xE2, 0x82])
        #expect(try channel.readText() == "a")
        #expect(channel.unreadByteCount == 2)
        #expect(channel.isBlocked)
        ends.peer = nil
        for _ in 0..<2 {
            let error = #expect(throws: ChannelError.self) { try channel.readText() }
            #expect(error == undecodable([0xE2, 0x82]))
            #expect(channel.unreadByteCount == 2)
        }
        channel.options.text.errorPolicy = .replacing
        #expect(try channel.readText() == "\u{FFFD}")
        #expect(channel.isAtEnd)
    }

    // K17
    @Test func `a character is completed by bytes that come later`() throws {
        try send([0xE2, 0x82])
        #expect(try channel.readText() == "")
        #expect(channel.isBlocked)
        try send([0xAC])
        #expect(try channel.readText() == "\u{20AC}")
    }

    // N9
    @Test func `a handler of lines that meets bad bytes is told, behind the good lines`() throws {
        let errors = Box<[ChannelError?]>([])
        let lines = Box<[String]>([])
        reactor.onError = { error, _ in errors.value.append(error as? ChannelError) }
        channel.onLine { _, line in lines.value.append(line) }
        try send(Array("good\n".utf8) + [0xFF, 0x0A])
        reactor.expect("it closes") { !ends.endReasons.isEmpty }
        #expect(lines.value == ["good"])
        #expect(errors.value == [undecodable([0xFF])])
    }

    // A4, A24
    @Test(arguments: Buffering.allCases)
    func `a character that is too wide is refused with all of its text`(mode: Buffering) throws {
        channel.options.text.encoding = .latin1
        channel.options.buffering = mode
        let error = #expect(throws: ChannelError.self) { try channel.write("ab\u{100}") }
        #expect(error == .text(.unencodable("\u{100}", .latin1), at: "\(channel.peerAddress)"))
        #expect(throws: ChannelError.self) { try channel.writeLine("\u{20AC}") }
        #expect(throws: ChannelError.self) { try channel.print("a", "\u{20AC}") }
        #expect(channel.unsentByteCount == 0)
        try channel.write("\u{FF}\0")
        try channel.flush()
        #expect(try ends.receive(2) == [0xFF, 0])
    }

    // A24
    @Test(arguments: ["ascii", "iso8859-1", "iso2022-jp", "shiftjis"])
    func `a replacing channel writes a question mark for it`(name: String) throws {
        channel.options.text.encoding = try TextEncoding(named: name)
        channel.options.text.errorPolicy = .replacing
        try channel.writeLine("a\u{1F600}b")
        channel.close()
        #expect(try ends.receiveAll() == Array("a?b\n".utf8))
    }

    // A24
    @Test func `a refused text leaves the state of the encoding as it was`() throws {
        channel.options.text.encoding = try TextEncoding(named: "iso2022-jp")
        try channel.write("\u{65E5}")
        #expect(throws: ChannelError.self) { try channel.write("a\u{1F600}") }
        try channel.write("\u{672C}\n")
        channel.close()
        let expected: [UInt8] = [
            0x1B, 0x24, 0x42, 0x46, 0x7C, 0x4B, 0x5C, 0x1B, 0x28, 0x42, 0x0A,
        ]
        #expect(try ends.receiveAll() == expected)
    }

    /// A header line, and a body that begins with what could be a line's end.
    private static let message = Array("4 bytes\r\n".utf8) + [0x0A, 0x0D, 0x0A, 0xFF]

    // W3
    @Test(arguments: 0...message.count)
    func `a body of bytes follows a header line wherever it is cut`(cut: Int) throws {
        var header: String?
        var body: [UInt8] = []
        for part in [Self.message[..<cut], Self.message[cut...]] {
            try send(Array(part))
            if header == nil { header = try channel.readLine() }
            if header == nil { continue }
            while case .bytes = try channel.read({ body += $0.array }) {}
        }
        #expect(header == "4 bytes")
        #expect(body == [0x0A, 0x0D, 0x0A, 0xFF])
    }

    // W3, K11
    @Test(arguments: 0...message.count)
    func `a body of binary text follows a header line wherever it is cut`(cut: Int) throws {
        var header: String?
        var body = ""
        for part in [Self.message[..<cut], Self.message[cut...]] {
            try send(Array(part))
            if header == nil {
                header = try channel.readLine()
                if header != nil { channel.options.text.makeBinary() }
            }
            if header != nil { body += try channel.readText() }
        }
        #expect(header == "4 bytes")
        #expect(Array(body.unicodeScalars) == ["\n", "\r", "\n", "\u{FF}"])
    }

    // W3
    @Test(arguments: 0...message.count)
    func `a handler of lines may give way to one of bytes`(cut: Int) throws {
        let header = Box("")
        let body = Box<[UInt8]>([])
        channel.onLine { channel, line in
            header.value += line
            channel.onBytes { _, bytes in body.value += bytes.array }
        }
        for part in [Self.message[..<cut], Self.message[cut...]] {
            try send(Array(part))
            reactor.settle()
        }
        #expect(header.value == "4 bytes")
        #expect(body.value == [0x0A, 0x0D, 0x0A, 0xFF])
    }

    // W3
    @Test(arguments: 0...message.count)
    func `a handler of lines may give way to one that parses`(cut: Int) throws {
        let body = Box<[UInt8]>([])
        channel.onLine { channel, _ in
            channel.onReadable { channel in
                try channel.parse { bytes in
                    if bytes.byteCount == 4 { body.value = bytes.array }
                    return bytes.byteCount == 4 ? 4 : 0
                }
            }
        }
        for part in [Self.message[..<cut], Self.message[cut...]] {
            try send(Array(part))
            reactor.settle()
        }
        #expect(body.value == [0x0A, 0x0D, 0x0A, 0xFF])
    }

    // W3
    @Test func `text and bytes leave in the order of their writes`() throws {
        channel.options.text.encoding = .utf16BigEndian
        try channel.write("a")
        try channel.write([1, 2])
        try channel.writeLine("b")
        #expect(try ends.receive(8) == [0, 0x61, 1, 2, 0, 0x62, 0, 0x0A])
    }
}
