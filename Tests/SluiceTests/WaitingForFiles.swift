// SPDX-License-Identifier: Apache-2.0
//
// Files down channels and channels into files, by the forms that wait: with a reactor and without.

import Glibc
import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct WaitingForFiles {
    private static let crlf: TextOptions = {
        var text = TextOptions()
        text.inputTranslation = .crlf
        text.outputTranslation = .crlf
        return text
    }()

    // W16
    @Test(arguments: [nil, -1, 0, 3, 6, 7])
    func `a channel that stands alone is received into a file`(limit: Int?) throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(pattern(100))
        let ends = try AloneEnds()
        try ends.peer?.sendAll("abcdef")
        ends.peer = nil
        let count = limit.map { $0 < 0 ? 6 : min(6, $0) } ?? 6
        let counts = try ends.channel.receiveFile(path, limit: limit)
        #expect(counts == CopyCounts(read: count, bytesWritten: count))
        #expect(folder.read()?.text == String("abcdef".prefix(count)))
        #expect(try ends.channel.readText() == String("abcdef".dropFirst(count)))
        ends.channel.close()
    }

    // W16, K35
    @Test func `what is received becomes the file's text, closed at its end`() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write([])
        let ends = try AloneEnds()
        var text = Self.crlf
        text.outputEndMark = "\u{1A}"
        try ends.peer?.sendAll("a\nb\n")
        ends.peer = nil
        let counts = try ends.channel.receiveFile(path, as: text)
        #expect(counts == CopyCounts(read: 4, bytesWritten: 7))
        #expect(folder.read()?.text == "a\r\nb\r\n\u{1A}")
        ends.channel.close()
    }

    // W16, K35
    @Test func `a file goes as text down a channel that stands alone`() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(Array("a\r\nb\r\nc".utf8))
        let ends = try AloneEnds()
        ends.channel.options.buffering = .full
        try ends.channel.write("head ")
        let counts = try ends.channel.sendFile(path, from: 3, as: Self.crlf)
        #expect(counts == CopyCounts(read: 3, bytesWritten: 3))
        #expect(try ends.peer?.receiveNow()?.text == "head b\nc")
        ends.channel.close()
    }

    // W16, T11
    @Test func `a channel on a reactor waits for files, and then is as before`() throws {
        let ends = try FileEnds()
        ends.channel.onReadable { _ in wrongly() }
        let before = ends.channel.options
        #expect(try ends.channel.sendFile(ends.path, as: Self.crlf).read == 10)
        #expect(try ends.ends.peer?.receiveNow()?.text == "0123456789")
        try ends.ends.peer?.sendAll("back")
        #expect(try ends.channel.receiveFile(ends.path, limit: 4).read == 4)
        #expect(ends.folder.read()?.text == "back")
        #expect(ends.channel.options == before)
        ends.channel.onReadable(nil)
    }

    // W16, K22
    @Test func `a reset is thrown, and what had come is in the file`() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write([])
        let ends = try AloneEnds()
        try ends.peer?.sendAll("came")
        #expect(try ends.channel.parse { _ in 0 } == .bytes(0))
        try ends.peer?.resetOnClose()
        ends.peer = nil
        let error = #expect(throws: ChannelError.self) { try ends.channel.receiveFile(path) }
        let reset = SocketError(.read, .connectionReset, at: ends.channel.peerAddress)
        #expect(error == .socket(reset))
        #expect(folder.read()?.text == "came")
        ends.channel.close()
    }

    // W16
    @Test func `a disk that fails is thrown, and the rest can be read`() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write([])
        let ends = try AloneEnds()
        try ends.peer?.sendAll("abc")
        let full = ErrorCode(rawValue: ENOSPC)
        let error = #expect(throws: ChannelError.self) {
            try SystemCall.failing(.write, with: full) { try ends.channel.receiveFile(path) }
        }
        #expect(error == .file(path: path, full))
        #expect(try ends.channel.read(characters: 3) == "abc")
        ends.channel.close()
    }
}
