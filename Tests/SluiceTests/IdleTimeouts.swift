// SPDX-License-Identifier: Apache-2.0
//
// Ending channels on which nothing comes or goes any more.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct IdleTimeouts {
    let reactor: Reactor
    /// The clock that reactors read too.
    let clock = SuspendingClock()

    init() throws { reactor = try Reactor() }

    private func connect(idleTimeout: Duration?) throws -> ConnectionEnds {
        var options = ChannelOptions()
        options.idleTimeout = idleTimeout
        return try ConnectionEnds(on: reactor, options: options)
    }

    /// Runs the reactor for a while.
    private func pass(_ time: Duration, on reactor: Reactor) {
        let isOver = Box(false)
        reactor.after(time) { isOver.value = true }
        reactor.expect("time passes") { isOver.value }
    }

    // MARK: Traffic

    @Test func `a silent channel is closed with the reason idle`() throws {
        let start = ContinuousClock.now
        let ends = try connect(idleTimeout: .milliseconds(30))
        ends.channel.onBytes { _, _ in }
        reactor.expect("the channel is closed") { ends.endReasons == [.timedOut(.idle)] }
        #expect(ContinuousClock.now - start >= .milliseconds(30))
        #expect(try ends.peer?.receiveNow() == nil)
    }

    @Test func `without a timeout a silent channel stays open`() throws {
        let ends = try connect(idleTimeout: nil)
        pass(.milliseconds(40), on: reactor)
        #expect(ends.channel.status == .open)
    }

    @Test(arguments: [true, false])
    func `traffic in either direction keeps a channel open`(receives: Bool) throws {
        let ends = try connect(idleTimeout: .milliseconds(100))
        ends.channel.onBytes { _, _ in }
        let ticks = Box(0)
        let timer = reactor.every(.milliseconds(10)) { [unowned ends] in
            ticks.value += 1
            if receives {
                try ends.peer?.sendAll("x")
            } else {
                try ends.channel.write(text: "x")
            }
        }
        reactor.expect("the limit has passed three times") { ticks.value == 30 }
        timer.cancel()
        #expect(ends.channel.status == .open)
        reactor.expect("the channel is closed") { ends.endReasons == [.timedOut(.idle)] }
    }

    @Test func `a timeout may be set later`() throws {
        let ends = try connect(idleTimeout: nil)
        pass(.milliseconds(5), on: reactor)
        ends.channel.options.idleTimeout = .milliseconds(10)
        reactor.expect("the channel is closed") { ends.endReasons == [.timedOut(.idle)] }
    }

    @Test func `a timeout may be taken away`() throws {
        let ends = try connect(idleTimeout: .milliseconds(20))
        ends.channel.options.idleTimeout = nil
        pass(.milliseconds(50), on: reactor)
        #expect(ends.channel.status == .open)
    }

    // MARK: Between runs

    /// Has the reactor read its clock in a run, and lets 40 ms pass after it without another.
    private func pauseAfterRun() throws {
        let hasRun = Box(false)
        reactor.after(.zero) { [unowned reactor] in hasRun.value = reactor.now > 0 }
        reactor.expect("the clock is read") { hasRun.value }
        pass(.milliseconds(40), on: try Reactor())
    }

    @Test func `time outside a run does not count before the channel was made`() throws {
        try pauseAfterRun()
        let start = clock.now
        let ends = try connect(idleTimeout: .milliseconds(30))
        let (age, idleTime) = (ends.channel.age, ends.channel.idleTime)
        let elapsed = start.duration(to: clock.now)
        #expect(age <= elapsed)
        #expect(idleTime <= elapsed)
        reactor.expect("the channel is closed") { ends.endReasons == [.timedOut(.idle)] }
        #expect(start.duration(to: clock.now) >= .milliseconds(30))
    }

    @Test func `the linger limit counts from the close and not from the last run`() throws {
        let ends = try connect(idleTimeout: nil)
        ends.channel.options.lingerLimit = .milliseconds(30)
        try ends.fill()
        try pauseAfterRun()
        let start = clock.now
        ends.channel.close()
        #expect(ends.channel.status == .closing)
        reactor.expect("the channel is closed") { ends.endReasons == [.timedOut(.linger)] }
        #expect(start.duration(to: clock.now) >= .milliseconds(30))
    }

    @Test func `what was written between two runs counts as sent when the second begins`() throws {
        let ends = try connect(idleTimeout: nil)
        try ends.channel.write(text: "x")
        pass(.milliseconds(40), on: try Reactor())
        let start = clock.now
        reactor.runPending()
        let idleTime = ends.channel.idleTime
        #expect(idleTime <= start.duration(to: clock.now))
        #expect(try ends.peer?.receiveNow()?.text == "x")
    }

    // MARK: Ends

    @Test func `an idle channel with unsent output ends at the linger limit`() throws {
        let ends = try connect(idleTimeout: .milliseconds(10))
        ends.channel.options.lingerLimit = .milliseconds(10)
        try ends.fill()
        reactor.expect("the channel is closed") { ends.endReasons == [.timedOut(.linger)] }
    }

    @Test func `a timeout is told once although the channel is closed by its handler`() throws {
        let ends = try connect(idleTimeout: .milliseconds(10))
        let other = try connect(idleTimeout: .milliseconds(10))
        ends.channel.onClose { [unowned other] _, _ in other.channel.close() }
        reactor.expect("both are closed") { other.endReasons.count == 1 }
        reactor.settle()
        #expect(other.endReasons.count == 1)
    }

    @Test func `a hundred idle channels end in their time`() throws {
        let count = 100
        let all = try (0..<count).map { _ in try connect(idleTimeout: .milliseconds(30)) }
        reactor.expect("all are closed") { all.allSatisfy { $0.endReasons == [.timedOut(.idle)] } }
    }
}
