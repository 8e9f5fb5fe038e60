// SPDX-License-Identifier: Apache-2.0
//
// What fails in the background is kept, and told by the next operation, whichever that is; the queue
// is gone, and closing is clean (K21).

import Glibc
import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct TellingFailures: ConnectionSuite {
    let ends: ConnectionEnds

    enum Operation: CaseIterable {
        case write, writeText, writeLine, print, flush, read, parse, readLine, readCharacters
        case readText, nextLine, closeWriting, sendFile, copy, takeError
    }

    /// What an operation tells.
    private func failure(of operation: Operation) -> SocketError? {
        do {
            switch operation {
            case .write: try channel.write([1])
            case .writeText: try channel.write("x")
            case .writeLine: try channel.writeLine("x")
            case .print: try channel.print("x")
            case .flush: try channel.flush()
            case .read: try channel.read { _ in }
            case .parse: try channel.parse { $0.byteCount }
            case .readLine: _ = try channel.readLine()
            case .readCharacters: _ = try channel.read(characters: 1)
            case .readText: _ = try channel.readText()
            case .nextLine: _ = try channel.nextLine()
            case .closeWriting: try channel.closeWriting()
            case .sendFile: try channel.sendFile("/etc/passwd")
            case .copy: try channel.copy(to: channel) { _ in }.stop()
            case .takeError: return channel.takeError()
            }
        } catch let error as SocketError {
            return error
        } catch ChannelError.socket(let error) {
            return error
        } catch {
            return nil
        }
        return nil
    }

    // K21
    @Test(arguments: Operation.allCases)
    func `a failure in the background is told by the next operation`(_ next: Operation) throws {
        try channel.write("goes out in the background")
        SystemCall.failing(.send, with: .noMemory) { reactor.settle() }
        let kept = SocketError(.write, .noMemory, at: channel.peerAddress)
        #expect(channel.status == .failed)
        #expect(channel.unsentByteCount == 0)
        #expect(failure(of: next) == kept)
        // Once: from now on it is a channel that can't be written to.
        #expect(channel.takeError() == nil)
        #expect(failure(of: .write)?.code == .brokenPipe)
        channel.close()
        reactor.settle()
        #expect(ends.endReasons == [.failed(kept)])
        #expect(try ends.peer?.receiveNow() == nil)
    }

    // K21
    @Test func `a queue that has failed is told by the next operation of a blocking channel`()
        throws
    {
        try ends.fill()
        try ends.resetByPeer()
        reactor.settle()
        channel.options.isBlocking = true
        let error = #expect(throws: SocketError.self) { try channel.write([1]) }
        #expect([.connectionReset, .brokenPipe].contains(error?.code))
        #expect(channel.unsentByteCount == 0)
        #expect(channel.takeError() == nil)
        channel.close()
        #expect(channel.status == .closed)
    }

    // K21
    @Test func `a blocking channel tells its failure at once, and nothing is kept`() throws {
        channel.options.isBlocking = true
        let error = #expect(throws: SocketError.self) {
            try SystemCall.intercepting(
                { [.send, .sendVector].contains($0) ? .failure(.noMemory) : nil },
                { try channel.write([1]) })
        }
        #expect(error == SocketError(.write, .noMemory, at: channel.peerAddress))
        #expect(channel.takeError() == nil)
        channel.close()
        #expect(channel.status == .closed)
    }

    // K21
    @Test func `the peer gets nothing of a queue that has failed`() throws {
        channel.options.buffering = .full
        try channel.write("held back")
        SystemCall.intercepting(
            { [.send, .sendVector].contains($0) ? .failure(.noMemory) : nil },
            { _ = try? channel.flush() })  // The failure is what the test is about.
        _ = channel.takeError()
        channel.close()
        reactor.settle()
        #expect(try ends.peer?.receiveNow() == nil)
    }

    // K21
    @Test func `lines that end at a failure leave it to be told`() throws {
        try ends.peer?.sendAll("line\n")
        try channel.write("goes out in the background")
        SystemCall.failing(.send, with: .noMemory) { reactor.settle() }
        #expect(Array(channel.lines) == [])
        let kept = SocketError(.write, .noMemory, at: channel.peerAddress)
        #expect(channel.takeError() == kept)
        #expect(try channel.readLine() == "line")
    }
}
