// SPDX-License-Identifier: Apache-2.0
//
// Characters and bytes on channels: encodings of every kind, cut anywhere, and what is none.
// Nothing is lost where text can't be decoded or encoded.

import TestSupport
import Testing

@testable import Sluice

/// A text in an encoding.
struct EncodedText: Sendable, CustomTestStringConvertible {
    let name: String
    let text: String
    let bytes: [UInt8]

    init(_ name: String, _ text: String, _ bytes: [UInt8]) {
        self.name = name
        self.text = text
        self.bytes = bytes
    }

    var testDescription: String { name }

    /// Two lines in each: the second one of a single character.
    static let all = [
        EncodedText("ascii", "a~\nz\n", [0x61, 0x7E, 0x0A, 0x7A, 0x0A]),
        EncodedText("iso8859-1", "\u{E9}\u{FF}\nz\n", [0xE9, 0xFF, 0x0A, 0x7A, 0x0A]),
        EncodedText("binary", "\u{80}\u{FF}\nz\n", [0x80, 0xFF, 0x0A, 0x7A, 0x0A]),
        EncodedText(
            "utf-8", "\u{E9}\u{20AC}\u{1F600}\n\u{E9}\n",
            [0xC3, 0xA9, 0xE2, 0x82, 0xAC, 0xF0, 0x9F, 0x98, 0x80, 0x0A, 0xC3, 0xA9, 0x0A]),
        EncodedText(
            "utf-16be", "\u{A0A}\u{1F600}\nz\n",
            [0x0A, 0x0A, 0xD8, 0x3D, 0xDE, 0x00, 0, 0x0A, 0, 0x7A, 0, 0x0A]),
        EncodedText(
            "utf-16le", "\u{D0A}\u{1F600}\nz\n",
            [0x0A, 0x0D, 0x3D, 0xD8, 0x00, 0xDE, 0x0A, 0, 0x7A, 0, 0x0A, 0]),
        EncodedText(
            "utf-32be", "\u{1F60A}\nz\n",
            [0, 1, 0xF6, 0x0A, 0, 0, 0, 0x0A, 0, 0, 0, 0x7A, 0, 0, 0, 0x0A]),
        EncodedText(
            "utf-32le", "\u{1F60A}\nz\n",
            [0x0A, 0xF6, 1, 0, 0x0A, 0, 0, 0, 0x7A, 0, 0, 0, 0x0A, 0, 0, 0]),
        EncodedText(
            "shiftjis", "\u{65E5}\u{8868}\u{FF71}\nz\n",
            [0x93, 0xFA, 0x95, 0x5C, 0xB1, 0x0A, 0x7A, 0x0A]),
        EncodedText(
            "iso2022-jp", "\u{65E5}\u{672C}\nz\n",
            [0x1B, 0x24, 0x42, 0x46, 0x7C, 0x4B, 0x5C, 0x1B, 0x28, 0x42, 0x0A, 0x7A, 0x0A]),
        EncodedText("koi8-r", "\u{416}\u{44F}\nz\n", [0xF6, 0xD1, 0x0A, 0x7A, 0x0A]),
        EncodedText("cp1252", "\u{20AC}\u{E9}\nz\n", [0x80, 0xE9, 0x0A, 0x7A, 0x0A]),
    ]

    func encoding() throws -> TextEncoding { try TextEncoding(named: name) }

    var lines: [String] {
        text.unicodeScalars.split(separator: "\n").map { String(String.UnicodeScalarView($0)) }
    }
}

@Suite(.countingDescriptors)
struct Encodings: ConnectionSuite {
    let ends: ConnectionEnds

    private func send(_ bytes: some Sequence<UInt8>) throws {
        let bytes = Array(bytes)
        #expect(try ends.peer?.send(bytes.span.bytes) == .bytes(bytes.count))
    }

    // T3, W3, A24
    @Test(arguments: EncodedText.all)
    func `text leaves in the channel's encoding`(sample: EncodedText) throws {
        channel.options.text.encoding = try sample.encoding()
        try channel.write(sample.text)
        channel.close()
        #expect(try ends.receiveAll() == sample.bytes)
    }

    // T3, K17
    @Test(arguments: EncodedText.all)
    func `lines are the same wherever the bytes are cut`(sample: EncodedText) throws {
        for cut in 0...sample.bytes.count {
            let ends = try ConnectionEnds(on: reactor)
            ends.channel.options.text.encoding = try sample.encoding()
            var lines: [String] = []
            for part in [sample.bytes[..<cut], sample.bytes[cut...]] {
                _ = try ends.peer?.send(Array(part).span.bytes)
                while let line = try ends.channel.readLine() { lines.append(line) }
            }
            #expect(lines == sample.lines, "cut at \(cut)")
            #expect(ends.channel.unreadByteCount == 0)
            ends.channel.close()
            reactor.settle()
        }
    }

    // T3, K17
    @Test(arguments: EncodedText.all)
    func `characters are the same byte by byte, and none is cut`(sample: EncodedText) throws {
        channel.options.text.encoding = try sample.encoding()
        var text = ""
        for byte in sample.bytes {
            try send([byte])
            text += try channel.readText()
            #expect(sample.text.unicodeScalars.starts(with: text.unicodeScalars))
            #expect(channel.isBlocked)
        }
        #expect(text.unicodeScalars.elementsEqual(sample.text.unicodeScalars))
        #expect(channel.unreadByteCount == 0)
    }

    // T3
    @Test(arguments: EncodedText.all)
    func `a handler of lines gets them byte by byte`(sample: EncodedText) throws {
        channel.options.text.encoding = try sample.encoding()
        let lines = Box<[String]>([])
        channel.onLine { _, line in lines.value.append(line) }
        for byte in sample.bytes {
            try send([byte])
            reactor.runPending()
        }
        reactor.expect("all come") { lines.value == sample.lines }
    }

    // T3
    @Test(arguments: EncodedText.all)
    func `a channel alone reads character by character`(sample: EncodedText) throws {
        let alone = try LoneEnds()
        alone.channel.options.text.encoding = try sample.encoding()
        _ = try alone.peer?.send(sample.bytes.span.bytes)
        alone.peer = nil
        var text = ""
        while case let next = try alone.channel.read(characters: 1), !next.isEmpty {
            #expect(next.unicodeScalars.count == 1)
            text += next
        }
        #expect(alone.channel.isAtEnd)
        #expect(text.unicodeScalars.elementsEqual(sample.text.unicodeScalars))
    }

    // T3
    @Test func `characters lie across the pieces of a large text`() throws {
        let text = String(repeating: "\u{20AC}\u{E9}a", count: 50_000)
        let bytes = Array(text.utf8)
        var result = ""
        var sent = 0
        let limit = ContinuousClock.now + .seconds(20)
        while result.utf8.count < bytes.count, ContinuousClock.now < limit {
            if sent < bytes.count {
                let rest = bytes[sent...].prefix(7_001)
                if case .bytes(let count)? = try ends.peer?.send(Array(rest).span.bytes) {
                    sent += count
                }
            }
            if sent % 3 == 0 || sent == bytes.count { result += try channel.readText() }
        }
        #expect(result == text)
    }

    // T3, W3
    @Test func `an accepted channel's encoding may be changed at once`() throws {
        let line = Box("")
        let server = try Server(on: reactor, at: [.loopback(port: 0)]) { channel, _ in
            channel.options.text.encoding = .latin1
            channel.onLine { _, text in line.value = text }
        }
        let peer = try Socket.connecting(to: server.address)
        let bytes: [UInt8] = [0xE9, 0x0A]
        _ = try peer.send(bytes.span.bytes)
        reactor.expect("it is decoded") { line.value == "\u{E9}" }
        server.close()
    }

    // W3, K6
    @Test func `what follows a change is in the other encoding, in the same piece`() throws {
        let header = Array("utf-16be\r\n".utf8)
        let bytes = header + [0, 0x61, 0x20, 0xAC, 0, 0x0A]
        for cut in 0...bytes.count {
            let ends = try ConnectionEnds(on: reactor)
            var lines: [String] = []
            for part in [bytes[..<cut], bytes[cut...]] {
                _ = try ends.peer?.send(Array(part).span.bytes)
                while let line = try ends.channel.readLine() {
                    lines.append(line)
                    if lines.count == 1 { try ends.channel.configure("-encoding", line) }
                }
            }
            #expect(lines == ["utf-16be", "a\u{20AC}"], "cut at \(cut)")
            ends.channel.close()
            reactor.settle()
        }
    }

    // W3, K6
    @Test func `a handler of lines may change the encoding of the next one`() throws {
        let bytes = Array("utf-16be\r\n".utf8) + [0, 0x61, 0x20, 0xAC, 0, 0x0A]
        for cut in 0...bytes.count {
            let ends = try ConnectionEnds(on: reactor)
            let lines = Box<[String]>([])
            ends.channel.onLine { channel, line in
                lines.value.append(line)
                if lines.value.count == 1 { try channel.configure("-encoding", line) }
            }
            for part in [bytes[..<cut], bytes[cut...]] {
                _ = try ends.peer?.send(Array(part).span.bytes)
                reactor.settle(passes: 3)
            }
            #expect(lines.value == ["utf-16be", "a\u{20AC}"], "cut at \(cut)")
            ends.channel.close()
            reactor.settle()
        }
    }

    // W3
    @Test func `text written before a change is in the old encoding`() throws {
        try channel.write("\u{E9}")
        channel.options.text.encoding = .latin1
        try channel.write("\u{E9}")
        channel.options.text.encoding = .utf16LittleEndian
        try channel.writeLine("\u{E9}")
        #expect(try ends.receive(7) == [0xC3, 0xA9, 0xE9, 0xE9, 0, 0x0A, 0])
    }

    // T3
    @Test func `the state of an encoding lasts from write to write, and closes once`() throws {
        channel.options.text.encoding = try TextEncoding(named: "iso2022-jp")
        try channel.write("\u{65E5}")
        try channel.write("\u{672C}")
        try channel.closeWriting()
        channel.close()
        let expected: [UInt8] = [0x1B, 0x24, 0x42, 0x46, 0x7C, 0x4B, 0x5C, 0x1B, 0x28, 0x42]
        #expect(try ends.receiveAll() == expected)
    }

    // T3, K7
    @Test func `the end mark stands behind the close of the state`() throws {
        channel.options.text.encoding = try TextEncoding(named: "iso2022-jp")
        channel.options.text.outputEndMark = "\u{1A}"
        channel.options.buffering = .full
        try channel.write("\u{65E5}")
        channel.close()
        let expected: [UInt8] = [0x1B, 0x24, 0x42, 0x46, 0x7C, 0x1B, 0x28, 0x42, 0x1A]
        #expect(try ends.receiveAll() == expected)
    }

    // W3
    @Test(arguments: ["", "\u{E9}"])
    func `leaving an encoding closes its state`(text: String) throws {
        channel.options.text.encoding = try TextEncoding(named: "iso2022-jp")
        try channel.write("\u{65E5}")
        channel.options.text.encoding = .latin1
        try channel.write(text)
        channel.close()
        let expected: [UInt8] = [0x1B, 0x24, 0x42, 0x46, 0x7C, 0x1B, 0x28, 0x42]
        #expect(try ends.receiveAll() == expected + (text.isEmpty ? [] : [0xE9]))
    }

    // K7
    @Test func `a byte of another character is no mark`() throws {
        channel.options.text.inputEndMark = "\u{1A}"
        channel.options.text.encoding = .utf16BigEndian
        let bytes: [UInt8] = [0x1A, 0x1A, 0, 0x61, 0, 0x1A, 0, 0x62]
        _ = try ends.peer?.send(bytes.span.bytes)
        #expect(try channel.readText() == "\u{1A1A}a")
        #expect(channel.isAtEnd)
        #expect(channel.unreadByteCount == 4)
    }
}
