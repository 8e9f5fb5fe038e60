// SPDX-License-Identifier: Apache-2.0
//
// Messages over connections that come and go: each is given to one connection at most, unless no
// kernel has taken a byte of it.

extension ReconnectingClient {
    /// What became of a message.
    public enum Sending: Hashable, Sendable {
        /// The connection has it; it leaves as what is written to the channel.
        case given
        /// The connection has it, but its queue is above the high mark: send more when
        /// ``Channel/onDrained(_:)`` calls.
        case aboveMark
        /// It is kept for the connection to have room, or for the next one.
        case queued
        /// It was not taken.
        case refused(Refusal)
    }

    /// Why a message was not taken.
    public enum Refusal: Error, Hashable, Sendable {
        /// There is no connection, or ``ReconnectingClient/onConnected(_:)`` was not called for it
        /// yet, and messages are not kept; or the client is not started.
        case notConnected
        /// No more messages, or bytes, are kept; or 65,536 messages wait in the connection.
        case limit
        /// The connection did not take it.
        case socket(SocketError)
    }

    /// Sends a message, in order with all others that are sent here.
    ///
    /// A message that was taken is never sent twice: once a kernel has taken a byte of it, it goes
    /// to no other connection. That the kernel has all of it does not mean that the peer has: who
    /// must know that has the peer answer. What was taken and turns out not to be sent is handed
    /// back by ``onUnsent(_:)``, or kept, as ``ReconnectingOptions/whatToDoWithUnsent`` says.
    ///
    /// No message overtakes what opens the conversation: before ``onConnected(_:)`` is called it is
    /// refused, or kept; one that is sent inside is kept, or goes behind what was written so far.
    /// An empty message that a connection takes is not handed back.
    public func send(_ message: [UInt8]) -> Sending {
        switch reconnection.phase {
        case .stopped, .closing: return .refused(.notConnected)
        case .connecting, .connected, .waiting: break
        }
        let keeps = options.whatToDoWithUnsent == .keep
        sendKept()
        if let channel, kept.isEmpty, isOpened || (isOpening && !keeps), !isFull(channel) {
            do throws(SocketError) {
                return try give(message, to: channel) == .accepted ? .given : .aboveMark
            } catch {
                if !keeps { return .refused(.socket(error)) }
            }
        }
        if keeps { return keep(message) }
        return .refused(handover.isFull ? .limit : .notConnected)
    }

    /// How many messages are kept, or were given to the connection and have not gone to the kernel.
    public var unsentMessageCount: Int {
        if let channel { handover.sent(channel.counters.bytesSent) }
        return kept.count + handover.count
    }

    private func keep(_ message: [UInt8]) -> Sending {
        guard kept.count < options.keptMessageLimit,
            message.count <= options.keptByteLimit - keptByteCount
        else { return .refused(.limit) }
        kept.append(message)
        keptByteCount += message.count
        tend()
        return .queued
    }

    /// Whether no more messages are noted, after those that the kernel has are forgotten.
    private func isFull(_ channel: Channel) -> Bool {
        handover.sent(channel.counters.bytesSent)
        return handover.isFull
    }

    private func give(
        _ message: [UInt8], to channel: Channel
    ) throws(SocketError) -> WriteResult {
        // Nothing of it could be on the way.
        if message.isEmpty { return try channel.write(message) }
        let before = channel.counters
        // Beforehand: a failure inside the write may end the channel.
        handover.add(
            message, behind: before.bytesSent &+ UInt64(channel.unsentByteCount),
            doubtful: channel.output?.fileByteCount ?? 0)
        defer { tend() }
        do throws(SocketError) {
            return try channel.write(message)
        } catch {
            // A channel that was made to block throws what befell bytes that it has taken.
            if channel.counters.writes != before.writes { return .accepted }
            handover.takeBack()
            throw error
        }
    }

    /// Gives what is kept to the connection, as far as it takes it.
    func sendKept() {
        // Behind the end of the output nothing goes any more: they wait for the next connection.
        guard isOpened, let channel, !kept.isEmpty, channel.state.output == .open else { return }
        let messages = takeKept()
        var place = 0
        while place < messages.count, self.channel === channel, !isFull(channel) {
            do throws(SocketError) {
                _ = try give(messages[place], to: channel)
            } catch {
                // One that does not fit an empty queue never will; all else waits for room.
                guard error.code == .noBufferSpace, channel.unsentByteCount == 0 else { break }
                handBack([UnsentMessage(messages[place], handedOver: 0)])
            }
            place += 1
        }
        // Behind those that a channel which ended in here has left.
        kept += messages[place...]
        keptByteCount = kept.reduce(0) { $0 + $1.count }
        tend()
    }

    /// Forgets what the kernel has, and gives on what the channel had no room for, each 50 ms while
    /// there is anything.
    private func tend() {
        guard let channel, tending?.isPending != true else { return }
        handover.sent(channel.counters.bytesSent)
        let isUnderWay = !handover.isEmpty && channel.unsentByteCount > 0
        guard isUnderWay || (!kept.isEmpty && channel.state.output == .open) else { return }
        tending = link.reactor?.after(.milliseconds(50)) {
            if self.channel === channel { self.sendKept() }
            self.tend()
        }
    }

    /// A connection has ended: what it did not send is kept or handed back.
    func settle(after total: UInt64, _ reason: EndReason) {
        var unsent = handover.end(after: total)
        // They went along with the rest of the output.
        if reason == .moved { unsent = [] }
        guard options.whatToDoWithUnsent == .keep else { return handBack(unsent) }
        let whole = unsent.filter { $0.handedOverByteCount == 0 }.map(\.bytes)
        let waiting = whole + takeKept()
        var room = max(0, options.keptByteLimit)
        let fitting = waiting.prefix(max(0, options.keptMessageLimit)).prefix { message in
            room -= message.count
            return room >= 0
        }
        kept = Array(fitting)
        keptByteCount = kept.reduce(0) { $0 + $1.count }
        handBack(unsent.filter { $0.handedOverByteCount > 0 })
        handBack(waiting[fitting.endIndex...].map { UnsentMessage($0, handedOver: 0) })
    }

    /// Takes what is kept out.
    func takeKept() -> [[UInt8]] {
        defer {
            kept = []
            keptByteCount = 0
        }
        return kept
    }
}
