// SPDX-License-Identifier: Apache-2.0
//
// A broadcast at one of its receivers: sent straight from the bytes that all share, or queued
// behind what was written before.

/// What has become of a broadcast at one receiver.
enum BroadcastDelivery {
    case sent
    case queued
    case skipped
    case ended
}

extension Channel {
    /// Takes a message that other channels take as well.
    ///
    /// No handler runs meanwhile, and nothing is waited for, also on a channel that blocks.
    func take(
        _ message: SharedBytes, ifSlow slow: SlowReceiverPolicy, on reactor: Reactor
    ) -> BroadcastDelivery {
        guard takesBroadcasts else { return .skipped }
        if message.bytes.isEmpty { return .sent }
        let isRated = flags.contains(.isSendRated)
        sendWritten()
        // Sending may have failed.
        guard takesBroadcasts else { return .skipped }
        let weight = output?.weight ?? 0
        if weight > shared.values.highWaterMark {
            if slow == .skip { return .skipped }
            if slow == .end {
                perform(state.cutOff(because: .limit(.output)))
                return .ended
            }
        }
        if message.bytes.count > shared.values.outputLimit - weight { return .skipped }
        if output != nil, reactor.buffers.isOver { return .skipped }
        counted.writes &+= 1
        if output == nil, state.phase == .open, !isRated { return sendNow(message) }
        queue(message)
        if isRated { flushLater(reactor) }
        return .queued
    }

    /// Whether it is one that may be written to.
    private var takesBroadcasts: Bool {
        (state.phase == .open || state.phase == .connecting) && !state.isCloseAsked
            && state.output == .open && !isCopySink && home != nil
    }

    /// What was written before goes first, also what waits for a buffer to fill.
    private func sendWritten() {
        flushOwnTurn()
        guard let output, !waitsForKernel, !flags.contains(.isSendRated) else { return }
        output.release()
        quietly { flushQueue() }
    }

    private func sendNow(_ message: SharedBytes) -> BroadcastDelivery {
        var sent = 0
        do throws(SocketError) {
            let bytes = message.bytes
            sent = try bytes.span.bytes.withUnsafeBytes { bytes throws(SocketError) in
                guard case .bytes(let count)? = try socket?.send(bytes) else { return 0 }
                return count
            }
        } catch {
            writeFailed(error)
            return .skipped
        }
        noteSent(sent)
        if sent == message.bytes.count { return .sent }
        queue(message, from: sent)
        output?.isRefused = true
        outputChanged()
        return .queued
    }

    private func queue(_ message: SharedBytes, from start: Int = 0) {
        let queue = output ?? makeOutput()
        output = queue
        queue.append(message, from: start)
        noteMark()
    }

    private func flushLater(_ reactor: Reactor) {
        guard state.phase == .open, !flags.contains(.isUnflushed), !waitsForKernel else { return }
        flags.insert(.isUnflushed)
        reactor.unflushed.append(self)
    }
}
