// SPDX-License-Identifier: Apache-2.0
//
// A socket to a server, as c-ares has asked for it: how it is watched, and what of its stream has
// passed the check and waits to be read.

import Sluice

/// A socket to one server.
final class QuestionSocket {
    let socket: Socket
    /// No other socket of the channel has it, also not one that gets the same descriptor later.
    let serial: UInt64
    /// TCP, not UDP.
    let isStream: Bool
    var server: SocketAddress?
    /// How much may still be looked at in this turn; see ``charge(_:)``.
    var budget = 0
    /// When the first of what was sent over it went out, since a whole frame came.
    private var firstSending: ContinuousClock.Instant?
    private var registration: Registration?
    /// Of a stream: what has come of a frame that is not whole yet.
    private var partial: [UInt8] = []
    /// Of a stream: a frame that was let through, as far as it has not been read.
    private var approved: ArraySlice<UInt8> = []

    /// So many short messages are looked at in one turn: a flood leaves the reactor to others.
    static let messagesPerTurn = 64
    /// After so long the kernel gives up on what nobody has acknowledged.
    private static let streamTimeout = Duration.seconds(5)
    /// The buffers that are asked for; the kernel gives less where its limit is lower.
    private static let bufferByteCount = 1 << 20

    /// Opens a socket.
    init(_ family: AddressFamily, _ kind: SocketKind, serial: UInt64) throws(SocketError) {
        socket = try Socket(family: family, kind: kind)
        self.serial = serial
        isStream = kind == .stream
        if isStream {
            // Only later, not wrong: the question waits for more to send.
            try? socket.set(.noDelay, to: true)
            // Without it a question waits for its own time, as over UDP.
            try? socket.set(.userTimeout, to: Self.streamTimeout)
        } else {
            // A thousand answers may come at once; with less room some are asked for again.
            try? socket.set(.receiveBufferByteCount, to: Self.bufferByteCount)
            try? socket.set(.sendBufferByteCount, to: Self.bufferByteCount)
        }
    }

    /// Counts a message: a long one takes as much time as many short ones.
    func charge(_ byteCount: Int) { budget -= 1 + byteCount / 1_024 }

    /// Something was let through and not read yet, so the descriptor alone does not tell.
    var holdsInput: Bool { !approved.isEmpty }

    /// Watches for what c-ares wants.
    func watch(
        for interest: Interest, on reactor: Reactor?, _ handler: @escaping (Interest) -> Void
    ) throws(SocketError) {
        if registration != nil {
            try registration?.change(to: interest)
        } else if let reactor {
            registration = try reactor.watch(socket.number, for: interest, handler)
        }
    }

    /// Ends the watch: before the descriptor is closed.
    func stopWatching() { registration = nil }
}

// MARK: - Streams

extension QuestionSocket {
    /// What is done with a frame.
    enum FrameVerdict {
        /// These bytes are read in its place.
        case pass([UInt8])
        case leaveOut
        /// Nothing behind it is read.
        case endStream
    }

    /// Notes that questions are sent over the stream.
    func noteSending() { if firstSending == nil { firstSending = .now } }

    /// Whether a question that was sent over the stream has waited so long, and no whole frame has
    /// come meanwhile.
    func isSilent(for time: Duration) -> Bool {
        firstSending.map { $0.duration(to: .now) >= time } ?? false
    }

    /// Reads of the frames that pass the check; the others are left out.
    ///
    /// - Returns: how many bytes, 0 at the end of the stream; `nil` where none is there yet.
    func read(
        into room: UnsafeMutableRawBufferPointer, checking check: ([UInt8]) -> FrameVerdict
    ) throws(SocketError) -> Int? {
        while approved.isEmpty {
            guard budget > 0, let hasMore = try readFrame(checking: check) else { return nil }
            if !hasMore { return 0 }
        }
        let count = min(room.count, approved.count)
        room.copyBytes(from: approved.prefix(count))
        approved = approved.dropFirst(count)
        if approved.isEmpty { approved = [] }
        return count
    }

    /// Reads up to the end of a frame, and never beyond it.
    ///
    /// Source: RFC 1035, 4.2.2.
    ///
    /// - Returns: false at the end of the stream; `nil` where nothing is there yet.
    private func readFrame(
        checking check: ([UInt8]) -> FrameVerdict
    ) throws(SocketError) -> Bool? {
        guard let piece = try socket.receive(upTo: frameByteCount - partial.count) else {
            return nil
        }
        if piece.isEmpty { return false }
        partial += piece
        guard partial.count >= 2, partial.count == frameByteCount else { return true }
        charge(partial.count)
        firstSending = nil
        let frame = Array(partial.dropFirst(2))
        partial = []
        switch check(frame) {
        case .pass(let bytes):
            approved = [UInt8(bytes.count >> 8), UInt8(bytes.count & 0xFF)] + bytes
            return true
        case .leaveOut: return true
        case .endStream: return false
        }
    }

    /// How long the frame is, as far as that is known: its length comes first.
    private var frameByteCount: Int {
        partial.count < 2 ? 2 : 2 + Int(partial[0]) << 8 + Int(partial[1])
    }
}
