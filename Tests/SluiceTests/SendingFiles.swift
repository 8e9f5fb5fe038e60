// SPDX-License-Identifier: Apache-2.0
//
// Files down a channel by the kernel's hand: parts, order, progress, slow peers, refusals.

import Glibc
import TestSupport
import Testing

@testable import Sluice

/// A connection, a folder with a file, and what sending it tells.
final class FileEnds: CustomReflectable {
    let reactor: Reactor
    let ends: ConnectionEnds
    let folder: TemporaryFolder
    let path: String
    var results: [CopyResult] = []
    var pieces: [CopyCounts] = []

    var channel: Channel { ends.channel }
    var customMirror: Mirror { Mirror(self, children: []) }

    init(
        _ bytes: [UInt8] = Array("0123456789".utf8), options: ChannelOptions = .binary,
        smallBuffers: Bool = false
    ) throws {
        reactor = try Reactor()
        ends = try ConnectionEnds(on: reactor, options: options, smallBuffers: smallBuffers)
        folder = try TemporaryFolder()
        path = try folder.write(bytes)
    }

    func send(from offset: Int = 0, count: Int? = nil) throws(ChannelError) {
        try channel.sendFile(
            path, from: offset, count: count, progress: { [unowned self] in pieces.append($0) },
            completion: { [unowned self] in results.append($0) })
    }

    /// Runs until an end was told, for a second at most.
    func waitForEnd() {
        reactor.settle()
        let guardian = reactor.after(.seconds(1)) { [unowned reactor] in reactor.stop() }
        _ = reactor.run { !results.isEmpty }
        guardian.cancel()
        reactor.settle()
    }

    func expectEnd(
        _ count: Int, read: Int? = nil, _ error: ChannelError? = nil,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        waitForEnd()
        #expect(results.count == 1, sourceLocation: sourceLocation)
        let expected = CopyCounts(read: read ?? count, bytesWritten: count)
        #expect(results.first?.counts == expected, sourceLocation: sourceLocation)
        #expect(results.first?.error == error, sourceLocation: sourceLocation)
    }
}

@Suite(.countingDescriptors)
struct SendingFiles {
    // W16
    @Test func `a file goes out whole by sendfile and never comes into memory`() throws {
        let ends = try FileEnds()
        let calls = CallCount()
        try calls.count {
            try ends.send()
            #expect(ends.results.isEmpty)
            #expect(try ends.ends.receive(10).text == "0123456789")
        }
        ends.expectEnd(10)
        #expect(calls.of(.sendFile) > 0)
        #expect(calls.of(.readAt, .send, .sendVector) == 0)
    }

    // W16, N28
    @Test(arguments: [
        (0, nil, "0123456789"), (3, nil, "3456789"), (3, 4, "3456"), (0, 10, "0123456789"),
        (9, 1, "9"), (10, nil, ""), (10, 0, ""), (5, 0, ""),
    ])
    func `a part of a file is sent`(offset: Int, count: Int?, expected: String) throws {
        let ends = try FileEnds()
        try ends.send(from: offset, count: count)
        try ends.channel.write("|")
        #expect(try ends.ends.receive(expected.utf8.count + 1).text == expected + "|")
        ends.expectEnd(expected.utf8.count)
    }

    // W16
    @Test func `an empty file is sent at once and leaves the channel as it was`() throws {
        let ends = try FileEnds([])
        try ends.send()
        #expect(ends.results.isEmpty)
        ends.expectEnd(0)
        #expect(ends.channel.unsentByteCount == 0)
        ends.channel.close()
        #expect(ends.channel.status == .closed)
        ends.reactor.settle()
        #expect(ends.ends.endReasons == [.local])
    }

    // W16, K23
    @Test func `what is written behind a large file counts by itself`() throws {
        var options = ChannelOptions.binary
        options.outputLimit = 100_000
        let ends = try FileEnds(pattern(3_000_000), options: options, smallBuffers: true)
        try ends.send()
        let piece = [UInt8](repeating: 1, count: 50_000)
        try ends.channel.write(piece)
        try ends.channel.write(piece)
        let error = #expect(throws: SocketError.self) { try ends.channel.write([1]) }
        #expect(error == SocketError(.write, .noBufferSpace, at: ends.channel.peerAddress))
        ends.channel.abort()
    }

    // W16
    @Test func `a channel holds 64 files at most`() throws {
        let ends = try FileEnds(smallBuffers: true)
        try ends.ends.fill()
        for _ in 0..<64 { try ends.send() }
        let open = openDescriptorCount()
        let error = #expect(throws: ChannelError.self) { try ends.send() }
        let expected = SocketError(.write, .noBufferSpace, at: ends.channel.peerAddress)
        #expect(error == .socket(expected))
        #expect(openDescriptorCount() == open)
        while ends.results.isEmpty { _ = try ends.ends.receive(1) }
        try ends.send()
        ends.channel.abort()
    }

    // W16
    @Test func `a file larger than all buffers comes whole to a slow peer`() throws {
        let all = pattern(3_000_000)
        let ends = try FileEnds(all, smallBuffers: true)
        try ends.send()
        ends.reactor.settle()
        #expect(ends.results.isEmpty)
        #expect(ends.channel.unsentByteCount > 0)
        expectSame(try ends.ends.receive(all.count), all)
        ends.expectEnd(all.count)
        #expect(ends.pieces.count > 1)
        #expect(ends.pieces.map(\.read) == ends.pieces.map(\.read).sorted())
        #expect(ends.pieces.allSatisfy { $0.read == $0.bytesWritten })
        #expect(ends.pieces.last?.bytesWritten == all.count)
        #expect(Int(ends.channel.counters.bytesSent) == all.count)
    }

    // W16
    @Test(arguments: [false, true])
    func `files and writes before, between and after keep their order`(isFull: Bool) throws {
        var options = ChannelOptions.binary
        if isFull { options.buffering = .full }
        let ends = try FileEnds(pattern(100_000), options: options, smallBuffers: true)
        try ends.channel.write("first ")
        try ends.send()
        try ends.channel.write(" second ")
        try ends.channel.write([UInt8](repeating: 0x78, count: 20_000))
        try ends.send(from: 99_990)
        try ends.channel.write(" third")
        try ends.channel.flush()
        let last = Array(pattern(100_000).suffix(10))
        var expected = Array("first ".utf8) + pattern(100_000) + Array(" second ".utf8)
        expected += [UInt8](repeating: 0x78, count: 20_000) + last + Array(" third".utf8)
        expectSame(try ends.ends.receive(expected.count), expected)
        ends.waitForEnd()
        #expect(ends.results.map(\.counts.read) == [100_000, 10])
    }

    // W16
    @Test func `a small write behind a large file is not refused`() throws {
        var options = ChannelOptions.binary
        options.outputLimit = 100_000
        let all = pattern(1_000_000)
        let ends = try FileEnds(all, options: options, smallBuffers: true)
        try ends.send()
        try ends.channel.write("behind")
        expectSame(try ends.ends.receive(1_000_006), all + Array("behind".utf8))
    }

    // W16
    @Test func `closing the writing side waits for the file`() throws {
        let all = pattern(500_000)
        let ends = try FileEnds(all, smallBuffers: true)
        try ends.send()
        try ends.channel.closeWriting()
        expectSame(try ends.ends.receiveAll(), all)
        ends.expectEnd(all.count)
    }

    // W16
    @Test func `a file sent while connecting goes out when the connection is there`() throws {
        let ends = try FileEnds()
        let listener = try Socket.listening()
        let channel = try Client(on: ends.reactor).open(listener.localAddress)
        try channel.sendFile(ends.path) { ends.results.append($0) }
        ends.expectEnd(10)
        channel.abort()
    }

    // W16, N28
    @Test func `what is no file that can be sent is refused by name`() throws {
        let ends = try FileEnds()
        let folder = ends.folder.path
        try #require(mkfifo("\(folder)/pipe", 0o600) == 0)
        let cases: [(String, ErrorCode)] = [
            ("\(folder)/missing", .noEntry), ("\(folder)", .notSupported),
            ("\(folder)/pipe", .notSupported), ("/dev/null", .notSupported),
            ("\(ends.path)\0x", .invalidArgument), ("", .noEntry),
        ]
        for (path, code) in cases {
            let error = #expect(throws: ChannelError.self) {
                try ends.channel.sendFile(path) { _ in wrongly() }
            }
            #expect(error == .file(path: path, code))
            let waiting = #expect(throws: ChannelError.self) { try ends.channel.sendFile(path) }
            #expect(waiting == .file(path: path, code))
        }
        try ends.channel.write("free")
        #expect(try ends.ends.receive(4).text == "free")
    }

    // W16
    @Test(arguments: [
        (-1, nil, ErrorCode.invalidArgument), (11, nil, .invalidArgument), (0, 11, .noData),
        (5, 6, .noData), (0, -1, .noData), (.max, .max, .invalidArgument), (1, .max, .noData),
    ])
    func `a part that the file does not have is refused`(
        offset: Int, count: Int?, code: ErrorCode
    ) throws {
        let ends = try FileEnds()
        let error = #expect(throws: ChannelError.self) { try ends.send(from: offset, count: count) }
        let expected = ChannelError.file(path: ends.path, code)
        #expect(error == expected)
        ends.reactor.settle()
        #expect(ends.results.isEmpty)
    }

    // W16
    @Test func `a descriptor that can't be had is told and leaks nothing`() throws {
        let ends = try FileEnds()
        let error = #expect(throws: ChannelError.self) {
            try SystemCall.failing(.open, with: .tooManyOpenFiles) { try ends.send() }
        }
        let expected = ChannelError.file(path: ends.path, .tooManyOpenFiles)
        #expect(error == expected)
    }

    // W16
    @Test(arguments: [false, true])
    func `a closed channel refuses a file and calls nobody`(isEmpty: Bool) throws {
        let ends = try FileEnds(isEmpty ? [] : [1])
        ends.channel.close()
        let error = #expect(throws: ChannelError.self) { try ends.send() }
        let expected = SocketError(.write, .badDescriptor, at: ends.channel.peerAddress)
        #expect(error == .socket(expected))
        ends.reactor.settle()
        for _ in 0..<1_000 { ends.reactor.runPending() }
        #expect(ends.results.isEmpty)
    }
}
