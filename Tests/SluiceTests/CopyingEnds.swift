// SPDX-License-Identifier: Apache-2.0
//
// The connections that tests of copies and files hold: two on one reactor, or one that stands alone.
// What copies tell is kept, to be looked at in one go.

import TestSupport
import Testing

@testable import Sluice

/// Two connections on one reactor: a copy reads the channel of the one and writes to the other's.
final class CopyingEnds {
    let reactor: Reactor
    let source: ConnectionEnds
    let sink: ConnectionEnds
    /// What copies have told at their end.
    var results: [CopyResult] = []
    /// What they have told on the way.
    var pieces: [CopyCounts] = []

    var from: Channel { source.channel }
    var to: Channel { sink.channel }

    init(
        from: ChannelOptions = .binary, to: ChannelOptions = .binary, smallBuffers: Bool = false
    ) throws {
        reactor = try Reactor()
        source = try ConnectionEnds(on: reactor, options: from)
        sink = try ConnectionEnds(on: reactor, options: to, smallBuffers: smallBuffers)
    }

    @discardableResult
    func copy(limit: Int? = nil) throws(ChannelError) -> ChannelCopy {
        try from.copy(
            to: to, limit: limit, progress: { [unowned self] in pieces.append($0) },
            completion: { [unowned self] in results.append($0) })
    }

    /// The source's peer sends this and, if asked, nothing more.
    func send(_ text: String, isLast: Bool = false) throws {
        try source.peer?.sendAll(text)
        if isLast { try source.peer?.shutDown(.writing) }
    }

    /// The source's peer sends this.
    func send(_ bytes: [UInt8]) throws {
        #expect(try source.peer?.send(bytes.span.bytes) == .bytes(bytes.count))
    }

    /// What the sink's peer has got so far.
    func received() throws -> String {
        reactor.settle()
        return try sink.peer?.receiveNow()?.text ?? "the end"
    }

    /// The source's peer sends all, as fast as it is taken; gives what the sink's peer got.
    func exchange(_ all: [UInt8]) throws -> [UInt8] {
        var sent = 0
        var got: [UInt8] = []
        let limit = ContinuousClock.now + .seconds(20)
        while got.count < all.count, ContinuousClock.now < limit {
            let rest = all.span.bytes.extracting(droppingFirst: sent)
            if sent < all.count, case .bytes(let count)? = try source.peer?.send(rest) {
                sent += count
            }
            reactor.runPending()
            got += try sink.peer?.receiveNow() ?? []
        }
        return got
    }

    /// Runs until a copy has told its end, for a second at most.
    func waitForEnd() {
        reactor.settle()
        let guardian = reactor.after(.seconds(1)) { [unowned reactor] in reactor.stop() }
        _ = reactor.run { !results.isEmpty }
        guardian.cancel()
        reactor.settle()
    }

    func expectEnd(
        read: Int, written: Int, _ error: ChannelError? = nil,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        waitForEnd()
        #expect(results.count == 1, sourceLocation: sourceLocation)
        let expected = CopyCounts(read: read, bytesWritten: written)
        #expect(results.first?.counts == expected, sourceLocation: sourceLocation)
        #expect(results.first?.error == error, sourceLocation: sourceLocation)
    }
}

// A failed expectation shows what it looked at; sockets, which can't be copied, can't be shown.

extension CopyingEnds: CustomReflectable {
    var customMirror: Mirror { Mirror(self, children: []) }
}

extension ChannelCopy {
    func expect(
        isUnderWay expected: Bool, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let isUnderWay = isUnderWay
        #expect(isUnderWay == expected, sourceLocation: sourceLocation)
    }

    func expect(moved count: Int, sourceLocation: SourceLocation = #_sourceLocation) {
        let counts = counts
        let expected = CopyCounts(read: count, bytesWritten: count)
        #expect(counts == expected, sourceLocation: sourceLocation)
    }
}

extension CopyCounts {
    init(read: Int, bytesWritten: Int) {
        self.init()
        self.read = read
        self.bytesWritten = bytesWritten
    }
}

/// A channel that stands alone, and its peer.
final class AloneEnds: CustomReflectable {
    let channel: Channel
    var peer: Socket?

    init(options: ChannelOptions = .binary) throws {
        let server = try ServerSocket(at: .loopback(port: 0))
        peer = try Socket.connecting(to: server.address)
        channel = try server.accept(options: options)
    }

    var customMirror: Mirror { Mirror(self, children: []) }

    func takePeer() throws(SocketError) -> Socket {
        guard let peer = peer.take() else { throw SocketError(.perform, .badDescriptor) }
        return peer
    }
}
