// SPDX-License-Identifier: Apache-2.0
//
// What a channel reads into a file: raw and as text, up to a limit, with disks that fail.

import Glibc
import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct ReceivingFiles {
    @discardableResult
    private func receive(
        _ ends: FileEnds, limit: Int? = nil, as text: TextOptions? = nil
    ) throws(ChannelError) -> ChannelCopy {
        try ends.channel.receiveFile(
            ends.path, limit: limit, as: text,
            progress: { [unowned ends] in ends.pieces.append($0) },
            completion: { [unowned ends] in ends.results.append($0) })
    }

    private func made(_ ends: FileEnds, from text: String, _ options: TextOptions) throws -> String
    {
        try receive(ends, as: options)
        for byte in text.utf8 {
            #expect(try ends.ends.peer?.send([byte].span.bytes) == .bytes(1))
            ends.reactor.settle(passes: 3)
        }
        try ends.ends.peer?.shutDown(.writing)
        ends.waitForEnd()
        #expect(ends.results.first?.error == nil)
        return ends.folder.read()?.text ?? "nothing"
    }

    // W16
    @Test func `bytes become the file, in place of what it held`() throws {
        let ends = try FileEnds(pattern(1_000))
        let copy = try receive(ends)
        #expect(ends.folder.read() == [])
        try ends.ends.peer?.sendAll("one ")
        ends.reactor.settle()
        #expect(ends.folder.read()?.text == "one ")
        try ends.ends.peer?.sendAll("two\r\n")
        try ends.ends.peer?.shutDown(.writing)
        ends.expectEnd(9)
        copy.expect(isUnderWay: false)
        #expect(ends.folder.read()?.text == "one two\r\n")
        #expect(ends.pieces.last?.read == 9)
        #expect(ends.channel.status == .peerClosed)
    }

    // W16
    @Test func `a file that is not there is made`() throws {
        let ends = try FileEnds()
        unlink(ends.path)
        try receive(ends, limit: 3)
        try ends.ends.peer?.sendAll("abcdef")
        ends.expectEnd(3)
        #expect(ends.folder.read()?.text == "abc")
        var facts = stat()
        #expect(stat(ends.path, &facts) == 0)
        #expect(facts.st_mode & 0o111 == 0)
    }

    // W16
    @Test(arguments: [nil, -1, 0, 1, 5, 6, 7])
    func `the limit holds and the rest can be read`(limit: Int?) throws {
        let ends = try FileEnds()
        try ends.ends.peer?.sendAll("abcdef")
        try ends.ends.peer?.shutDown(.writing)
        try receive(ends, limit: limit)
        #expect(ends.results.isEmpty)
        let count = limit.map { $0 < 0 ? 6 : min($0, 6) } ?? 6
        ends.expectEnd(count)
        #expect(ends.folder.read()?.text == String("abcdef".prefix(count)))
        #expect(try ends.channel.readText() == String("abcdef".dropFirst(count)))
    }

    // W16
    @Test func `what was left unread comes first`() throws {
        let ends = try FileEnds()
        try ends.ends.peer?.sendAll("line\nbody")
        #expect(try ends.channel.readLine() == "line")
        try receive(ends, limit: 6)
        try ends.ends.peer?.sendAll("12")
        ends.expectEnd(6)
        #expect(ends.folder.read()?.text == "body12")
    }

    // W16, K35
    @Test func `text is decoded by the channel's settings and encoded by the file's`() throws {
        var options = ChannelOptions()
        options.text.inputTranslation = .crlf
        let ends = try FileEnds(options: options)
        var text = TextOptions()
        text.encoding = .utf16BigEndian
        _ = try made(ends, from: "\u{E9}\r\n\u{65E5}", text)
        #expect(ends.folder.read() == [0x00, 0xE9, 0x00, 0x0A, 0x65, 0xE5])
        #expect(ends.results.first?.counts == CopyCounts(read: 3, bytesWritten: 6))
    }

    // W16, K35
    @Test func `line ends become the file's own`() throws {
        let ends = try FileEnds(options: .init())
        var text = TextOptions()
        text.outputTranslation = .crlf
        #expect(try made(ends, from: "a\rb\r\nc\n", text) == "a\r\nb\r\nc\r\n")
    }

    // W16, K7
    @Test func `the file's end mark is written at its end`() throws {
        let ends = try FileEnds(options: .init())
        var text = TextOptions()
        text.outputEndMark = "\u{1A}"
        #expect(try made(ends, from: "text\n", text) == "text\n\u{1A}")
    }

    // W16, K20
    @Test func `an encoding with a state is closed at the file's end`() throws {
        let ends = try FileEnds(options: .init())
        var text = TextOptions()
        text.encoding = try TextEncoding(named: "iso2022-jp")
        #expect(try made(ends, from: "\u{65E5}", text) == "\u{1B}$BF|\u{1B}(B")
    }

    // W16
    @Test func `a file of many bytes comes whole`() throws {
        let all = pattern(3_000_000)
        let ends = try FileEnds()
        try receive(ends, limit: all.count)
        var sent = 0
        let limit = ContinuousClock.now + .seconds(20)
        while ends.results.isEmpty, ContinuousClock.now < limit {
            let rest = all.span.bytes.extracting(droppingFirst: sent)
            if sent < all.count, case .bytes(let count)? = try ends.ends.peer?.send(rest) {
                sent += count
            }
            ends.reactor.runPending()
        }
        ends.expectEnd(all.count)
        expectSame(ends.folder.read() ?? [], all)
    }

    // W16
    @Test(arguments: [1, 7])
    func `short and interrupted writes lose nothing`(most: Int) throws {
        let ends = try FileEnds()
        let count = Box(0)
        let answers: SystemCall.Interceptor = { call in
            guard call == .write else { return nil }
            count.value += 1
            return count.value.isMultiple(of: 2) ? .failure(.interrupted) : .atMost(most)
        }
        try SystemCall.intercepting(answers) {
            try receive(ends, limit: 26)
            try ends.ends.peer?.sendAll("abcdefghijklmnopqrstuvwxyz")
            ends.expectEnd(26)
        }
        #expect(ends.folder.read()?.text == "abcdefghijklmnopqrstuvwxyz")
    }

    // W16
    @Test func `a disk that fails is told once, with what it had taken`() throws {
        let full = ErrorCode(rawValue: ENOSPC)
        let ends = try FileEnds()
        let open = openDescriptorCount()
        try receive(ends)
        try ends.ends.peer?.sendAll("fits")
        ends.reactor.settle()
        try SystemCall.failing(.write, with: full) {
            try ends.ends.peer?.sendAll("lost")
            ends.expectEnd(4, .file(path: ends.path, full))
        }
        #expect(ends.folder.read()?.text == "fits")
        try ends.ends.peer?.sendAll("more")
        ends.reactor.settle()
        #expect(ends.results.count == 1)
        #expect(try ends.channel.readText().hasSuffix("more"))
        #expect(openDescriptorCount() == open)
        try ends.channel.write("free")
        #expect(try ends.ends.receive(4).text == "free")
    }

    // W16
    @Test func `a disk that fails in the middle is told with what is in the file`() throws {
        let ends = try FileEnds()
        let count = Box(0)
        let answers: SystemCall.Interceptor = { call in
            guard call == .write else { return nil }
            count.value += 1
            return count.value == 1 ? .atMost(3) : .failure(ErrorCode(rawValue: ENOSPC))
        }
        try SystemCall.intercepting(answers) {
            try receive(ends)
            try ends.ends.peer?.sendAll("abcdef")
            ends.waitForEnd()
        }
        #expect(ends.results.count == 1)
        #expect(ends.results.first?.counts.bytesWritten == ends.folder.read()?.count)
        #expect(ends.results.first?.counts == CopyCounts(read: 3, bytesWritten: 3))
        #expect(try ends.channel.readText() == "def")
    }

    // W16
    @Test(arguments: [false, true])
    func `what a disk that fails has not taken can still be read`(isLeft: Bool) throws {
        let full = ErrorCode(rawValue: ENOSPC)
        let ends = try FileEnds()
        try ends.ends.peer?.sendAll("abcdXYZ")
        if isLeft { try ends.channel.parse { _ in 0 } }
        try SystemCall.failing(.write, with: full) {
            try receive(ends, limit: 4)
            ends.expectEnd(0, .file(path: ends.path, full))
        }
        #expect(try ends.channel.readText() == "abcdXYZ")
    }

    // W16, K31
    @Test func `the file is closed when all is written, whoever holds the copy`() throws {
        let ends = try FileEnds()
        let open = openDescriptorCount()
        let copy = try receive(ends, limit: 3)
        try ends.ends.peer?.sendAll("abc")
        ends.expectEnd(3)
        #expect(openDescriptorCount() == open)
        copy.expect(isUnderWay: false)
    }

    // W16, K32
    @Test func `a blocking channel that awaits a line feed does not block the reactor`() throws {
        var options = ChannelOptions()
        options.isBlocking = true
        let ends = try FileEnds(options: options)
        try ends.ends.peer?.sendAll("one\r")
        #expect(try ends.channel.readLine() == "one")
        let polls = Answers(.failure(.noMemory), to: [.poll])
        try polls.give {
            try receive(ends, limit: 3)
            ends.reactor.settle()
        }
        #expect(polls.count == 0)
        try ends.ends.peer?.sendAll("\ntwo")
        ends.expectEnd(3)
        #expect(ends.folder.read()?.text == "two")
    }

    // W16, K33
    @Test func `reading is refused meanwhile and writing is free`() throws {
        let ends = try FileEnds()
        try receive(ends, limit: 3)
        let busy = SocketError(.read, .busy, at: ends.channel.peerAddress)
        let error = #expect(throws: SocketError.self) { try ends.channel.read { _ in } }
        #expect(error == busy)
        let again = #expect(throws: ChannelError.self) { try receive(ends) }
        #expect(again == .socket(busy))
        try ends.channel.write("free")
        #expect(try ends.ends.receive(4).text == "free")
        try ends.ends.peer?.sendAll("abcdef")
        ends.expectEnd(3)
        #expect(try ends.channel.readText() == "def")
    }

    // W16, K34
    @Test(arguments: [false, true])
    func `closing mid-way keeps what had come and tells nobody`(isStop: Bool) throws {
        let ends = try FileEnds()
        let open = openDescriptorCount()
        var copy: ChannelCopy? = try receive(ends)
        try ends.ends.peer?.sendAll("came")
        ends.reactor.settle()
        if isStop { copy?.stop() } else { ends.channel.close() }
        copy?.expect(isUnderWay: false)
        copy = nil
        try ends.ends.peer?.sendAll("late")
        ends.waitForEnd()
        #expect(ends.results.isEmpty)
        #expect(ends.folder.read()?.text == "came")
        #expect(openDescriptorCount() == (isStop ? open : open - 1))
    }

    // W16, K22
    @Test func `a reset is told, with what had come`() throws {
        let ends = try FileEnds()
        try receive(ends)
        try ends.ends.peer?.sendAll("came")
        ends.reactor.settle()
        try ends.ends.resetByPeer()
        let error = SocketError(.read, .connectionReset, at: ends.channel.peerAddress)
        ends.expectEnd(4, .socket(error))
        #expect(ends.folder.read()?.text == "came")
    }

    // W16
    @Test func `what can't be written to is refused by name`() throws {
        let ends = try FileEnds()
        let folder = ends.folder.path
        try #require(mkfifo("\(folder)/pipe", 0o600) == 0)
        let cases: [(String, ErrorCode)] = [
            ("\(folder)/none/file", .noEntry), (folder, ErrorCode(rawValue: EISDIR)),
            ("\(folder)/pipe", ErrorCode(rawValue: ENXIO)), ("/dev/null", .notSupported),
            ("\(folder)/file\0", .invalidArgument),
        ]
        for (path, code) in cases {
            let error = #expect(throws: ChannelError.self) {
                try ends.channel.receiveFile(path) { _ in wrongly() }
            }
            #expect(error == .file(path: path, code))
        }
        try ends.ends.peer?.sendAll("free")
        ends.reactor.settle()
        #expect(try ends.channel.readText() == "free")
    }

    // W16
    @Test func `a refused channel leaves the file as it was`() throws {
        let ends = try FileEnds()
        let alone = try AloneEnds()
        #expect(throws: ChannelError.self) {
            try alone.channel.receiveFile(ends.path) { _ in wrongly() }
        }
        #expect(ends.folder.read()?.count == 10)
        alone.channel.close()
        ends.channel.close()
        #expect(throws: ChannelError.self) { try receive(ends) }
        #expect(ends.folder.read()?.count == 10)
    }
}
