// SPDX-License-Identifier: Apache-2.0
//
// One honest client that stays, and one that comes, says a line and goes.

import Sluice

/// The lines that honest clients send: 64 bytes, each unlike the others.
enum HonestLine {
    static func text(_ number: Int) -> String {
        let digits = "\(number)"
        return String(repeating: "m", count: max(0, 63 - digits.utf8.count)) + digits
    }
}

/// A line that is sent at its time, of one measurement of several.
struct HonestMessage {
    let measurement: Int
    /// Its place in the measurement's schedule.
    let number: Int
}

/// A connection that stays; where it is lost another one takes its place.
final class HonestClient {
    private unowned let crowd: HonestCrowd
    private var channel: Channel?
    /// The messages that wait for an answer.
    private var waiting: [HonestMessage] = []
    /// Told when the first line of a new connection has come back.
    private var greeted: (() -> Void)?

    private static let pause = Duration.milliseconds(10)

    init(of crowd: HonestCrowd) { self.crowd = crowd }

    /// Connects, for as long as that takes, and has a line come back.
    func connect(_ completion: @escaping () -> Void = {}) {
        do throws(SocketError) {
            try crowd.client.connect(to: crowd.target) { verdict in
                switch verdict {
                case .success(let channel): self.use(channel, completion)
                case .failure(let error): self.connectFailed("\(error.cause)", completion)
                }
            }
        } catch {
            connectFailed("\(error.code)", completion)
        }
    }

    private func connectFailed(_ reason: String, _ completion: @escaping () -> Void) {
        crowd.countError("connect: \(reason)")
        crowd.reactor.after(Self.pause) { self.connect(completion) }
    }

    private func use(_ channel: Channel, _ completion: @escaping () -> Void) {
        self.channel = channel
        greeted = completion
        channel.onLine { _, line in self.heard(line) }
        channel.onClose { _, reason in self.lost(reason) }
        // A server does not wait for ever for the first byte. A channel that can't be written to
        // tells of its end.
        _ = try? channel.writeLine(HonestLine.text(0))
    }

    /// Sends a message of the crowd's.
    func send(_ message: HonestMessage) {
        guard let channel else { return crowd.failed(message, "no connection") }
        do throws(ChannelError) {
            try channel.writeLine(HonestLine.text(message.number))
            waiting.append(message)
        } catch {
            crowd.failed(message, "write")
        }
    }

    private func heard(_ line: String) {
        if let greeted = greeted.take() { return greeted() }
        if waiting.isEmpty { return crowd.countError("unasked answer") }
        let message = waiting.removeFirst()
        if line == HonestLine.text(message.number) {
            crowd.answered(message)
        } else {
            crowd.failed(message, "wrong answer")
        }
    }

    private func lost(_ reason: EndReason) {
        channel = nil
        crowd.countError("lost: \(reason)")
        giveUpWaiting("lost")
        connect()
    }

    /// What has no answer by now never has; a connection with something under way is given up.
    func giveUp() {
        if waiting.isEmpty { return }
        giveUpWaiting("unanswered")
        channel?.onClose(nil)
        channel?.abort()
        channel = nil
        connect()
    }

    private func giveUpWaiting(_ reason: String) {
        let messages = waiting
        waiting = []
        for message in messages { crowd.failed(message, reason) }
    }
}

/// A client that connects, has one line answered, and leaves.
final class Newcomer {
    private let crowd: HonestCrowd
    /// Told once, with what went wrong.
    private var verdict: ((String?) -> Void)?

    init(of crowd: HonestCrowd) { self.crowd = crowd }

    func knock(_ verdict: @escaping (_ failure: String?) -> Void) {
        self.verdict = verdict
        do throws(SocketError) {
            try crowd.client.connect(to: crowd.target) { result in
                switch result {
                case .success(let channel): self.ask(channel)
                case .failure(let error): self.tell("\(error.cause)")
                }
            }
        } catch {
            tell("\(error.code)")
        }
    }

    private func ask(_ channel: Channel) {
        let line = HonestLine.text(0)
        channel.onLine { channel, answer in
            self.tell(answer == line ? nil : "wrong answer")
            channel.close()
        }
        channel.onClose { _, reason in self.tell("lost: \(reason)") }
        crowd.reactor.after(crowd.newcomerLimit) {
            self.tell("unanswered")
            channel.abort()
        }
        // A channel that can't be written to tells of its end.
        _ = try? channel.writeLine(line)
    }

    private func tell(_ failure: String?) { verdict.take()?(failure) }
}
