// SPDX-License-Identifier: Apache-2.0
//
// Transfers that fail, in each of their states: the reason, what was moved, what the partner learns
// of it (N52).

import Glibc
import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct TransferFailures {
    let reactor: Reactor
    let folder: TemporaryFolder

    init() throws {
        reactor = try Reactor()
        folder = try TemporaryFolder()
    }

    /// Whether the partner has cut the connection.
    private func isReset(_ error: TransferError?) -> Bool {
        guard case .connection(.socket(let reason)) = error else { return false }
        return [.brokenPipe, .connectionReset].contains(reason.code)
    }

    /// Whether a bare peer meets a reset, and not the end; what comes before is dropped.
    private func meetsReset(_ peer: borrowing Socket) -> Bool {
        let limit = ContinuousClock.now + .seconds(20)
        while ContinuousClock.now < limit {
            reactor.runPending()
            do throws(SocketError) {
                var storage = [UInt8](repeating: 0, count: 65_536)
                var span = storage.mutableSpan
                var bytes = span.mutableBytes
                if case .endOfStream = try peer.receive(into: &bytes) { return false }
            } catch {
                return error.code == .connectionReset
            }
        }
        return false
    }

    // MARK: Connecting

    // N52
    @Test func `a partner that is not there is told`() throws {
        let place = try SocketAddress.unused()
        let sender = TransferEnd(on: reactor, sending: .text("x"), .going(to: place.port))
        try sender.start()
        sender.waitForEnd()
        guard case .connecting(.connect(let error)) = sender.told.error else { throw Mishap() }
        #expect(error.cause == .refused(SocketError(.connect, .connectionRefused, at: place)))
        #expect(!sender.isBusy)
    }

    // N52
    @Test func `a partner that never comes is not waited for beyond the limit`() throws {
        var options = TransferOptions.waiting
        options.connector.timeLimit = .milliseconds(20)
        let path = try folder.write(Array("as it was".utf8))
        let receiver = TransferEnd(on: reactor, receiving: .file(path), options)
        try receiver.start()
        receiver.waitForEnd()
        receiver.told.expect(0, .connecting(.timedOut))
        #expect(folder.read()?.text == "as it was")
    }

    // N52
    @Test func `what keeps a run from beginning is thrown, and the next may begin`() throws {
        let taken = try Socket.listening()
        let address = try taken.localAddress
        var options = TransferOptions.waiting
        options.connector.port = address.port ?? 0
        let sender = TransferEnd(on: reactor, sending: .text("x"), options)
        let error = refusal { () throws(TransferError) in try sender.start() }
        guard case .connecting(.socket(let reason)) = error else { throw Mishap() }
        #expect(reason.code == .addressInUse)
        #expect(!sender.isBusy)
        let gone = TransferEnd(on: reactor, sending: .file(folder["gone"]), .waiting)
        let lacking = refusal { () throws(TransferError) in try gone.start() }
        #expect(lacking == .source(.file(path: folder["gone"], .noEntry)))
        #expect(!gone.isBusy)
        try folder.write([1], to: "gone")
        try gone.start()
        #expect(gone.isBusy)
        gone.cancel()
        withExtendedLifetime(taken.number) {}
    }

    // N52
    @Test func `a file that has gone when the partner comes is told`() throws {
        let path = try folder.write([1, 2, 3])
        let sender = TransferEnd(on: reactor, sending: .file(path), .waiting)
        let peer = try sender.startWithPeer()
        unlink(path)
        sender.waitForEnd()
        sender.told.expect(0, .source(.file(path: path, .noEntry)))
        let isCut = meetsReset(peer)
        #expect(isCut)
        let receiver = TransferEnd(on: reactor, receiving: .file(path), .waiting)
        let partner = try receiver.startWithPeer()
        SystemCall.failing(.open, with: .permissionDenied) { receiver.waitForEnd() }
        receiver.told.expect(0, .destination(.file(path: path, .permissionDenied)))
        let isCutToo = meetsReset(partner)
        #expect(isCutToo)
    }

    // MARK: Moving

    // N52
    @Test(arguments: [false, true])
    func `a partner that cuts the connection is told to a transmitter`(isFile: Bool) throws {
        let all = pattern(30_000_000)
        let source: TransferSource = isFile ? .file(try folder.write(all)) : .bytes(all)
        let sender = TransferEnd(on: reactor, sending: source, .waiting)
        let peer = try sender.startWithPeer(receiveBuffer: 4_096)
        reactor.expect("something goes") { !sender.told.pieces.isEmpty }
        try peer.resetOnClose()
        try peer.close()
        sender.waitForEnd()
        #expect(sender.told.results.count == 1)
        #expect(isReset(sender.told.error))
        #expect((1..<all.count).contains(sender.told.counts?.bytesWritten ?? 0))
        #expect(!sender.isBusy)
    }

    // N52
    @Test func `a partner that cuts the connection is told to a receiver`() throws {
        let receiver = TransferEnd(on: reactor, receiving: .file(folder["copy"]), .waiting)
        let peer = try receiver.startWithPeer()
        try peer.sendAll("a part")
        reactor.expect("it has come") { !receiver.told.pieces.isEmpty }
        try peer.resetOnClose()
        try peer.close()
        receiver.waitForEnd()
        #expect(isReset(receiver.told.error))
        #expect(receiver.told.counts == CopyCounts(read: 6, bytesWritten: 6))
        #expect(folder.read("copy")?.text == "a part")
    }

    // N52
    @Test func `a partner that cuts the connection instead of closing it is told`() throws {
        let sender = TransferEnd(on: reactor, sending: .text("all"), .waiting)
        let peer = try sender.startWithPeer()
        var count = 0
        reactor.expect("all is there") {
            count += (try? peer.receiveNow())?.count ?? 0
            return count == 3
        }
        reactor.settle()
        try peer.resetOnClose()
        try peer.close()
        sender.waitForEnd()
        #expect(isReset(sender.told.error))
        #expect(sender.told.counts == CopyCounts(read: 3, bytesWritten: 3))
    }

    // N52
    @Test func `a partner that takes nothing is not waited for beyond the limit`() throws {
        var options = TransferOptions.waiting
        options.closeLimit = .milliseconds(50)
        let sender = TransferEnd(on: reactor, sending: .bytes(pattern(40_000)), options)
        let peer = try sender.startWithPeer(receiveBuffer: 4_096)
        sender.waitForEnd()
        guard case .connection(.socket(let error)) = sender.told.error else { throw Mishap() }
        #expect(error.operation == .write)
        #expect(error.code == .timedOut)
        let isCut = meetsReset(peer)
        #expect(isCut)
    }

    // N52
    @Test func `a partner that has ended its side and does not take all is told`() throws {
        let sender = TransferEnd(on: reactor, sending: .bytes(pattern(40_000)), .waiting)
        let peer = try sender.startWithPeer(receiveBuffer: 4_096)
        try peer.shutDown(.writing)
        reactor.expect("all is in the kernel") { sender.told.steps.last == 40_000 }
        reactor.settle()
        #expect(sender.told.results.isEmpty)
        try peer.close()
        sender.waitForEnd()
        #expect(sender.told.results.count == 1)
        #expect(isReset(sender.told.error))
    }

    // N52
    @Test func `a partner that closes without a look at what comes is told`() throws {
        let sender = TransferEnd(on: reactor, sending: .bytes(pattern(40_000)), .waiting)
        let peer = try sender.startWithPeer()
        try peer.close()
        sender.waitForEnd()
        #expect(sender.told.results.count == 1)
        #expect(isReset(sender.told.error))
    }

    // N52
    @Test func `what the queue has dropped is not told as written`() throws {
        let sender = TransferEnd(on: reactor, sending: .bytes(pattern(100_000)), .waiting)
        let peer = try sender.startWithPeer()
        Answers(.failure(.brokenPipe), to: [.send, .sendVector]).give { sender.waitForEnd() }
        #expect(isReset(sender.told.error))
        #expect(sender.told.counts?.bytesWritten == 0)
        withExtendedLifetime(peer.number) {}
    }

    // N51
    @Test(arguments: [nil, 5])
    func `a file stays as it was where nothing came`(size: Int?) throws {
        let path = try folder.write(Array("as it was".utf8))
        let receiver = TransferEnd(on: reactor, receiving: .file(path, size: size), .waiting)
        let peer = try receiver.startWithPeer()
        reactor.settle()
        #expect(receiver.isBusy)
        #expect(folder.read()?.text == "as it was")
        // Without a size the end of the input is a whole transfer of nothing, a reset is not.
        if size == nil { try peer.resetOnClose() }
        try peer.close()
        receiver.waitForEnd()
        #expect(receiver.told.error != nil)
        #expect(folder.read()?.text == "as it was")
    }

    // N51
    @Test func `an input that is empty empties a file`() throws {
        let path = try folder.write(Array("as it was".utf8))
        let receiver = TransferEnd(on: reactor, receiving: .file(path, from: 2), .waiting)
        try receiver.startWithPeer().close()
        receiver.waitForEnd()
        receiver.told.expect(0)
        #expect(folder.read()?.text == "as")
    }

    // N52
    @Test func `a file that is on its way needs no more descriptors`() throws {
        let all = pattern(3_000_000)
        let path = try folder.write(all)
        let sender = TransferEnd(on: reactor, sending: .file(path), .waiting)
        let peer = try sender.startWithPeer(receiveBuffer: 4_096)
        reactor.expect("something goes") { !sender.told.pieces.isEmpty }
        var count = 0
        SystemCall.failing(.duplicate, with: .tooManyOpenFiles) {
            reactor.poll("all has come") {
                count += (try? peer.receiveNow())?.count ?? 0
                return count == all.count || sender.told.isOver
            }
        }
        #expect(count == all.count)
        try peer.close()
        sender.waitForEnd()
        sender.told.expect(all.count)
    }

    // N52
    @Test(arguments: TransferPair.Direction.allCases)
    func `a connection on which nothing moves ends at its idle limit`(
        waiting: TransferPair.Direction
    ) throws {
        var options = TransferOptions.waiting
        options.connector.channel.idleTimeout = .milliseconds(30)
        let end: TransferEnd
        let near = try ConnectionEnds(on: reactor)
        if waiting == .sending {
            end = TransferEnd(on: reactor, sending: .channel(near.channel), options)
        } else {
            end = TransferEnd(on: reactor, receiving: .bytes(upTo: 1), options)
        }
        let peer = try end.startWithPeer()
        end.waitForEnd()
        guard case .connection(.socket(let error)) = end.told.error else { throw Mishap() }
        #expect(error.operation == (waiting == .sending ? .write : .read))
        #expect(error.code == .timedOut)
        #expect(near.channel.status == .open)
        withExtendedLifetime(peer.number) {}
    }

    // N52
    @Test func `a full disk is told, and the transmitter learns that it failed`() throws {
        let full = ErrorCode(rawValue: ENOSPC)
        let pair = try TransferPair(
            .bytes(pattern(30_000_000)), .file(folder["copy"]), on: reactor)
        let answers = Answers(.failure(full), to: [.write]) { $0 > 3 }
        answers.give { pair.waitForBoth() }
        let error = TransferError.destination(.file(path: folder["copy"], full))
        #expect(pair.receiver.told.error == error)
        #expect(pair.receiver.told.counts?.bytesWritten == folder.read("copy")?.count)
        #expect(isReset(pair.sender.told.error))
    }

    // N52
    @Test func `a file that becomes shorter is told, and the receiver learns that it failed`()
        throws
    {
        let path = try folder.write(pattern(30_000_000))
        let sender = TransferEnd(on: reactor, sending: .file(path), .waiting)
        let peer = try sender.startWithPeer(receiveBuffer: 4_096)
        reactor.expect("something goes") { !sender.told.pieces.isEmpty }
        reactor.settle()
        try #require(truncate(path, 10) == 0)
        let isCut = meetsReset(peer)
        #expect(isCut)
        sender.waitForEnd()
        #expect(sender.told.error == .source(.file(path: path, .noData)))
        let counts = try #require(sender.told.counts)
        #expect((1..<30_000_000).contains(counts.bytesWritten))
        #expect(counts.read == counts.bytesWritten)
    }

    // N52
    @Test func `a file that can't be read any more is told`() throws {
        let path = try folder.write(pattern(100))
        let sender = TransferEnd(on: reactor, sending: .file(path), .waiting)
        let peer = try sender.startWithPeer()
        SystemCall.failing(.sendFile, with: .inputOutput) { sender.waitForEnd() }
        guard case .connection(.socket(let error)) = sender.told.error else { throw Mishap() }
        #expect(error.code == .inputOutput)
        #expect(sender.told.counts == CopyCounts())
        let isCut = meetsReset(peer)
        #expect(isCut)
    }

    // N52
    @Test func `a receiver that was promised more tells its partner, too`() throws {
        let pair = try TransferPair(
            .text("three"), .bytes(upTo: 10, size: 6), on: reactor)
        pair.waitForBoth()
        pair.receiver.told.expect(5, .cutShort(promised: 6, came: 5))
        #expect(pair.receiver.told.results.first?.bytes.text == "three")
        #expect(isReset(pair.sender.told.error))
    }

    // N52
    @Test func `a source that has less than was asked for cuts the connection`() throws {
        let near = try ConnectionEnds(on: reactor, options: .binary)
        try near.peer?.sendAll("abc")
        try near.peer?.shutDown(.writing)
        let source = TransferSource.channel(near.channel, size: 4)
        let sender = TransferEnd(on: reactor, sending: source, .waiting)
        let peer = try sender.startWithPeer()
        sender.waitForEnd()
        sender.told.expect(3, .cutShort(promised: 4, came: 3))
        let isCut = meetsReset(peer)
        #expect(isCut)
    }

    // N52
    @Test(arguments: TransferPair.Direction.allCases)
    func `a channel that the program closes meanwhile is told`(
        direction: TransferPair.Direction
    ) throws {
        let near = try ConnectionEnds(on: reactor, options: .binary)
        let isSending = direction == .sending
        let end =
            isSending
            ? TransferEnd(on: reactor, sending: .channel(near.channel), .waiting)
            : TransferEnd(on: reactor, receiving: .channel(near.channel), .waiting)
        let peer = try end.startWithPeer()
        if isSending { try near.peer?.sendAll("abc") } else { try peer.sendAll("abc") }
        reactor.expect("it moves") { !end.told.pieces.isEmpty }
        near.channel.close()
        end.waitForEnd()
        let code = ErrorCode.badDescriptor
        let address = near.channel.peerAddress
        let error = ChannelError.socket(SocketError(isSending ? .read : .write, code, at: address))
        end.told.expect(3, isSending ? .source(error) : .destination(error))
        let isCut = meetsReset(peer)
        #expect(isCut)
    }

    // N52
    @Test func `the connection is told apart from a channel that fails behind it`() throws {
        let far = try ConnectionEnds(on: reactor, options: .binary)
        let receiver = TransferEnd(on: reactor, receiving: .channel(far.channel), .waiting)
        let peer = try receiver.startWithPeer()
        try peer.sendAll("abc")
        #expect(try far.receive(3).text == "abc")
        try far.resetByPeer()
        try peer.sendAll("def")
        receiver.waitForEnd()
        guard case .destination(.socket(let error)) = receiver.told.error else { throw Mishap() }
        #expect(error.address == far.channel.peerAddress)
        let isCut = meetsReset(peer)
        #expect(isCut)
    }

    // N52
    @Test func `a process without descriptors is told`() throws {
        let sender = TransferEnd(on: reactor, sending: .text("x"), .waiting)
        let error = withDescriptors(spare: 0) {
            refusal { () throws(TransferError) in try sender.start() }
        }
        guard case .connecting(.socket(let reason)) = error else { throw Mishap() }
        #expect(reason.code == .tooManyOpenFiles)
        #expect(!sender.isBusy)
    }
}
