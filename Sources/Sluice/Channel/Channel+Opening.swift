// SPDX-License-Identifier: Apache-2.0
//
// The end of connecting.

import SluiceText

/// How the connection of a channel without a socket is being made, seen from the channel.
protocol Opening: AnyObject {
    /// Finds out what has been decided meanwhile, without waiting.
    func advance()
    /// Waits until it is decided or the deadline has passed; no handler runs meanwhile.
    func wait(before deadline: UInt64?) throws(SocketError)
    /// The channel has closed: what was begun is closed, too.
    func giveUp()
    /// The reactor has come to its end, and ends itself what was begun.
    func letGo()
}

/// The place where the peer of a channel is told, on any thread, once it is known.
final class FoundPeer: Sendable {
    private let found = Locked<SocketAddress?>(nil)

    /// `nil` as long as it is not known.
    var address: SocketAddress? { found.withLock { $0 } }

    func tell(_ address: SocketAddress) { found.withLock { $0 = address } }
}

extension Channel {
    /// Goes on with the socket of a channel that has connected for this one.
    func takeSocket(of other: Channel) {
        rare?.foundPeer?.tell(other.peerAddress)
        do throws(SocketError) {
            guard let reactor = reactorOrNil, let taken = other.giveSocketAway() else {
                throw SocketError(.connect, .badDescriptor, at: peerAddress)
            }
            let number = taken.number
            socket = consume taken
            // As the event that a channel is made with.
            event = try Event(
                reactor.base, number, channelCallback, Unmanaged.passUnretained(self).toOpaque())
        } catch {
            return connectFailed(SocketError(.connect, error.code, at: peerAddress))
        }
        rare?.opening = nil
        finishConnecting()
    }

    /// Ends the channel without a trace, but for its socket.
    private func giveSocketAway() -> Socket? {
        // The kernel forgets the watch before somebody else asks for one.
        event = nil
        let given = socket.take()
        perform(state.cutOff())
        return given
    }

    /// Asks the socket how connecting has ended.
    func finishConnecting() {
        let code: ErrorCode
        do { code = try socket?.get(.pendingError) ?? .badDescriptor } catch { code = error.code }
        reactorOrNil?.deadlines.remove(deadline)
        if code.rawValue == 0 {
            if rare?.connectsForAnother == true { return reportConnected(nil) }
            lastReceived = clock
            lastSent = lastReceived
            flags.insert(.wasOpen)
            reactorOrNil?.tell(.connected(self))
            perform(state.connected(queued: output != nil))
            startDeadlines()
            reportConnected(nil)
            flushQueue()
            arrange()
            // Its turn may have been this one.
            if isCopySource { enqueue(.readable) }
        } else {
            connectFailed(SocketError(.connect, code, at: peerAddress))
        }
    }

    func connectFailed(_ error: SocketError, because reason: EndReason? = nil) {
        let dropped = output
        let isTold = output?.fail(error) ?? false
        output = nil
        defer { tellFiles(of: dropped) }
        perform(state.connectFailed(reason ?? .failed(error)))
        if state.phase == .open {
            if !isTold { keepError(error) }
            enqueue([.readable, .writable])
        }
        reportConnected(error)
        // Not who waits for the end: a file that was to be sent has its own answer still to come.
        rare?.waits?.wake(.room)
        rare?.waits?.wake(.peerClosed)
        arrange()
    }

    private func reportConnected(_ error: SocketError?) {
        guard let parts = rare, let handler = parts.connected else { return }
        if flags.contains(.isWaiting) {
            // No handler runs while somebody waits: it is told in a turn of its own.
            parts.isDecided = true
            parts.connectError = error
            return enqueue([])
        }
        parts.connected = nil
        handler(self, error)
    }

    func reportDecided() {
        guard let parts = rare else { return }
        parts.isDecided = false
        reportConnected(parts.connectError)
    }
}
