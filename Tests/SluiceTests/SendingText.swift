// SPDX-License-Identifier: Apache-2.0
//
// Files down a channel as text: decoded by the file's settings and encoded by the channel's own.

import Glibc
import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct SendingText {
    private func options(_ encoding: TextEncoding, _ output: LineTranslation) -> ChannelOptions {
        var options = ChannelOptions()
        options.text.encoding = encoding
        options.text.outputTranslation = output
        return options
    }

    @discardableResult
    private func send(
        _ ends: FileEnds, from offset: Int = 0, count: Int? = nil, as text: TextOptions = .init()
    ) throws(ChannelError) -> ChannelCopy {
        try ends.channel.sendFile(
            ends.path, from: offset, count: count, as: text,
            progress: { [unowned ends] in ends.pieces.append($0) },
            completion: { [unowned ends] in ends.results.append($0) })
    }

    private func latin1(_ text: String) -> [UInt8] { text.unicodeScalars.map { UInt8($0.value) } }

    // W16
    @Test func `a file's line feeds become CRLF and its characters another encoding's`() throws {
        let ends = try FileEnds(
            Array("caf\u{E9}\n\nau lait\n".utf8), options: options(.latin1, .crlf))
        let copy = try send(ends)
        #expect(ends.results.isEmpty)
        let expected = latin1("caf\u{E9}\r\n\r\nau lait\r\n")
        #expect(try ends.ends.receive(expected.count) == expected)
        ends.expectEnd(expected.count, read: 14)
        copy.expect(isUnderWay: false)
        #expect(ends.channel.status == .open)
    }

    // W16
    @Test func `the file's own encoding, line ends and end mark hold`() throws {
        var text = TextOptions()
        text.encoding = .utf16LittleEndian
        text.inputTranslation = .crlf
        text.inputEndMark = "\u{1A}"
        let bytes = "a\r\n\u{65E5}\r\n\u{1A}behind".utf16.flatMap {
            [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)]
        }
        let ends = try FileEnds(bytes, options: options(.utf8, .lf))
        try send(ends, as: text)
        #expect(try ends.ends.receive(6).text == "a\n\u{65E5}\n")
        ends.expectEnd(6, read: 4)
    }

    // W16
    @Test func `an empty file of text ends in a later turn`() throws {
        let ends = try FileEnds([], options: options(.latin1, .crlf))
        try send(ends)
        #expect(ends.results.isEmpty)
        ends.expectEnd(0)
        #expect(ends.pieces.isEmpty)
    }

    // W16
    @Test(arguments: [(0, nil, "ab\r\ncd"), (1, 3, "b\r\nc"), (5, nil, ""), (2, 1, "\r\n")])
    func `a part of a file is text too`(offset: Int, count: Int?, expected: String) throws {
        let ends = try FileEnds(Array("ab\ncd".utf8), options: options(.ascii, .crlf))
        try send(ends, from: offset, count: count)
        try #require(ends.ends.receive(expected.utf8.count).text == expected)
        ends.waitForEnd()
        #expect(ends.results.first?.counts.bytesWritten == expected.utf8.count)
        #expect(ends.results.first?.error == nil)
    }

    // W16
    @Test(arguments: [Int.max, 1, 1_000])
    func `characters cut by reads stay whole`(most: Int) throws {
        let size = most == 1 ? 50 : 20_000
        let text = String(repeating: "\u{65E5}\u{672C}\u{1F600} e\u{301}\n", count: size)
        let ends = try FileEnds(
            Array(text.utf8), options: options(.utf16BigEndian, .lf), smallBuffers: true)
        let expected = text.utf16.flatMap { [UInt8($0 >> 8), UInt8(truncatingIfNeeded: $0)] }
        try Answers(.atMost(most), to: [.readAt]).give {
            try send(ends)
            expectSame(try ends.ends.receive(expected.count), expected)
        }
        ends.expectEnd(expected.count, read: text.unicodeScalars.count)
        #expect(ends.pieces.last == ends.results.first?.counts)
    }

    // W16
    @Test func `writing is refused meanwhile and follows afterwards`() throws {
        let ends = try FileEnds(
            pattern(300_000).map { $0 & 0x7F | 0x40 }, options: options(.latin1, .crlf),
            smallBuffers: true)
        try ends.channel.write("before ")
        try send(ends)
        ends.reactor.settle()
        let busy = SocketError(.write, .busy, at: ends.channel.peerAddress)
        let error = #expect(throws: SocketError.self) { try ends.channel.write([1]) }
        #expect(error == busy)
        let second = #expect(throws: ChannelError.self) { try send(ends) }
        #expect(second == .socket(busy))
        let raw = #expect(throws: ChannelError.self) { try ends.send() }
        #expect(raw == .socket(busy))
        #expect(ends.channel.unsentByteCount < 250_000)
        #expect(try ends.ends.receive(300_007).count == 300_007)
        ends.expectEnd(300_000)
        try ends.channel.write("after")
        #expect(try ends.ends.receive(5).text == "after")
    }

    // W16
    @Test func `what is no text in the file is told with its path`() throws {
        let ends = try FileEnds([0x61, 0x62, 0xFF, 0x63], options: options(.latin1, .lf))
        try send(ends)
        #expect(try ends.ends.receive(2).text == "ab")
        ends.expectEnd(2, .text(.undecodable([0xFF], .utf8), at: ends.path))
        try ends.channel.write("free")
        #expect(try ends.ends.receive(4).text == "free")
    }

    // W16
    @Test func `a character that the file's end cuts off is told`() throws {
        let ends = try FileEnds([0x61, 0xC3], options: options(.latin1, .lf))
        try send(ends)
        ends.expectEnd(1, .text(.undecodable([0xC3], .utf8), at: ends.path))
    }

    // W16
    @Test func `a character that the channel's encoding lacks is told with the peer`() throws {
        let ends = try FileEnds(Array("\u{65E5}".utf8), options: options(.latin1, .lf))
        try send(ends)
        let place = "\(ends.channel.peerAddress)"
        ends.expectEnd(0, .text(.unencodable("\u{65E5}", .latin1), at: place))
    }

    // W16
    @Test func `a file that can't be read is told with its path`() throws {
        let code = ErrorCode(rawValue: EIO)
        let ends = try FileEnds(options: options(.latin1, .crlf))
        SystemCall.failing(.readAt, with: code) {
            #expect(throws: Never.self) { try send(ends) }
            ends.expectEnd(0, .file(path: ends.path, code))
        }
    }

    // W16
    @Test func `a file of text that shrinks is told with its path`() throws {
        let ends = try FileEnds(
            [UInt8](repeating: 0x61, count: 1_000_000), options: options(.latin1, .crlf),
            smallBuffers: true)
        try send(ends)
        ends.reactor.settle()
        try #require(truncate(ends.path, 10) == 0)
        let limit = ContinuousClock.now + .seconds(20)
        while ends.results.isEmpty, ContinuousClock.now < limit {
            ends.reactor.runPending()
            _ = try ends.ends.peer?.receiveNow()
        }
        #expect(ends.results.count == 1)
        #expect(ends.results.first?.error == .file(path: ends.path, .noData))
    }

    // W16, K34
    @Test(arguments: [false, true])
    func `closing mid-way frees the file and tells nobody`(isStop: Bool) throws {
        let ends = try FileEnds(
            [UInt8](repeating: 0x61, count: 1_000_000), options: options(.latin1, .crlf),
            smallBuffers: true)
        let open = openDescriptorCount()
        var copy: ChannelCopy? = try send(ends)
        #expect(openDescriptorCount() == open + 1)
        ends.reactor.settle()
        if isStop { copy?.stop() } else { ends.channel.close() }
        copy?.expect(isUnderWay: false)
        let count = copy?.counts.bytesWritten ?? 0
        copy = nil
        if isStop { ends.channel.close() }
        #expect(try ends.ends.receiveAll().count == count)
        ends.waitForEnd()
        #expect(ends.results.isEmpty)
        #expect(openDescriptorCount() == open - 1)
    }

    // W16
    @Test func `what can't be sent as text is refused and frees its descriptor`() throws {
        let ends = try FileEnds()
        let missing = "\(ends.folder.path)/missing"
        let error = #expect(throws: ChannelError.self) {
            try ends.channel.sendFile(missing, as: .init()) { _ in wrongly() }
        }
        #expect(error == .file(path: missing, .noEntry))
        let alone = try AloneEnds()
        #expect(throws: ChannelError.self) {
            try alone.channel.sendFile(ends.path, as: .init()) { _ in wrongly() }
        }
        alone.channel.close()
        ends.channel.close()
        #expect(throws: ChannelError.self) { try send(ends) }
        ends.reactor.settle()
        #expect(ends.results.isEmpty)
    }
}
