// SPDX-License-Identifier: Apache-2.0
//
// What a supervisor decides: starts, restarts, reloads and ends, in every order, without a process
// and without a clock.

import TestSupport
import Testing

@testable import Sluice

@Suite
struct SupervisingPurely {
    private typealias Step = Supervision.Step

    /// In nanoseconds.
    private func seconds(_ count: Double) -> UInt64 { UInt64(count * 1_000_000_000) }

    private let failed = WorkerEnding.process(.exited(1))
    private let killed = WorkerEnding.process(.killed(.kill))
    private let orderly = WorkerEnding.process(.exited(0))

    // MARK: Starting

    @Test func `a start launches each place once, and all are told when they serve`() {
        var one = Supervision.idle()
        #expect(one.phase == .idle)
        #expect(one.nextTime == nil)
        #expect(
            one.start(at: 0)
                == [
                    .launch(1, slot: 0, generation: 1), .launch(2, slot: 1, generation: 1),
                ])
        #expect(one.start(at: 0) == [])
        #expect(one.nextTime == seconds(10))
        #expect(one.ready(2, at: 1) == [.tell(.ready(2))])
        #expect(one.ready(2, at: 1) == [])
        #expect(one.ready(1, at: 2) == [.tell(.ready(1)), .tell(.serving(generation: 1))])
        #expect(one.ready(7, at: 2) == [])
        #expect(one.nextTime == nil)
        #expect(one.generation == 1)
    }

    @Test func `a worker that is not ready in time is killed, and its place gets another`() {
        var one = Supervision.idle(1)
        _ = one.start(at: 0)
        #expect(one.timePassed(at: seconds(10) - 1) == [])
        #expect(one.timePassed(at: seconds(10)) == [.tell(.late(1)), .kill(1)])
        #expect(one.timePassed(at: seconds(11)) == [])
        #expect(one.ready(1, at: seconds(11)) == [])
        #expect(one.ended(1, killed, at: seconds(12)) == [.launch(2, slot: 0, generation: 1)])
        #expect(one.nextTime == seconds(22))
        #expect(
            one.ready(2, at: seconds(13))
                == [.tell(.ready(2)), .tell(.serving(generation: 1))])
    }

    @Test func `a place whose worker can't be started waits for longer and longer`() {
        var one = Supervision.idle(1)
        _ = one.start(at: 0)
        #expect(
            one.ended(1, .notStarted("no"), at: 0) == [.launch(2, slot: 0, generation: 1)])
        var number = 2
        var now: UInt64 = 0
        for wait in [10, 20, 40, 80, 160, 320, 640, 1_280, 2_560, 5_120, 10_000, 10_000] {
            let delay = Duration.milliseconds(wait)
            #expect(
                one.ended(number, .notStarted("no"), at: now)
                    == [.tell(.restarting(slot: 0, after: delay))])
            #expect(one.timePassed(at: now + delay.nanoseconds - 1) == [])
            #expect(one.nextTime == now + delay.nanoseconds)
            now += delay.nanoseconds
            number += 1
            #expect(one.timePassed(at: now) == [.launch(number, slot: 0, generation: 1)])
        }
        #expect(one.places[0].restarts == 13)
    }

    @Test func `at first workers have as long to end as their connections do`() {
        let limit = ServingOptions().drainLimit + ChannelOptions().lingerLimit
        #expect(SupervisorOptions().drainLimit >= limit)
    }

    @Test(arguments: [Duration.zero, .seconds(-1)])
    func `limits of nothing count as a millisecond, and kill nobody at once`(limit: Duration) {
        var one = Supervision.idle(1) {
            $0.startLimit = limit
            $0.watchdog = limit
        }
        _ = one.start(at: 0)
        #expect(one.timePassed(at: 0) == [])
        #expect(one.nextTime == seconds(0.001))
        _ = one.ready(1, at: 1)
        #expect(one.timePassed(at: 1) == [])
        #expect(one.nextTime == seconds(0.001) + 1)
    }

    // MARK: Restarting

    @Test func `a worker that was good is started again at once, each time`() {
        var one = Supervision.serving(1)
        for number in 1...5 {
            let now = seconds(Double(number) * 100)
            #expect(
                one.ended(number, killed, at: now)
                    == [.launch(number + 1, slot: 0, generation: 1)])
            #expect(one.ready(number + 1, at: now) == [.tell(.ready(number + 1))])
        }
    }

    @Test func `one that was ready for a moment only waits the second time`() {
        var one = Supervision.serving(1)
        #expect(one.ended(1, failed, at: 1) == [.launch(2, slot: 0, generation: 1)])
        _ = one.ready(2, at: 2)
        let wait = Duration.milliseconds(10)
        #expect(
            one.ended(2, failed, at: seconds(10)) == [.tell(.restarting(slot: 0, after: wait))])
        #expect(one.places[0].isEmpty)
    }

    @Test func `a long start that never got ready is no good worker`() {
        var one = Supervision.idle(1) { $0.startLimit = .seconds(100) }
        _ = one.start(at: 0)
        _ = one.ended(1, failed, at: seconds(50))
        #expect(
            one.ended(2, failed, at: seconds(99))
                == [.tell(.restarting(slot: 0, after: .milliseconds(10)))])
    }

    @Test func `places are restarted apart`() {
        var one = Supervision.serving(2)
        _ = one.ended(1, failed, at: 0)
        _ = one.ended(3, failed, at: 0)
        #expect(one.ended(2, failed, at: 0) == [.launch(4, slot: 1, generation: 1)])
        #expect(one.places.map(\.restarts) == [2, 1])
    }

    @Test func `a worker that says it comes to its end is replaced while it does`() {
        var one = Supervision.serving(1)
        #expect(
            one.stopping(1, at: seconds(20)) == [.launch(2, slot: 0, generation: 1)])
        #expect(one.stopping(1, at: seconds(20)) == [])
        #expect(one.workers[1]?.isEnding == true)
        #expect(one.ready(2, at: seconds(21)) == [.tell(.ready(2))])
        #expect(one.ended(1, orderly, at: seconds(22)) == [])
        #expect(one.stopping(9, at: 0) == [])
    }

    @Test func `one that says so and does not end is killed`() {
        var one = Supervision.serving(1)
        _ = one.stopping(1, at: 0)
        _ = one.ready(2, at: 0)
        #expect(one.nextTime == seconds(6))
        #expect(one.timePassed(at: seconds(6)) == [.tell(.unwilling(1)), .kill(1)])
        #expect(one.ended(1, killed, at: seconds(6)) == [])
    }

    // MARK: The watchdog

    @Test func `a worker that is silent for too long is killed`() {
        var one = Supervision.serving(1) { $0.watchdog = .seconds(2) }
        #expect(one.nextTime == seconds(2))
        one.fed(1, at: seconds(1))
        #expect(one.timePassed(at: seconds(2)) == [])
        #expect(one.nextTime == seconds(3))
        #expect(one.timePassed(at: seconds(3)) == [.tell(.silent(1)), .kill(1)])
        one.fed(1, at: seconds(3))
        #expect(one.nextTime == nil)
        #expect(one.ended(1, killed, at: seconds(3)) == [.launch(2, slot: 0, generation: 1)])
        one.fed(2, at: seconds(4))
        #expect(one.nextTime == seconds(13))
    }

    @Test func `those that could not be heard have their time again, once it is over`() {
        var one = Supervision.serving(2) { $0.watchdog = .seconds(2) }
        _ = one.ended(2, killed, at: 0)
        one.fed(1, at: seconds(1))
        one.excuse(at: seconds(1))
        #expect(one.nextTime == seconds(3))
        one.excuse(at: seconds(12))
        #expect(one.timePassed(at: seconds(12)) == [])
        #expect(one.timePassed(at: seconds(14)) == [.tell(.silent(1)), .kill(1)])
        #expect(one.timePassed(at: seconds(22)) == [.tell(.late(3)), .kill(3)])
    }

    @Test func `who was asked to end is not excused`() {
        var one = Supervision.serving(1)
        _ = one.drain(at: 0)
        one.excuse(at: seconds(7))
        #expect(one.timePassed(at: seconds(7)) == [.tell(.unwilling(1)), .kill(1)])
    }

    // MARK: Any order

    /// Whatever happens in whatever order: numbers are used once, ended workers get nothing, and a
    /// drain comes to its end.
    @Test(arguments: 0..<200 as Range<UInt64>)
    func `in any order of events a supervision stays whole`(seed: UInt64) {
        var lottery = Lottery(seed: seed)
        var one = Supervision.idle(3) { $0.watchdog = .seconds(1) }
        var alive: Set<Int> = []
        var launched: Set<Int> = []
        var generations: [Int] = []
        var now: UInt64 = 0
        func follow(_ steps: [Step]) {
            for step in steps {
                switch step {
                case .launch(let number, _, _):
                    #expect(launched.insert(number).inserted)
                    alive.insert(number)
                case .terminate(let number), .kill(let number): #expect(alive.contains(number))
                case .prepare(let generation):
                    generations.append(generation)
                    let isRefused = Bool.random(using: &lottery)
                    follow(
                        isRefused
                            ? one.refused(generation, "", at: now)
                            : one.prepared(generation, at: now))
                default: break
                }
            }
        }
        follow(one.start(at: now))
        for _ in 0..<300 {
            now += UInt64.random(in: 0...500_000_000, using: &lottery)
            let number = alive.sorted().randomElement(using: &lottery) ?? 0
            switch Int.random(in: 0..<10, using: &lottery) {
            case 0...3: follow(one.ready(number, at: now))
            case 4: one.fed(number, at: now)
            case 5: follow(one.stopping(number, at: now))
            case 6:
                alive.remove(number)
                follow(one.ended(number, killed, at: now))
            case 7: follow(one.reload())
            default: follow(one.timePassed(at: now))
            }
            #expect(Set(one.workers.keys) == alive)
            let named = one.places.flatMap { [$0.current, $0.candidate].compactMap(\.self) }
            #expect(Set(named).count == named.count)
            #expect(Set(named).isSubset(of: alive))
            #expect(one.places.allSatisfy { $0.current != nil || $0.restart.due != nil })
        }
        #expect(generations == generations.sorted())
        follow(one.drain(at: now))
        for number in alive.sorted() {
            #expect(one.phase == .draining)
            alive.remove(number)
            follow(one.ended(number, orderly, at: now))
        }
        #expect(one.phase == .ended)
        #expect(one.nextTime == nil)
    }

    // MARK: Messages

    @Test func `what a worker tells is read line by line`() {
        let message = WorkerMessage("READY=1\nSTATUS=a=b\nWATCHDOG=1\nMAINPID=3\n".utf8)
        #expect(message?.isReady == true)
        #expect(message?.isAlive == true)
        #expect(message?.isStopping == false)
        #expect(message?.status == "a=b")
        #expect(WorkerMessage("STOPPING=1".utf8)?.isStopping == true)
        #expect(WorkerMessage("READY=0".utf8)?.isReady == false)
        #expect(WorkerMessage("X_SLUICE_FIGURES=sent=3".utf8)?.figures?.bytesSent == 3)
        #expect(WorkerMessage("".utf8) != nil)
    }

    @Test(arguments: [
        "READY", "=1", "READY=1\nSTOPPING", "X_SLUICE_FIGURES=sent=-1", "\0", "READY=1\n\0",
    ])
    func `a text that is no message is none`(text: String) {
        #expect(WorkerMessage(text.utf8) == nil)
    }

    @Test func `bytes that are no text are no message`() {
        #expect(WorkerMessage([0xff, 0xfe]) == nil)
        #expect(WorkerMessage([0x41, 0x3d, 0xc3]) == nil)
    }

    @Test func `why a reload has failed prints as a sentence`() {
        #expect("\(ReloadError.refused("no such file"))" == "no such file")
        #expect(
            "\(ReloadError.ended(slot: 1, .exited(2)))"
                == "worker 1 was not ready when it exited with status 2")
        #expect(
            "\(ReloadError.ended(slot: 1, .killed(.kill)))"
                == "worker 1 was not ready when it was killed by signal 9")
        #expect("\(ReloadError.late(slot: 0))" == "worker 0 was not ready in time")
    }
}

extension Supervision {
    /// One that was not started.
    static func idle(
        _ count: Int = 2, _ edit: (inout SupervisorOptions) -> Void = { _ in }
    ) -> Supervision {
        var options = SupervisorOptions()
        options.workerCount = count
        options.drainLimit = .seconds(5)
        edit(&options)
        return Supervision(options.inRange)
    }

    /// One whose workers, numbered from 1, are ready at the time 0.
    static func serving(
        _ count: Int = 2, _ edit: (inout SupervisorOptions) -> Void = { _ in }
    ) -> Supervision {
        var supervision = idle(count, edit)
        _ = supervision.start(at: 0)
        for number in 1...count { _ = supervision.ready(number, at: 0) }
        return supervision
    }
}
