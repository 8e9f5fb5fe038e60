// SPDX-License-Identifier: Apache-2.0
//
// Transfers that are ended before their time, by the program or with their reactor: in any state
// nothing is told and nothing stays open (N52).

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct CancellingTransfers {
    /// How far a run has come.
    enum State: CaseIterable, Sendable { case idle, waiting, going, moving, closing, ended }

    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// Brings a transmitter into a state.
    private func bring(
        _ state: State, on reactor: Reactor, _ listener: borrowing Socket
    ) throws -> (TransferEnd, PeerBox) {
        let isLong = state == .moving
        let path = try folder.write(pattern(isLong ? 30_000_000 : 100))
        let goes = state == .going
        let options: TransferOptions =
            goes ? .going(to: try listener.localAddress.port) : .waiting
        let end = TransferEnd(on: reactor, sending: .file(path), options)
        let box = PeerBox()
        switch state {
        case .idle: break
        case .waiting, .going: try end.start()
        case .moving, .closing, .ended:
            box.peer = try end.startWithPeer(receiveBuffer: 4_096)
            reactor.expect("something goes") { !end.told.pieces.isEmpty }
            reactor.settle()
        }
        if state == .ended {
            box.peer = nil
            reactor.expect("the end") { end.told.isOver }
        }
        return (end, box)
    }

    /// The other side of a transmitter.
    private final class PeerBox: CustomReflectable {
        var peer: Socket?
        var customMirror: Mirror { Mirror(self, children: []) }
    }

    // N52
    @Test(arguments: State.allCases)
    func `a run is cancelled in any state, and tells nothing more`(state: State) throws {
        let reactor = try Reactor()
        let listener = try Socket.listening()
        let open = openDescriptorCount()
        let (end, box) = try bring(state, on: reactor, listener)
        let told = end.told.results.count
        end.cancel()
        #expect(!end.isBusy)
        end.cancel()
        box.peer = nil
        reactor.settle()
        #expect(end.told.results.count == told)
        #expect(openDescriptorCount() == open)
        // It may begin anew.
        try end.start()
        #expect(end.isBusy)
        end.cancel()
    }

    // N52
    @Test(arguments: State.allCases)
    func `the end of the reactor ends a run without a word`(state: State) throws {
        let listener = try Socket.listening()
        let kept: (transmitter: Transmitter?, told: Told)
        let count: Int
        do {
            let (end, box) = try bring(state, on: Reactor(), listener)
            kept = (end.transmitter, end.told)
            count = end.told.results.count
            box.peer = nil
        }
        #expect(kept.told.results.count == count)
        let refused = refusal { () throws(TransferError) in
            _ = try kept.transmitter?.start { _ in wrongly() }
        }
        #expect(refused == .cancelled)
        #expect(kept.transmitter?.isBusy == false)
        kept.transmitter?.cancel()
    }

    // N52
    @Test func `a run may be cancelled from its own progress`() throws {
        let reactor = try Reactor()
        let listener = try Socket.listening()
        let transmitter = Transmitter(
            on: reactor, source: .bytes(pattern(1_000_000)),
            options: .going(to: try listener.localAddress.port))
        let steps = Box(0)
        try transmitter.start { _ in
            steps.value += 1
            transmitter.cancel()
        } _: { _ in
            wrongly()
        }
        reactor.expect("it is cancelled") { !transmitter.isBusy }
        reactor.settle()
        #expect(steps.value == 1)
    }

    // N52
    @Test func `what a cancelled receiver has got stays in its file`() throws {
        let reactor = try Reactor()
        let receiver = TransferEnd(on: reactor, receiving: .file(folder["copy"]), .waiting)
        let peer = try receiver.startWithPeer()
        try peer.sendAll("a part")
        reactor.expect("it has come") { !receiver.told.pieces.isEmpty }
        receiver.cancel()
        reactor.settle()
        #expect(receiver.told.results.isEmpty)
        #expect(folder.read("copy")?.text == "a part")
    }
}
