// SPDX-License-Identifier: Apache-2.0
//
// One-shot and repeating timers: never early, in order, and cancelled for good.
// Where several must be due at once the test lets time pass before it runs the reactor.

import Glibc
import Sluice
import TestSupport
import Testing

@Suite(.countingDescriptors)
struct Timers {
    // MARK: Once

    @Test func `a timer fires once`() throws {
        let reactor = try Reactor()
        let firings = Box(0)
        reactor.after(.milliseconds(1)) { firings.value += 1 }
        reactor.expect("the timer fires") { firings.value > 0 }
        letTimePass(.milliseconds(2))
        reactor.settle()
        #expect(firings.value == 1)
    }

    @Test(arguments: [0, 1, 130, 131, 132, 1_000, 20_000])
    func `a timer is never early`(microseconds: Int) throws {
        let reactor = try Reactor()
        let delay = Duration.microseconds(microseconds)
        let clock = SuspendingClock()
        for _ in 0..<10 {
            let fired = Box<SuspendingClock.Instant?>(nil)
            let start = clock.now
            reactor.after(delay) { fired.value = clock.now }
            reactor.expect("the timer fires") { fired.value != nil }
            let instant = try #require(fired.value)
            #expect(start.duration(to: instant) >= delay)
        }
    }

    @Test(arguments: [Duration.zero, .nanoseconds(-1), .seconds(-5), .seconds(Int64.min)])
    func `a delay of nothing, or less, is none`(delay: Duration) throws {
        let reactor = try Reactor()
        let fired = Box(false)
        reactor.after(delay) { fired.value = true }
        #expect(!fired.value)
        reactor.expect("the timer fires") { fired.value }
    }

    @Test(arguments: [Duration.seconds(1 << 33), .seconds(Int64.max)])
    func `a delay of centuries neither traps nor fires`(delay: Duration) throws {
        let reactor = try Reactor()
        let fired = Box(false)
        let timer = reactor.after(delay) { fired.value = true }
        reactor.settle()
        #expect(!fired.value)
        #expect(timer.isPending)
    }

    @Test func `a timer is pending until it fires`() throws {
        let reactor = try Reactor()
        let during = Box<Bool?>(nil)
        let timer = Box<Timer?>(nil)
        timer.value = reactor.after(.zero) { during.value = timer.value?.isPending }
        #expect(timer.value?.isPending == true)
        reactor.expect("the timer fires") { during.value != nil }
        #expect(during.value == false)
        #expect(timer.value?.isPending == false)
        timer.value = nil
    }

    @Test func `a timer of no delay set by a handler waits for a later pass`() throws {
        let reactor = try Reactor()
        let firings = Box(0)
        let chain = Box<() -> Void>({})
        chain.value = {
            firings.value += 1
            reactor.after(.zero) { chain.value() }
        }
        chain.value()
        letTimePass(.milliseconds(1))
        reactor.runPending()
        #expect(firings.value <= 2)
        reactor.expect("the chain goes on") { firings.value > 5 }
        chain.value = {}
    }

    // MARK: Order

    @Test func `timers fire in the order of their deadlines`() throws {
        let reactor = try Reactor()
        let order = Box<[Int]>([])
        for delay in [3, 1, 4, 2, 5] {
            reactor.after(.milliseconds(delay)) { order.value.append(delay) }
        }
        reactor.expect("all fire") { order.value.count == 5 }
        #expect(order.value == [1, 2, 3, 4, 5])
    }

    @Test func `timers that are all due fire in the order of their deadlines`() throws {
        let reactor = try Reactor()
        let order = Box<[Int]>([])
        for delay in [3, 1, 4, 2, 5] {
            reactor.after(.milliseconds(delay)) { order.value.append(delay) }
        }
        letTimePass(.milliseconds(7))
        reactor.expect("all fire") { order.value.count == 5 }
        #expect(order.value == [1, 2, 3, 4, 5])
    }

    @Test(arguments: [0, 1, 12])
    func `timers of equal delay fire in the order in which they were set`(
        milliseconds: Int
    ) throws {
        let reactor = try Reactor()
        let order = Box<[Int]>([])
        for number in 0..<50 {
            reactor.after(.milliseconds(milliseconds)) { order.value.append(number) }
        }
        reactor.expect("all fire") { order.value.count == 50 }
        #expect(order.value == Array(0..<50))
    }

    @Test func `where many are due, what can be read does not wait for all of them`() throws {
        let reactor = try Reactor()
        let pipe = try PipeEnds()
        let order = Box<[Int]>([])
        let firedBefore = Box<Int?>(nil)
        let watch = try reactor.watch(pipe.reading, for: .readable) { _ in
            _ = pipe.read()
            firedBefore.value = order.value.count
        }
        for number in 0..<200 {
            reactor.after(.milliseconds(1)) { order.value.append(number) }
        }
        pipe.write("x")
        letTimePass(.milliseconds(3))
        reactor.expect("all fire") { order.value.count == 200 }
        #expect(order.value == Array(0..<200))
        let count = try #require(firedBefore.value)
        #expect(count < 200)
        withExtendedLifetime(watch) {}
    }

    // MARK: Repeating

    @Test func `a repeating timer fires until it is cancelled`() throws {
        let reactor = try Reactor()
        let firings = Box(0)
        let timer = reactor.every(.milliseconds(1)) { firings.value += 1 }
        reactor.expect("it fires four times") { firings.value == 4 }
        #expect(timer.isPending)
        timer.cancel()
        letTimePass(.milliseconds(3))
        reactor.settle()
        #expect(firings.value == 4)
        #expect(!timer.isPending)
    }

    @Test func `a repeating timer is never early`() throws {
        let reactor = try Reactor()
        let clock = SuspendingClock()
        let start = clock.now
        let firings = Box<[Duration]>([])
        let timer = reactor.every(.milliseconds(2)) {
            firings.value.append(start.duration(to: clock.now))
        }
        reactor.expect("it fires five times") { firings.value.count == 5 }
        timer.cancel()
        for (number, time) in firings.value.enumerated() {
            #expect(time >= .milliseconds(2 * (number + 1)))
        }
    }

    @Test func `a repeating timer skips the times that a long turn has missed`() throws {
        let reactor = try Reactor()
        let clock = SuspendingClock()
        let start = clock.now
        let firings = Box<[Duration]>([])
        let timer = reactor.every(.milliseconds(5)) {
            firings.value.append(start.duration(to: clock.now))
            if firings.value.count == 1 { letTimePass(.milliseconds(18)) }
        }
        reactor.expect("it fires three times") { firings.value.count == 3 }
        timer.cancel()
        // The turn began at 5 ms or later and took 18: what was due at 10, 15 and 20 is skipped.
        #expect(firings.value[1] >= .milliseconds(25))
        #expect(firings.value[2] >= .milliseconds(30))
    }

    @Test func `a repeating timer cancels itself in its own handler`() throws {
        let reactor = try Reactor()
        let firings = Box(0)
        let timer = Box<Timer?>(nil)
        timer.value = reactor.every(.milliseconds(1)) {
            firings.value += 1
            timer.value?.cancel()
        }
        reactor.expect("it fires") { firings.value > 0 }
        letTimePass(.milliseconds(3))
        reactor.settle()
        #expect(firings.value == 1)
        #expect(timer.value?.isPending == false)
    }

    // MARK: Cancelling

    @Test func `a cancelled timer does not fire`() throws {
        let reactor = try Reactor()
        let fired = Box(false)
        let timer = reactor.after(.zero) { fired.value = true }
        timer.cancel()
        #expect(!timer.isPending)
        letTimePass(.milliseconds(1))
        reactor.settle()
        #expect(!fired.value)
    }

    @Test func `a timer cancels another that is due in the same turn`() throws {
        let reactor = try Reactor()
        let firings = Box(0)
        let timers = Box<[Timer]>([])
        for number in 0..<2 {
            timers.value.append(
                reactor.after(.zero) {
                    firings.value += 1
                    timers.value[1 - number].cancel()
                })
        }
        letTimePass(.milliseconds(1))
        reactor.settle()
        #expect(firings.value == 1)
        timers.value = []
    }

    @Test func `cancelling again, or after the firing, does nothing`() throws {
        let reactor = try Reactor()
        let fired = Box(0)
        let first = reactor.after(.zero) { fired.value += 1 }
        reactor.expect("the first fires") { fired.value == 1 }
        // The second takes the first one's place.
        let second = reactor.after(.zero) { fired.value += 1 }
        first.cancel()
        first.cancel()
        #expect(second.isPending)
        reactor.expect("the second fires") { fired.value == 2 }
    }

    @Test func `a cancelled timer lets go of what its handler holds`() throws {
        let reactor = try Reactor()
        weak var held: Box<Int>?
        let timer: Timer
        do {
            let box = Box(1)
            held = box
            timer = reactor.after(.seconds(60)) { box.value += 1 }
        }
        #expect(held != nil)
        timer.cancel()
        #expect(held == nil)
    }

    @Test func `a timer that has fired lets go of what its handler held`() throws {
        let reactor = try Reactor()
        weak var held: Box<Int>?
        let fired = Box(false)
        let timer: Timer
        do {
            let box = Box(1)
            held = box
            timer = reactor.after(.zero) {
                box.value += 1
                fired.value = true
            }
        }
        reactor.expect("it fires") { fired.value }
        #expect(held == nil)
        #expect(!timer.isPending)
    }

    @Test func `what a handler holds may cancel the timer again as it goes`() async {
        await #expect(processExitsWith: .success) {
            let reactor = try Reactor()
            let canceller = Box<Canceller?>(Canceller())
            let timer = reactor.after(.seconds(60)) { [held = canceller.value] in
                withExtendedLifetime(held) {}
            }
            canceller.value?.timer = timer
            canceller.value = nil
            timer.cancel()
        }
    }

    // MARK: Failures and ends

    @Test func `what a timer throws goes to the reactor's error handler`() throws {
        let reactor = try Reactor()
        let errors = Box<[SocketError]>([])
        reactor.onError = { error, channel in
            #expect(channel == nil)
            if let error = error as? SocketError { errors.value.append(error) }
        }
        let other = Box(false)
        reactor.after(.zero) { throw SocketError(.perform, .timedOut) }
        reactor.after(.milliseconds(1)) { other.value = true }
        reactor.expect("the other timer fires") { other.value }
        #expect(errors.value == [SocketError(.perform, .timedOut)])
    }

    @Test func `a repeating timer that throws goes on`() throws {
        let reactor = try Reactor()
        let errors = Box(0)
        reactor.onError = { _, _ in errors.value += 1 }
        let timer = reactor.every(.milliseconds(1)) { throw SocketError(.perform, .timedOut) }
        reactor.expect("it throws three times") { errors.value == 3 }
        timer.cancel()
    }

    @Test func `a reactor's end drops its timers`() throws {
        weak var held: Box<Int>?
        do {
            let reactor = try Reactor()
            let box = Box(0)
            held = box
            reactor.after(.seconds(60)) { box.value += 1 }
            reactor.every(.seconds(60)) { box.value += 1 }
        }
        #expect(held == nil)
    }

    @Test func `a timer of a reactor that has ended is not pending`() throws {
        let timer: Timer
        do { timer = try Reactor().after(.zero) {} }
        #expect(!timer.isPending)
        timer.cancel()
    }

    @Test func `many timers all fire`() throws {
        let reactor = try Reactor()
        let firings = Box(0)
        for number in 0..<5_000 {
            reactor.after(.microseconds(number * 4)) { firings.value += 1 }
        }
        reactor.expect("all fire") { firings.value == 5_000 }
    }

    @Test func `the end of a reactor lets go of what its timers hold`() throws {
        weak var held: Box<Int>?
        let timer = try {
            let reactor = try Reactor()
            let box = Box(0)
            held = box
            return reactor.after(.seconds(60)) { box.value += 1 }
        }()
        #expect(held == nil)
        #expect(!timer.isPending)
    }
}

/// Cancels a timer as its life ends.
private final class Canceller {
    var timer: Timer?
    deinit { timer?.cancel() }
}
