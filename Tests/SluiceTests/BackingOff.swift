// SPDX-License-Identifier: Apache-2.0
//
// How long a reconnecting client waits, when it gives up, and what it does next: decided without a
// socket and without a clock (W31).

import TestSupport
import Testing

@testable import Sluice

@Suite
struct BackingOff {
    private let error = ConnectError(
        endpoint: .host("example.org", port: 80), cause: .timedOut, attempts: [])
    private var failed: ConnectionLoss { .failed(error) }

    private func backOff(
        seed: UInt64 = 1, _ edit: (inout ReconnectingOptions) -> Void = { _ in }
    ) -> BackOff {
        var options = ReconnectingOptions()
        edit(&options)
        return BackOff(options, drawing: Lottery(seed: seed))
    }

    private func reconnection(
        _ edit: (inout ReconnectingOptions) -> Void = { _ in }
    ) -> Reconnection {
        var options = ReconnectingOptions()
        options.jitter = 0
        edit(&options)
        return Reconnection(options, drawing: Lottery(seed: 1))
    }

    /// In nanoseconds.
    private func seconds(_ count: UInt64) -> UInt64 { count * 1_000_000_000 }

    // MARK: The waits

    // W31
    @Test func `each wait is longer than the one before, up to the longest`() {
        var waits = backOff {
            $0.jitter = 0
            $0.longestDelay = .seconds(1)
        }
        let found = (0..<6).map { _ in waits.next() }
        #expect(found == [100, 200, 400, 800, 1_000, 1_000].map { .milliseconds($0) })
        waits.reset()
        #expect(waits.next() == .milliseconds(100))
    }

    // W31
    @Test(arguments: [0.0, 0.25, 0.5, 1.0])
    func `chance takes no more than its part, and all of it`(jitter: Double) {
        var waits = backOff {
            $0.firstDelay = .seconds(8)
            $0.factor = 1
            $0.jitter = jitter
        }
        let found = (0..<2_000).map { _ in waits.next() }
        let least = Duration.seconds(8 * (1 - jitter))
        #expect(found.allSatisfy { $0 >= least && $0 <= .seconds(8) })
        let part = Duration.seconds(8 * jitter)
        #expect(found.contains { $0 <= least + part * 0.05 })
        #expect(found.contains { $0 >= .seconds(8) - part * 0.05 })
    }

    @Test func `two clients do not wait equally long`() {
        var one = backOff(seed: 1)
        var other = backOff(seed: 2)
        let waits = (0..<5).map { _ in (one.next(), other.next()) }
        #expect(waits.map(\.0) != waits.map(\.1))
    }

    @Test func `a longest wait that is shorter than the first is as long as the first`() {
        var waits = backOff {
            $0.jitter = 0
            $0.longestDelay = .zero
        }
        let found = (0..<3).map { _ in waits.next() }
        #expect(found == Array(repeating: .milliseconds(100), count: 3))
    }

    @Test(arguments: [Duration.zero, .seconds(-5), .nanoseconds(1)])
    func `a first wait of nothing is a millisecond`(delay: Duration) {
        var waits = backOff {
            $0.jitter = 0
            $0.firstDelay = delay
        }
        #expect(waits.next() == .milliseconds(1))
    }

    @Test(arguments: [-Double.infinity, -1, 0, 1, 2, 1e300, .infinity, .nan])
    func `no factor and no jitter makes a wait that is none`(number: Double) {
        for first in [Duration.milliseconds(100), .seconds(Int64.max)] {
            var waits = backOff {
                $0.firstDelay = first
                $0.factor = number
                $0.jitter = number
            }
            for _ in 0..<100 {
                let wait = waits.next()
                #expect(wait >= .zero && wait <= max(.seconds(30), first))
            }
        }
    }

    // MARK: What comes next

    @Test func `a start begins with an attempt, and each failure leads to a wait`() {
        var client = reconnection()
        #expect(client.start() == [.connect(attempt: 1)])
        #expect(client.start() == [])
        #expect(client.attemptFailed(error) == [.wait(.milliseconds(100), after: failed)])
        #expect(client.attemptFailed(error) == [])
        #expect(client.waitIsOver() == [.connect(attempt: 2)])
        #expect(client.waitIsOver() == [])
        #expect(client.attemptFailed(error) == [.wait(.milliseconds(200), after: failed)])
        #expect(client.waitIsOver() == [.connect(attempt: 3)])
        #expect(client.attemptSucceeded(at: 0) == true)
        #expect(client.attemptSucceeded(at: 0) == false)
        #expect(client.phase == .connected(since: 0))
        #expect(client.waitIsOver() == [])
    }

    // W31
    @Test func `a connection that did not last counts like a failure`() {
        var client = reconnection()
        for (attempt, delay) in [(1, 100), (2, 200), (3, 400)] {
            let steps = attempt == 1 ? client.start() : client.waitIsOver()
            #expect(steps == [.connect(attempt: attempt)])
            #expect(client.attemptSucceeded(at: seconds(10)) == true)
            #expect(
                client.connectionEnded(.finished, at: seconds(20) - 1)
                    == [.wait(.milliseconds(delay), after: .ended(.finished))])
        }
    }

    // W31
    @Test func `after a stable connection all is counted from the beginning`() {
        var client = reconnection { $0.mostAttempts = 3 }
        _ = client.start()
        _ = client.attemptFailed(error)
        _ = client.waitIsOver()
        _ = client.attemptFailed(error)
        #expect(client.waitIsOver() == [.connect(attempt: 3)])
        #expect(client.attemptSucceeded(at: seconds(10)) == true)
        #expect(
            client.connectionEnded(.reset, at: seconds(20))
                == [.wait(.milliseconds(100), after: .ended(.reset))])
        #expect(client.waitIsOver() == [.connect(attempt: 1)])
        #expect(client.attemptFailed(error) == [.wait(.milliseconds(200), after: failed)])
    }

    @Test func `a clock that goes back makes no connection stable`() {
        var client = reconnection()
        _ = client.start()
        #expect(client.attemptSucceeded(at: 1_000) == true)
        #expect(
            client.connectionEnded(.reset, at: 0)
                == [.wait(.milliseconds(100), after: .ended(.reset))])
        #expect(client.waitIsOver() == [.connect(attempt: 2)])
    }

    @Test(arguments: [Int.min, 0, 1])
    func `there is one attempt at least`(limit: Int) {
        var client = reconnection { $0.mostAttempts = limit }
        #expect(client.start() == [.connect(attempt: 1)])
        #expect(client.attemptFailed(error) == [.stop(.tooManyAttempts(1, after: failed))])
        #expect(client.phase == .stopped)
        #expect(client.start() == [.connect(attempt: 1)])
    }

    @Test func `connections that do not last meet the limit as well`() {
        var client = reconnection { $0.mostAttempts = 2 }
        _ = client.start()
        #expect(client.attemptSucceeded(at: 0) == true)
        _ = client.connectionEnded(.finished, at: 0)
        _ = client.waitIsOver()
        #expect(client.attemptSucceeded(at: 0) == true)
        #expect(
            client.connectionEnded(.finished, at: 0)
                == [.stop(.tooManyAttempts(2, after: .ended(.finished)))])
    }

    // W31
    @Test func `the time without a connection counts from the start and from each loss`() {
        let limit = Duration.seconds(60)
        var client = reconnection { $0.longestTimeWithoutConnection = limit }
        #expect(client.start() == [.limit(limit), .connect(attempt: 1)])
        #expect(client.attemptSucceeded(at: 0) == true)
        #expect(client.timeIsUp() == [])
        let wait = Reconnection.Step.wait(.milliseconds(100), after: .ended(.reset))
        #expect(client.connectionEnded(.reset, at: 0) == [.limit(limit), wait])
        #expect(client.waitIsOver() == [.connect(attempt: 2)])
        #expect(client.attemptFailed(error) == [.wait(.milliseconds(200), after: failed)])
        #expect(client.timeIsUp() == [.stop(.tooLongWithoutConnection(limit, after: failed))])
        #expect(client.timeIsUp() == [])
    }

    @Test func `the time may be up before anything has failed`() {
        let limit = Duration.seconds(1)
        var client = reconnection { $0.longestTimeWithoutConnection = limit }
        _ = client.start()
        #expect(client.timeIsUp() == [.stop(.tooLongWithoutConnection(limit, after: nil))])
        #expect(client.attemptSucceeded(at: 0) == false)
        #expect(client.attemptFailed(error) == [])
    }

    // MARK: Stopping

    @Test func `an attempt and a wait end at once, and what comes of them is nothing`() {
        var client = reconnection()
        #expect(client.stop() == [])
        _ = client.start()
        #expect(client.stop() == [.stop(.asked)])
        #expect(client.attemptSucceeded(at: 0) == false)
        _ = client.start()
        _ = client.attemptFailed(error)
        #expect(client.stop() == [.stop(.asked)])
        #expect(client.waitIsOver() == [])
        #expect(client.connectionEnded(.reset, at: 0) == [])
        #expect(client.timeIsUp() == [])
    }

    // W31
    @Test func `a connection is closed first, and a new start waits for that`() {
        var client = reconnection()
        _ = client.start()
        #expect(client.attemptSucceeded(at: 0) == true)
        #expect(client.stop() == [.close])
        #expect(client.stop() == [])
        #expect(client.start() == [])
        #expect(client.waitIsOver() == [])
        #expect(client.timeIsUp() == [])
        #expect(client.connectionEnded(.local, at: 0) == [.stop(.asked), .connect(attempt: 1)])
        #expect(client.attemptSucceeded(at: 0) == true)
        #expect(client.stop() == [.close])
        #expect(client.start() == [])
        #expect(client.stop() == [])
        #expect(client.connectionEnded(.local, at: 0) == [.stop(.asked)])
        #expect(client.phase == .stopped)
    }

    // MARK: Words

    @Test func `what is told prints as a sentence`() {
        typealias State = ReconnectingState<SocketAddress>
        #expect("\(State.connecting(attempt: 2))" == "connecting, attempt 2")
        #expect("\(State.connected(.loopback(port: 7)))" == "connected: 127.0.0.1:7")
        #expect(
            "\(State.waiting(.milliseconds(100), after: .ended(.reset)))"
                == "waiting 0.1 seconds after: reset by the peer")
        #expect("\(State.stopped(.notStarted))" == "stopped: not started")
        #expect("\(ReconnectingStop.asked)" == "asked to")
        #expect(
            "\(ReconnectingStop.tooManyAttempts(3, after: failed))"
                == "gave up after 3 attempts: \(error)")
        #expect(
            "\(ReconnectingStop.tooLongWithoutConnection(.seconds(5), after: failed))"
                == "no connection for 5.0 seconds: \(error)")
        #expect(
            "\(ReconnectingStop.tooLongWithoutConnection(.seconds(5), after: nil))"
                == "no connection for 5.0 seconds")
    }
}
