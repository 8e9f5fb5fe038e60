// SPDX-License-Identifier: Apache-2.0
//
// What tests of transfers hold: what was told, a channel that is copied to, and a transmitter and a
// receiver, each with a partner of bare sockets or with one another.

import Glibc
import TestSupport
import Testing

@testable import Sluice

/// What transfers have told.
final class Told {
    /// At their ends.
    var results: [TransferResult] = []
    /// On the way.
    var pieces: [CopyCounts] = []

    var isOver: Bool { !results.isEmpty }
    var error: TransferError? { results.last?.error }
    var counts: CopyCounts? { results.last?.counts }

    /// How much had been read after each piece.
    var steps: [Int] { pieces.map(\.read) }

    func piece(_ counts: CopyCounts) { pieces.append(counts) }

    func end(_ result: TransferResult) { results.append(result) }

    /// One transfer has ended with this, and nothing else was told.
    func expect(
        _ count: Int, _ error: TransferError? = nil,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(results.count == 1, sourceLocation: sourceLocation)
        let expected = CopyCounts(read: count, bytesWritten: count)
        #expect(counts == expected, sourceLocation: sourceLocation)
        #expect(self.error == error, sourceLocation: sourceLocation)
    }
}

extension Reactor {
    /// Runs, without ever waiting, until a condition holds that no event tells of, such as what a
    /// bare peer has got.
    func poll(
        _ what: Comment, sourceLocation: SourceLocation = #_sourceLocation,
        until condition: () -> Bool
    ) {
        let limit = ContinuousClock.now + .seconds(20)
        while !condition() {
            guard ContinuousClock.now < limit else {
                Issue.record(what, sourceLocation: sourceLocation)
                return
            }
            runPending()
        }
    }
}

/// What a call that must be refused throws.
func refusal(_ body: () throws(TransferError) -> Void) -> TransferError? {
    do throws(TransferError) { try body() } catch { return error }
    return nil
}

/// A channel that is copied to, and its peer.
final class DataEnds: CustomReflectable {
    let reactor: Reactor
    let ends: ConnectionEnds
    let told = Told()
    var to: Channel { ends.channel }
    // A failed expectation shows what it looked at; sockets, which can't be copied, can't be shown.
    var customMirror: Mirror { Mirror(self, children: []) }

    init(options: ChannelOptions = .binary, smallBuffers: Bool = false) throws {
        reactor = try Reactor()
        ends = try ConnectionEnds(on: reactor, options: options, smallBuffers: smallBuffers)
    }

    @discardableResult
    func copy(
        _ source: TransferSource, _ options: CopyOptions = .init()
    ) throws(TransferError) -> ChannelCopy {
        try to.copy(
            from: source, options: options, progress: { [told] in told.piece($0) },
            completion: { [told] in told.end($0) })
    }

    func waitForEnd() {
        reactor.expect("the end of the copy") { told.isOver }
        reactor.settle()
    }
}

/// A transmitter or a receiver, and what it has told.
final class TransferEnd {
    let reactor: Reactor
    let told = Told()
    let transmitter: Transmitter?
    let receiver: Receiver?
    /// What the last call has returned.
    private(set) var port: UInt16?

    init(on reactor: Reactor, sending source: TransferSource, _ options: TransferOptions) {
        self.reactor = reactor
        transmitter = Transmitter(on: reactor, source: source, options: options)
        receiver = nil
    }

    init(
        on reactor: Reactor, receiving destination: TransferDestination, _ options: TransferOptions
    ) {
        self.reactor = reactor
        receiver = Receiver(on: reactor, destination: destination, options: options)
        transmitter = nil
    }

    var isBusy: Bool { transmitter?.isBusy ?? receiver?.isBusy ?? false }

    func start() throws(TransferError) {
        let before = told.results.count
        let (piece, end) = (told.piece, told.end)
        port =
            if let transmitter {
                try transmitter.start(progress: piece, end)
            } else if let receiver {
                try receiver.start(progress: piece, end)
            } else {
                nil
            }
        #expect(told.results.count == before, "the completion came before the call had returned")
    }

    func cancel() {
        transmitter?.cancel()
        receiver?.cancel()
    }

    /// Starts one that waits, and connects to it.
    func startWithPeer(receiveBuffer: Int? = nil) throws -> Socket {
        try start()
        let address = SocketAddress.loopback(port: try #require(port))
        let peer = try Socket(for: address)
        if let receiveBuffer { try peer.set(.receiveBufferByteCount, to: receiveBuffer) }
        _ = try peer.connect(to: address)
        return peer
    }

    func waitForEnd(sourceLocation: SourceLocation = #_sourceLocation) {
        reactor.expect("the end of the transfer", sourceLocation: sourceLocation) { told.isOver }
        reactor.settle()
    }
}

extension TransferOptions {
    /// Waits on loopback.
    static var waiting: TransferOptions { TransferOptions(.waiting) }

    /// Goes to a port of loopback.
    static func going(to port: UInt16?) -> TransferOptions { TransferOptions(.going(to: port)) }
}

/// A transmitter and a receiver that are each other's partner.
final class TransferPair {
    let reactor: Reactor
    let sender: TransferEnd
    let receiver: TransferEnd

    /// - Parameter passive: which of the two waits.
    init(
        _ source: TransferSource, _ destination: TransferDestination,
        on reactor: Reactor? = nil, passive: Direction = .receiving
    ) throws {
        let reactor = try reactor ?? Reactor()
        self.reactor = reactor
        if passive == .receiving {
            receiver = TransferEnd(on: reactor, receiving: destination, .waiting)
            try receiver.start()
            sender = TransferEnd(on: reactor, sending: source, .going(to: receiver.port))
            try sender.start()
        } else {
            sender = TransferEnd(on: reactor, sending: source, .waiting)
            try sender.start()
            receiver = TransferEnd(on: reactor, receiving: destination, .going(to: sender.port))
            try receiver.start()
        }
    }

    enum Direction: Sendable, CaseIterable { case sending, receiving }

    func waitForBoth(sourceLocation: SourceLocation = #_sourceLocation) {
        sender.waitForEnd(sourceLocation: sourceLocation)
        receiver.waitForEnd(sourceLocation: sourceLocation)
    }
}

/// Whether two files have the same bytes; none of both is held in memory.
func isSame(_ one: String, _ other: String) -> Bool {
    guard let first = fopen(one, "re") else { return false }
    defer { fclose(first) }
    guard let second = fopen(other, "re") else { return false }
    defer { fclose(second) }
    var pieces = (
        [UInt8](repeating: 0, count: 1 << 20), [UInt8](repeating: 0, count: 1 << 20)
    )
    while true {
        let counts = (
            fread(&pieces.0, 1, pieces.0.count, first), fread(&pieces.1, 1, pieces.1.count, second)
        )
        guard counts.0 == counts.1, memcmp(pieces.0, pieces.1, counts.0) == 0 else { return false }
        if counts.0 == 0 { return true }
    }
}
