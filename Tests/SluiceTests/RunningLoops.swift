// SPDX-License-Identifier: Apache-2.0
//
// Running a reactor, inside a handler too, and ending the run.
// Each test ends by itself; a timer of the reactor is its rescue where that should fail.

import Sluice
import TestSupport
import Testing

@Suite(.countingDescriptors)
struct RunningLoops {
    // MARK: Run and stop

    @Test func `a run ends after the handler that stops it`() throws {
        let reactor = try Reactor()
        let steps = Box<[String]>([])
        reactor.after(.zero) {
            reactor.stop()
            steps.value.append("after stop")
        }
        reactor.runToStop()
        #expect(steps.value == ["after stop"])
    }

    @Test func `a stopped run handles nothing more`() throws {
        let reactor = try Reactor()
        let handled = Box(0)
        let timers = (0..<3).map { _ in
            reactor.after(.zero) {
                handled.value += 1
                reactor.stop()
            }
        }
        reactor.runToStop()
        #expect(handled.value == 1)
        // Their handlers hold the reactor, which holds them.
        for timer in timers { timer.cancel() }
    }

    @Test func `what a stop left over is handled by the next run`() throws {
        let reactor = try Reactor()
        let handled = Box(0)
        for _ in 0..<3 {
            reactor.after(.zero) {
                handled.value += 1
                reactor.stop()
            }
        }
        for expected in 1...3 {
            reactor.runToStop()
            #expect(handled.value == expected)
        }
    }

    @Test func `stopping a reactor that does not run does nothing`() throws {
        let reactor = try Reactor()
        let handled = Box(false)
        reactor.stop()
        reactor.after(.zero) { handled.value = true }
        reactor.expect("the timer fires though there was a stop before") { handled.value }
    }

    @Test func `a reactor can run again and again`() throws {
        let reactor = try Reactor()
        for _ in 0..<5 {
            reactor.after(.zero) { reactor.stop() }
            reactor.runToStop()
        }
    }

    @Test func `a run without anything to do waits to be stopped`() throws {
        let reactor = try Reactor()
        let handle = reactor.handle
        let hasRun = Flag()
        let other = OtherThread {
            handle.performOrFail { _ in hasRun.set() }
            handle.stop()
        }
        reactor.runToStop()
        other.join()
        #expect(hasRun.isSet)
    }

    // MARK: Until

    @Test func `a run ends when its condition holds`() throws {
        let reactor = try Reactor()
        let count = Box(0)
        let timer = reactor.every(.milliseconds(1)) { count.value += 1 }
        let holds = reactor.run(until: { count.value == 3 })
        timer.cancel()
        #expect(holds)
        #expect(count.value == 3)
    }

    @Test func `a condition that holds at once ends the run before it begins`() throws {
        let reactor = try Reactor()
        let handled = Box(false)
        try reactor.handle.perform { _ in }
        reactor.after(.zero) { handled.value = true }
        #expect(reactor.run(until: { true }))
        #expect(!handled.value)
    }

    @Test func `a condition is asked between two handlers of one pass`() throws {
        let reactor = try Reactor()
        let one = try Socket.makePair()
        let other = try Socket.makePair()
        try one.first.sendAll("x")
        try other.first.sendAll("x")
        let handled = Box(0)
        let first = try reactor.watch(one.second.number, for: .readable) { _ in
            handled.value += 1
        }
        let second = try reactor.watch(other.second.number, for: .readable) { _ in
            handled.value += 1
        }
        reactor.expect("one of two that are ready is handled") { handled.value > 0 }
        #expect(handled.value == 1)
        first.end()
        second.end()
    }

    @Test func `a stop ends a run whose condition does not hold`() throws {
        let reactor = try Reactor()
        reactor.after(.zero) { reactor.stop() }
        #expect(!reactor.run(until: { false }))
    }

    // MARK: Once

    @Test func `running once waits for something and handles it`() throws {
        let reactor = try Reactor()
        let handled = Box(false)
        // Far enough away that the timing wheel has to move it nearer before it is due.
        reactor.after(.milliseconds(20)) { handled.value = true }
        reactor.runOnce()
        #expect(handled.value)
    }

    @Test func `running what is pending waits for nothing`() throws {
        let reactor = try Reactor()
        let handled = Box(false)
        let timer = reactor.after(.seconds(60)) { handled.value = true }
        reactor.runPending()
        #expect(!handled.value)
        timer.cancel()
    }

    @Test func `running what is pending handles what is ready`() throws {
        let reactor = try Reactor()
        let pair = try Socket.makePair()
        let handled = Box(0)
        let watch = try reactor.watch(pair.second.number, for: .readable) { _ in handled.value += 1
        }
        reactor.runPending()
        #expect(handled.value == 0)
        try pair.first.sendAll("x")
        reactor.runPending()
        #expect(handled.value == 1)
        watch.end()
    }

    // MARK: Nested

    @Test func `a run inside a handler handles what comes`() throws {
        let reactor = try Reactor()
        let steps = Box<[String]>([])
        reactor.after(.zero) {
            steps.value.append("outer begins")
            reactor.after(.milliseconds(1)) { steps.value.append("inner") }
            reactor.expect("the inner timer fires") { steps.value.last == "inner" }
            steps.value.append("outer ends")
        }
        reactor.expect("the outer handler ends") { steps.value.last == "outer ends" }
        #expect(steps.value == ["outer begins", "inner", "outer ends"])
    }

    @Test func `a run inside a timer fires the timers that were due with it`() throws {
        let reactor = try Reactor()
        let fired = Box(false)
        let wasFiredInside = Box(false)
        reactor.after(.zero) {
            reactor.settle()
            wasFiredInside.value = fired.value
        }
        reactor.after(.microseconds(500)) { fired.value = true }
        letTimePass()
        reactor.expect("both fire") { fired.value }
        #expect(wasFiredInside.value)
    }

    @Test func `a run inside a posted closure runs the closures behind it`() throws {
        let reactor = try Reactor()
        let second = Flag()
        let seenInside = Flag()
        let isDone = Flag()
        try reactor.handle.perform { reactor in
            reactor.settle()
            if second.isSet { seenInside.set() }
            isDone.set()
        }
        try reactor.handle.perform { _ in second.set() }
        reactor.expect("both closures run") { isDone.isSet && second.isSet }
        #expect(seenInside.isSet)
    }

    @Test func `a run inside a handler handles the events of the same pass`() throws {
        let reactor = try Reactor()
        let one = try Socket.makePair()
        let other = try Socket.makePair()
        try one.first.sendAll("x")
        try other.first.sendAll("x")
        let depths = Box<[Int]>([])
        let depth = Box(0)
        let handler: (Interest) throws -> Void = { _ in
            depth.value += 1
            defer { depth.value -= 1 }
            depths.value.append(depth.value)
            if depth.value == 1, depths.value.count == 1 {
                reactor.expect("the other one is handled inside") { depths.value.count >= 2 }
            }
        }
        let first = try reactor.watch(one.second.number, for: .readable, handler)
        let second = try reactor.watch(other.second.number, for: .readable, handler)
        reactor.expect("both are handled") { depths.value.count >= 2 }
        #expect(depths.value.prefix(2) == [1, 2])
        first.end()
        second.end()
    }

    @Test func `a stop inside a nested run ends both`() throws {
        let reactor = try Reactor()
        let steps = Box<[String]>([])
        reactor.after(.zero) {
            reactor.after(.zero) { reactor.stop() }
            reactor.runToStop()
            steps.value.append("inner ended")
            reactor.after(.zero) { steps.value.append("too late") }
            letTimePass()
        }
        reactor.runToStop()
        #expect(steps.value == ["inner ended"])
    }

    @Test func `a nested run that ends by its condition leaves the outer one running`() throws {
        let reactor = try Reactor()
        let steps = Box<[Int]>([])
        reactor.after(.zero) {
            reactor.after(.zero) { steps.value.append(1) }
            reactor.run(until: { !steps.value.isEmpty })
            reactor.after(.zero) { steps.value.append(2) }
        }
        reactor.expect("the outer run goes on") { steps.value.count == 2 }
        #expect(steps.value == [1, 2])
    }

    @Test func `a run ten deep comes back`() throws {
        let reactor = try Reactor()
        let depth = Box(0)
        let deeper = Box<() -> Void>({})
        deeper.value = {
            depth.value += 1
            if depth.value == 10 { return }
            let wanted = depth.value + 1
            reactor.after(.zero) { deeper.value() }
            reactor.run(until: { depth.value >= wanted })
        }
        reactor.after(.zero) { deeper.value() }
        reactor.expect("ten runs are inside each other") { depth.value == 10 }
        deeper.value = {}
    }

    // MARK: Several

    @Test func `each thread may run a reactor of its own`() throws {
        let total = Tally()
        let threads = 4
        var running: [OtherThread] = []
        for _ in 0..<threads {
            running.append(
                OtherThread {
                    do {
                        let reactor = try Reactor()
                        let rounds = Box(0)
                        let timer = reactor.every(.microseconds(200)) { rounds.value += 1 }
                        reactor.expect("the timer fires 50 times") { rounds.value == 50 }
                        timer.cancel()
                        total.add(rounds.value)
                    } catch {
                        Issue.record(error)
                    }
                })
        }
        for thread in running { thread.join() }
        #expect(total.value == 50 * threads)
    }

    @Test func `two reactors send each other closures`() throws {
        let mine = try Reactor()
        let myHandle = mine.handle
        let rounds = Tally()
        let other = OtherThread {
            do {
                let reactor = try Reactor()
                let handle = reactor.handle
                playBall(rounds, from: myHandle, to: handle)
                reactor.expect("a hundred rounds are played") { rounds.value >= 100 }
            } catch {
                Issue.record(error)
            }
        }
        mine.expect("a hundred rounds are played") { rounds.value >= 100 }
        other.join()
    }

    @Test func `a reactor may be made and ended inside another's handler`() throws {
        let outer = try Reactor()
        let isDone = Box(false)
        outer.after(.zero) {
            let inner = try Reactor()
            inner.after(.zero) { isDone.value = true }
            inner.expect("the inner reactor's timer fires") { isDone.value }
        }
        outer.expect("the handler has run") { isDone.value }
    }
}

/// Posts to each side in turn until a hundred rounds are played.
private func playBall(_ rounds: Tally, from one: Reactor.Handle, to other: Reactor.Handle) {
    // The last ball may meet a reactor that has ended, which is how the game ends.
    try? one.perform { _ in
        rounds.add(1)
        if rounds.value < 110 { playBall(rounds, from: other, to: one) }
    }
}

/// Lets 2 ms pass, so that several timers are due at once.
private func letTimePass() {
    let end = SuspendingClock.now.advanced(by: .milliseconds(2))
    while SuspendingClock.now < end {}
}
