// SPDX-License-Identifier: Apache-2.0
//
// Every way to write to a peer that is gone: an error each time, and never a signal (W23).
// The signal is not ignored meanwhile but counted, so that one that comes is seen.

import Glibc
import Synchronization
import TestSupport
import Testing

@testable import Sluice

/// How many signals came.
private let signalCount = Atomic(0)

/// Counts the signals of broken pipes while a test runs.
private struct CountingSignals: TestTrait, SuiteTrait, TestScoping {
    var isRecursive: Bool { true }

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        guard testCase != nil else { return try await function() }
        let before = signalCount.load(ordering: .relaxed)
        let old = signal(SIGPIPE) { _ in signalCount.add(1, ordering: .relaxed) }
        defer { signal(SIGPIPE, old) }
        try await function()
        #expect(signalCount.load(ordering: .relaxed) == before, "a signal was raised")
    }
}

extension Trait where Self == CountingSignals {
    fileprivate static var countingSignals: Self { Self() }
}

@Suite(.countingDescriptors, .countingSignals)
struct WritingIntoNothing: ConnectionSuite {
    let ends: ConnectionEnds

    private static let large = [UInt8](repeating: 7, count: 1_000_000)

    /// The codes of an error of writing to a peer that is gone.
    private func expectGone(
        _ error: SocketError?, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(
            [.brokenPipe, .connectionReset].contains(error?.code), "\(String(describing: error))",
            sourceLocation: sourceLocation)
        #expect(error?.operation == .write, sourceLocation: sourceLocation)
    }

    enum Way: CaseIterable {
        case small, large, flushed, unbuffered, line, full, blocking, text
    }

    private func write(_ way: Way, to channel: Channel) throws {
        switch way {
        case .small: try channel.write([1, 2, 3])
        case .large: try channel.write(Self.large)
        case .flushed:
            try channel.write([1, 2, 3])
            try channel.flush()
        case .unbuffered: channel.options.buffering = .none
        case .line: channel.options.buffering = .line
        case .full: channel.options.buffering = .full
        case .blocking: channel.options.isBlocking = true
        case .text: try channel.writeLine("text")
        }
        if [.unbuffered, .line, .full, .blocking].contains(way) {
            try channel.write(Array("a line\n".utf8) + Self.large)
        }
        reactor.settle()
        try channel.flush()
    }

    // W23
    @Test(arguments: Way.allCases)
    func `writing to a connection that was cut is an error and no signal`(in way: Way) throws {
        try ends.resetByPeer()
        expectGone(#expect(throws: SocketError.self) { try write(way, to: channel) })
        #expect(channel.endReason == .reset)
        expectGone(#expect(throws: SocketError.self) { try channel.write([1]) })
        channel.close()
    }

    // W23
    @Test(arguments: Way.allCases)
    func `writing on to a peer that has closed is an error and no signal`(in way: Way) throws {
        ends.peer = nil
        // At least one segment leaves before the peer's answer to it comes.
        _ = try? channel.write([1])  // The error may come at once, and is then told here.
        _ = try? channel.flush()
        expectGone(
            #expect(throws: SocketError.self) { for _ in 0..<3 { try write(way, to: channel) } })
        #expect(channel.endReason == .reset)
        channel.close()
    }

    // W23
    @Test func `a queue that meets a peer that is gone is an error and no signal`() throws {
        try ends.fill()
        try ends.resetByPeer()
        reactor.settle()
        expectGone(#expect(throws: SocketError.self) { try channel.write([1]) })
        #expect(channel.unsentByteCount == 0)
    }

    // W23
    @Test func `closing a channel whose peer is gone raises no signal`() throws {
        try channel.write([1, 2, 3])
        try ends.resetByPeer()
        channel.close()
        reactor.settle()
        #expect(channel.status == .closed)
    }

    // W23
    @Test func `a half-close towards a peer that is gone raises no signal`() throws {
        try ends.resetByPeer()
        // Whether it is told here or by the next call is all the same.
        _ = try? channel.closeWriting()
        reactor.settle()
        #expect(channel.status == .failed || channel.status == .halfClosed)
        channel.close()
    }

    // W23
    @Test func `a file for a peer that is gone is an error and no signal`() throws {
        let path = "/tmp/sluice-\(getpid())-nobody-reads"
        let number = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o600)
        try #require(number >= 0)
        defer { unlink(path) }
        try #require(Glibc.write(number, Self.large, Self.large.count) == Self.large.count)
        Glibc.close(number)
        ends.peer = nil
        try channel.write([1])
        try channel.flush()
        let result = Box<ChannelError?>(nil)
        let isOver = Box(false)
        do {
            try channel.sendFile(path) { outcome in
                isOver.value = true
                result.value = outcome.error
            }
            reactor.expect("the sending is over") { isOver.value }
        } catch {
            result.value = error
        }
        guard case .socket(let error) = result.value else {
            Issue.record("no error: \(String(describing: result.value))")
            return
        }
        expectGone(error)
    }

    // W23
    @Test(arguments: [Buffering.none, .line, .full, .turn])
    func `a channel that stands alone is told by an error and no signal`(by way: Buffering) throws {
        var options = ChannelOptions()
        options.buffering = way
        let lone = try LoneTCPEnds(options: options)
        lone.closePeer()
        let error = #expect(throws: SocketError.self) {
            for _ in 0..<3 {
                try lone.channel.write([1])
                try lone.channel.flush()
            }
        }
        expectGone(error)
        #expect(lone.channel.status == .failed)
        lone.channel.close()
        #expect(lone.channel.status == .closed)
    }
}
