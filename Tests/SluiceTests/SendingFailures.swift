// SPDX-License-Identifier: Apache-2.0
//
// Files that don't get through: every answer of sendfile, files that shrink, channels that close,
// handlers that interfere; and files down channels that stand alone.

import Glibc
import Synchronization
import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct SendingFailures {
    // W16
    @Test(arguments: [1, 777, 65_537])
    func `short counts of sendfile lose nothing`(most: Int) throws {
        let all = pattern(most == 1 ? 500 : 200_000)
        let ends = try FileEnds(all)
        try Answers(.atMost(most), to: [.sendFile]).give {
            try ends.send()
            try ends.channel.write("end")
            expectSame(try ends.ends.receive(all.count + 3), all + Array("end".utf8))
        }
        ends.expectEnd(all.count)
    }

    // W16
    @Test(arguments: [ErrorCode.interrupted, .wouldBlock])
    func `a sendfile that has to be repeated is repeated`(code: ErrorCode) throws {
        let all = pattern(50_000)
        let ends = try FileEnds(all, smallBuffers: true)
        // A reader keeps the event level-triggered: the kernel itself is not full here.
        ends.channel.onReadable { _ in }
        let answers = Answers(.failure(code), to: [.sendFile]) { !$0.isMultiple(of: 3) }
        try answers.give {
            try ends.send()
            expectSame(try ends.ends.receive(all.count), all)
        }
        #expect(answers.count >= 3)
        ends.expectEnd(all.count)
    }

    // W16, K21
    @Test(arguments: [
        (ErrorCode.brokenPipe, EndReason.reset), (ErrorCode(rawValue: EIO), nil),
    ])
    func `a sendfile that fails is told once with what had gone out`(
        code: ErrorCode, reason: EndReason?
    ) throws {
        let ends = try FileEnds(pattern(10_000))
        try SystemCall.intercepting(Self.oneThen(code)) {
            try ends.send()
            ends.reactor.settle()
        }
        let error = SocketError(.write, code, at: ends.channel.peerAddress)
        ends.expectEnd(4_000, .socket(error))
        #expect(ends.channel.status == .failed)
        #expect(ends.channel.endReason == reason ?? .failed(error))
    }

    /// The first call moves 4,000 bytes, and the others fail.
    private static func oneThen(_ code: ErrorCode) -> SystemCall.Interceptor {
        let count = Box(0)
        return { call in
            guard call == .sendFile else { return nil }
            count.value += 1
            return count.value == 1 ? .atMost(4_000) : .failure(code)
        }
    }

    // W16, W23
    @Test func `a peer that is gone raises no SIGPIPE`() throws {
        let before = signal(SIGPIPE) { _ in sigpipeCount.add(1, ordering: .relaxed) }
        defer { signal(SIGPIPE, before) }
        let ends = try FileEnds(pattern(3_000_000), smallBuffers: true)
        try ends.send()
        ends.reactor.settle()
        try ends.ends.resetByPeer()
        ends.waitForEnd()
        #expect(ends.results.count == 1)
        #expect(ends.results.first?.error != nil)
        let pair = try Socket.makePair()
        let channel = try Channel(blocking: exchanged(pair))
        #expect(throws: ChannelError.self) { try channel.sendFile(ends.path) }
        #expect(sigpipeCount.load(ordering: .relaxed) == 0)
        channel.close()
    }

    /// One end of a pair whose other end is closed.
    private func exchanged(_ pair: consuming Socket.Pair) throws -> Socket {
        try .taken(from: &pair.first)
    }

    // W16
    @Test func `a file that shrinks meanwhile is told, and the channel goes on`() throws {
        let ends = try FileEnds(pattern(3_000_000), smallBuffers: true)
        try ends.send()
        try ends.channel.write("behind")
        ends.reactor.settle()
        let sent = ends.pieces.last?.read ?? 0
        #expect(sent > 0)
        try #require(truncate(ends.path, sent + 1_000) == 0)
        let got = try ends.ends.receive(sent + 1_006)
        #expect(got.suffix(6).elementsEqual("behind".utf8))
        expectSame(Array(got.dropLast(6)), Array(pattern(3_000_000).prefix(sent + 1_000)))
        ends.waitForEnd()
        #expect(ends.results.count == 1)
        #expect(ends.results.first?.counts.read == sent + 1_000)
        #expect(ends.results.first?.error == .file(path: ends.path, .noData))
        #expect(ends.channel.unsentByteCount == 0)
        #expect(ends.channel.status == .open)
    }

    // W16, K21
    @Test func `a file that shrinks is a failed write where nobody follows it`() throws {
        let all = pattern(3_000_000)
        let ends = try FileEnds(all, smallBuffers: true)
        #expect(try ends.channel.sendFile(ends.path) == all.count)
        try ends.channel.write("behind")
        ends.reactor.settle()
        let sent = all.count + 6 - ends.channel.unsentByteCount
        try #require(truncate(ends.path, sent + 1_000) == 0)
        let got = try ends.ends.receive(sent + 1_000)
        ends.reactor.settle()
        expectSame(got, Array(all.prefix(sent + 1_000)))
        let error = SocketError(.write, .noData, at: ends.channel.peerAddress)
        #expect(ends.channel.takeError() == error)
        #expect(ends.channel.status == .failed)
        #expect(try ends.ends.peer?.receiveNow() == [])
    }

    // W16, K20, K25
    @Test func `closing sends the rest of the file and tells nobody`() throws {
        let all = pattern(1_000_000)
        let ends = try FileEnds(all, smallBuffers: true)
        try ends.send()
        ends.reactor.settle()
        let told = ends.pieces.count
        ends.channel.close()
        #expect(ends.channel.status == .closing)
        expectSame(try ends.ends.receiveAll(), all)
        ends.waitForEnd()
        #expect(ends.channel.status == .closed)
        #expect(ends.results.isEmpty)
        #expect(ends.pieces.count == told)
    }

    // W16, K25
    @Test func `a file that fails after the close tells nobody`() throws {
        let ends = try FileEnds(pattern(1_000_000), smallBuffers: true)
        try ends.send()
        ends.reactor.settle()
        ends.channel.close()
        try ends.ends.resetByPeer()
        ends.waitForEnd()
        #expect(ends.channel.status == .closed)
        #expect(ends.results.isEmpty)
    }

    // W16
    @Test func `an abort drops the file and frees its descriptor`() throws {
        let before = openDescriptorCount()
        let ends = try FileEnds(pattern(1_000_000), smallBuffers: true)
        let open = openDescriptorCount()
        try ends.send()
        #expect(openDescriptorCount() == open + 1)
        ends.reactor.settle()
        ends.channel.abort()
        #expect(openDescriptorCount() == open - 1)
        #expect(open > before)
        ends.waitForEnd()
        #expect(ends.results.isEmpty)
    }

    // W16
    @Test func `the file's descriptor is freed as soon as it has gone out`() throws {
        let ends = try FileEnds()
        let open = openDescriptorCount()
        try ends.send()
        ends.expectEnd(10)
        #expect(openDescriptorCount() == open)
    }

    // W16
    @Test(arguments: [false, true])
    func `whoever follows the progress may end the channel`(isAbort: Bool) throws {
        let all = pattern(200_000)
        let ends = try FileEnds(all, smallBuffers: true)
        try ends.channel.sendFile(
            ends.path,
            progress: { [unowned ends] _ in
                if isAbort { ends.channel.abort() } else { ends.channel.close() }
            },
            completion: { _ in wrongly() })
        if !isAbort { expectSame(try ends.ends.receiveAll(), all) }
        ends.waitForEnd()
        #expect(ends.channel.status == .closed)
    }

    // W16, K25
    @Test(arguments: [false, true])
    func `a close after all went out calls nobody`(isInProgress: Bool) throws {
        let ends = try FileEnds()
        try ends.channel.sendFile(
            ends.path,
            progress: { [unowned ends] _ in if isInProgress { ends.channel.close() } },
            completion: { _ in wrongly() })
        ends.channel.close()
        #expect(try ends.ends.receiveAll().text == "0123456789")
        ends.reactor.settle()
    }

    // W16, K25
    @Test func `a close by whoever follows one file tells nobody of the next`() throws {
        let ends = try FileEnds(smallBuffers: true)
        try ends.ends.fill()
        let calls = Box(0)
        for _ in 0..<3 {
            try ends.channel.sendFile(
                ends.path,
                progress: { [unowned ends] _ in
                    calls.value += 1
                    ends.channel.close()
                },
                completion: { _ in wrongly() })
        }
        _ = try ends.ends.receiveAll()
        ends.reactor.settle()
        #expect(calls.value == 1)
    }

    // W16, T11
    @Test(arguments: [false, true])
    func `nobody is told of a file while a blocking channel waits`(isBefore: Bool) throws {
        let all = pattern(2_000_000)
        let ends = try FileEnds(all, smallBuffers: true)
        let isWaiting = Box(false)
        guard let socket = ends.ends.peer.take() else { return wrongly() }
        let peer = PeerReader(socket)
        let send = {
            try ends.channel.sendFile(
                ends.path,
                progress: { [unowned ends] in
                    #expect(!isWaiting.value)
                    ends.pieces.append($0)
                },
                completion: { [unowned ends] in ends.results.append($0) })
        }
        let open = openDescriptorCount()
        if !isBefore { try send() }
        ends.channel.options.isBlocking = true
        let thread = OtherThread { peer.readAll() }
        isWaiting.value = true
        if isBefore { try send() } else { try ends.channel.write("behind") }
        isWaiting.value = false
        #expect(ends.channel.unsentByteCount == 0)
        #expect(openDescriptorCount() == open)
        #expect(ends.results.isEmpty)
        ends.expectEnd(all.count)
        #expect(ends.pieces.last?.read == all.count)
        ends.channel.close()
        thread.join()
        #expect(peer.bytes.count == all.count + (isBefore ? 0 : 6))
    }

    // W16
    @Test func `whoever follows the progress may write and flush`() throws {
        let all = pattern(100_000)
        let ends = try FileEnds(all, smallBuffers: true)
        try ends.channel.sendFile(
            ends.path,
            progress: { [unowned ends] counts in
                guard counts.read == all.count else { return }
                #expect(throws: Never.self) {
                    try ends.channel.write("tail")
                    try ends.channel.flush()
                }
            },
            completion: { [unowned ends] in ends.results.append($0) })
        try ends.channel.write("behind")
        let got = try ends.ends.receive(all.count + 10)
        expectSame(got, all + Array("behindtail".utf8))
        ends.expectEnd(all.count)
    }

    // W16
    @Test func `the end of the reactor frees a file that waits`() throws {
        var ends: FileEnds? = try FileEnds(pattern(1_000_000), smallBuffers: true)
        try ends?.send()
        ends?.reactor.settle()
        #expect(ends?.results.isEmpty == true)
        ends = nil
    }

    // W16
    @Test(arguments: [0, 1, 2_000_000])
    func `a channel that stands alone sends a file and waits`(size: Int) throws {
        let all = pattern(size)
        let folder = try TemporaryFolder()
        let path = try folder.write(all)
        let ends = try AloneEnds()
        let peer = PeerReader(try ends.takePeer())
        let thread = OtherThread { peer.readAll() }
        try ends.channel.write("before ")
        #expect(try ends.channel.sendFile(path) == size)
        try ends.channel.write(" after")
        #expect(ends.channel.unsentByteCount == 0)
        ends.channel.close()
        thread.join()
        expectSame(peer.bytes, Array("before ".utf8) + all + Array(" after".utf8))
        #expect(ends.channel.endReason == .local)
    }

    // W16, K20
    @Test func `an empty file leaves nothing that a close would wait for`() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write([])
        let ends = try AloneEnds()
        #expect(try ends.channel.sendFile(path) == 0)
        ends.channel.close()
        #expect(ends.channel.endReason == .local)
        #expect(try ends.peer?.receiveNow() == nil)
    }

    // W16, K21
    @Test func `a channel that stands alone throws what sendfile met, once`() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(pattern(1_000))
        let ends = try AloneEnds()
        let error = #expect(throws: ChannelError.self) {
            try SystemCall.failing(.sendFile, with: .brokenPipe) { try ends.channel.sendFile(path) }
        }
        let expected = SocketError(.write, .brokenPipe, at: ends.channel.peerAddress)
        #expect(error == .socket(expected))
        #expect(ends.channel.takeError() == nil)
        ends.channel.close()
    }
}

/// How often SIGPIPE has come.
private let sigpipeCount = Atomic<Int>(0)

/// A peer that reads everything, on a thread of its own.
private final class PeerReader: Sendable {
    private let peer: Socket
    private let got = Mutex<[UInt8]>([])

    init(_ peer: consuming Socket) { self.peer = peer }

    var bytes: [UInt8] { got.withLock { $0 } }

    func readAll() {
        var question = pollfd(fd: peer.number, events: Int16(POLLIN), revents: 0)
        while poll(&question, 1, 10_000) > 0 {
            // An error ends it as the end of the input does; what came is looked at by the test.
            guard let bytes = try? peer.receiveNow() else { return }
            got.withLock { $0 += bytes }
        }
    }
}
