// SPDX-License-Identifier: Apache-2.0
//
// A client: one that stays for as long as its worker does, or one that leaves with its answer.

import Sluice

/// One connection after the other for a client that stays, else a single one.
final class Caller {
    private let crowd: Crowd
    private let stays: Bool
    private var channel: Channel?
    /// The message that waits for its echo.
    private var awaited: String?
    private var isLeaving = false
    /// The process that it is connected to; `nil` before that says so.
    private(set) var worker: Int?

    private static let pause = Duration.milliseconds(10)

    init(of crowd: Crowd, stays: Bool) {
        self.crowd = crowd
        self.stays = stays
    }

    /// Connects, and sends a first message.
    func connect() {
        crowd.underWay += 1
        do throws(SocketError) {
            try crowd.nextClient.connect(to: crowd.target) { verdict in
                switch verdict {
                case .success(let channel): self.use(channel)
                case .failure: self.wasRefused()
                }
            }
        } catch {
            wasRefused()
        }
    }

    /// Sends a message, unless one is still unanswered or the worker wants no more.
    func send() {
        guard let channel, awaited == nil, !isLeaving else { return }
        let message = crowd.nextMessage
        awaited = message
        crowd.counts[.messages] += 1
        crowd.underWay += 1
        // A channel that can't be written to tells of its end.
        _ = try? channel.writeLine(message)
    }

    private func wasRefused() {
        crowd.counts[.refused] += 1
        if stays {
            crowd.reactor.after(Self.pause) {
                self.connect()
                self.crowd.underWay -= 1
            }
        } else {
            crowd.visitorCount -= 1
            crowd.underWay -= 1
        }
    }

    private func use(_ channel: Channel) {
        crowd.counts[.made] += 1
        self.channel = channel
        isLeaving = false
        worker = nil
        channel.onLine { channel, line in
            if channel === self.channel { self.heard(line) }
        }
        channel.onClose { channel, reason in
            if channel === self.channel { self.wasCut(reason) }
        }
        send()
        crowd.underWay -= 1
    }

    private func heard(_ line: String) {
        if line == awaited {
            answered()
        } else if line == Speech.farewell {
            isLeaving = true
            if awaited == nil { leave() }
        } else if let greeter = Speech.greeter(in: line) {
            worker = greeter
        } else {
            crowd.counts[.wrong] += 1
        }
    }

    private func answered() {
        awaited = nil
        crowd.counts[.answered] += 1
        if let worker { crowd.heard(of: worker) }
        if isLeaving || !stays { leave() }
        crowd.underWay -= 1
    }

    private func leave() {
        let channel = channel.take()
        channel?.close()
        goOn()
    }

    private func wasCut(_ reason: EndReason) {
        channel = nil
        crowd.countCut(reason, of: worker, isKept: stays)
        let isLost = awaited.take() != nil
        if isLost { crowd.counts[.lost] += 1 }
        goOn()
        // Not before the next connect is under way: the crowd would seem to rest.
        if isLost { crowd.underWay -= 1 }
    }

    private func goOn() {
        if stays {
            worker = nil
            crowd.counts[.reconnected] += 1
            connect()
        } else {
            crowd.visitorCount -= 1
        }
    }
}
