// SPDX-License-Identifier: Apache-2.0
//
// What a client does with one connection in each phase, and what it hears of it.

import Glibc
import Sluice

extension ConnectionHolder {
    /// Begins with the next connection of a phase.
    ///
    /// What is decided at once is only counted: the caller goes on by itself.
    func start(_ place: Int, of phase: Phase) {
        switch phase {
        case .open: connect(from: place, into: nil)
        case .echo: send(on: channels[place])
        case .listen: break
        case .churn, .close: close(place)
        }
    }

    // MARK: Opening

    /// - Parameter place: where the channel goes; `nil` behind the others.
    private func connect(from source: Int, into place: Int?) {
        let round = round
        do {
            try clients[source % clients.count].connect(to: target) { [unowned self] verdict in
                self.connected(verdict, into: place, in: round)
            }
        } catch {
            fail("\(error)")
        }
    }

    private func connected(
        _ verdict: Result<Channel, ConnectError>, into place: Int?, in round: Int
    ) {
        switch verdict {
        case .success(let channel):
            // The phase is over: nobody counts on this one any more.
            guard round == self.round else { return channel.close() }
            channel.onBytes(receive)
            channel.onClose(lose)
            if let place { channels[place] = channel } else { channels.append(channel) }
            complete()
        case .failure(let error):
            guard round == self.round else { return }
            fail("\(error)")
        }
        advance()
    }

    // MARK: Messages

    private func send(on channel: Channel) {
        sign(for: channel)
        do {
            try channel.write(message)
        } catch {
            fail("\(error)")
        }
    }

    /// Makes the message the one of this connection: an answer on a wrong one is noticed.
    private func sign(for channel: Channel) {
        let mark = UInt64(UInt(bitPattern: ObjectIdentifier(channel)))
        message.withUnsafeMutableBytes { $0.storeBytes(of: mark, as: UInt64.self) }
    }

    func received(_ channel: Channel, _ bytes: RawSpan) {
        let end = Int(channel.counters.bytesReceived)
        let start = end - bytes.byteCount
        switch phase {
        case .echo:
            sign(for: channel)
            check(bytes, are: message, from: start)
            if end == message.count { complete() }
        case .listen:
            check(bytes, are: broadcast, from: start - message.count)
            if end == message.count + broadcast.count { complete() }
        default: tally.add("bytes that nobody has asked for")
        }
        advance()
    }

    private func check(_ bytes: RawSpan, are expected: [UInt8], from place: Int) {
        guard place >= 0, place + bytes.byteCount <= expected.count else {
            return tally.add("more bytes than were sent")
        }
        let isSame = bytes.withUnsafeBytes { bytes in
            expected.withUnsafeBytes { expected in
                guard let here = bytes.baseAddress, let there = expected.baseAddress else {
                    return true
                }
                return memcmp(here, there + place, bytes.count) == 0
            }
        }
        if !isSame { tally.add("other bytes than were sent") }
    }

    // MARK: Closing

    /// Ends this side's writing; the server answers with its own end, and only then the connection
    /// is closed.
    ///
    /// So both ends have closed in order, and no more sockets wait for their peers than are under
    /// way.
    private func close(_ place: Int) {
        let channel = channels[place]
        do {
            try channel.closeWriting()
            closing[ObjectIdentifier(channel)] = place
        } catch {
            // It was lost before, and told of then.
            hasClosed(place)
        }
    }

    private func hasClosed(_ place: Int) {
        switch phase {
        case .churn: connect(from: place, into: place)
        case .close: complete()
        default: break
        }
    }

    func closed(_ channel: Channel, because reason: EndReason) {
        if let place = closing.removeValue(forKey: ObjectIdentifier(channel)) {
            if reason != .finished { tally.add("closing: \(reason)") }
            hasClosed(place)
        } else {
            tally.add("lost: \(reason)")
            if isUnderWay(channel) { failSilently() }
        }
        advance()
    }

    /// Whether a connection that is lost was in the middle of the phase.
    private func isUnderWay(_ channel: Channel) -> Bool {
        let counters = channel.counters
        return switch phase {
        case .echo: counters.bytesSent > 0 && counters.bytesReceived < UInt64(message.count)
        case .listen: counters.bytesReceived < UInt64(message.count + broadcast.count)
        default: false
        }
    }
}
