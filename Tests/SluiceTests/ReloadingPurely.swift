// SPDX-License-Identifier: Apache-2.0
//
// What a supervisor decides when new workers are to take the place of old ones, and when all are to
// end: without a process and without a clock.

import TestSupport
import Testing

@testable import Sluice

@Suite
struct ReloadingPurely {
    private typealias Step = Supervision.Step

    /// In nanoseconds.
    private func seconds(_ count: Double) -> UInt64 { UInt64(count * 1_000_000_000) }

    private let failed = WorkerEnding.process(.exited(1))
    private let killed = WorkerEnding.process(.killed(.kill))
    private let orderly = WorkerEnding.process(.exited(0))

    private func result(_ cutCount: Int = 0, isInterrupted: Bool = false) -> Step {
        .finish(SupervisorResult(cutCount: cutCount, isInterrupted: isInterrupted))
    }

    /// Begins a reload whose places are known.
    private func begin(_ supervision: inout Supervision, at now: UInt64 = 0) -> [Step] {
        let steps = supervision.reload()
        guard case .prepare(let generation)? = steps.first else { return steps }
        return supervision.prepared(generation, at: now)
    }

    @Test func `the old ones are asked to end when all new ones are ready`() {
        var one = Supervision.serving()
        #expect(one.reload() == [.prepare(generation: 2)])
        #expect(one.isReloading)
        #expect(
            one.prepared(2, at: 0)
                == [
                    .launch(3, slot: 0, generation: 2), .launch(4, slot: 1, generation: 2),
                ])
        #expect(one.ready(4, at: 1) == [.tell(.ready(4))])
        #expect(one.generation == 1)
        #expect(
            one.ready(3, at: 1)
                == [
                    .tell(.ready(3)), .terminate(1), .terminate(2),
                    .tell(.serving(generation: 2)), .finishReload(generation: 2, nil),
                ])
        #expect(one.generation == 2)
        #expect(!one.isReloading)
        #expect(one.ended(1, orderly, at: 2) == [])
        #expect(one.nextTime == seconds(6) + 1)
        #expect(one.timePassed(at: seconds(7)) == [.tell(.unwilling(2)), .kill(2)])
        #expect(one.ended(2, killed, at: seconds(7)) == [])
        #expect(one.workers.keys.sorted() == [3, 4])
    }

    @Test func `a new worker that ends before all are ready has the reload given up`() {
        for isReady in [false, true] {
            var one = Supervision.serving()
            _ = begin(&one)
            if isReady { _ = one.ready(3, at: 0) }
            #expect(
                one.ended(3, failed, at: 0)
                    == [
                        .terminate(4),
                        .finishReload(generation: 2, .ended(slot: 0, .exited(1))),
                    ])
            #expect(one.generation == 1)
            #expect(one.ready(4, at: 0) == [])
            #expect(one.ended(4, .process(.killed(.terminate)), at: 0) == [])
            #expect(one.ended(1, killed, at: 0) == [.launch(5, slot: 0, generation: 1)])
            #expect(one.reload() == [.prepare(generation: 3)])
        }
    }

    @Test func `a new worker that comes to its end before all are ready has it given up`() {
        var one = Supervision.serving()
        _ = begin(&one)
        // One that is not ready yet ends, which tells as much.
        #expect(one.stopping(4, at: 0) == [])
        _ = one.ready(3, at: 0)
        #expect(
            one.stopping(3, at: 0)
                == [.terminate(4), .finishReload(generation: 2, .stopping(slot: 0))])
        #expect(one.generation == 1)
        #expect(one.ended(3, orderly, at: 0) == [])
        #expect(one.ended(4, .process(.killed(.terminate)), at: 0) == [])
        #expect(one.workers.keys.sorted() == [1, 2])
    }

    @Test func `one that can't be started, or is late, or can't be told has it given up`() {
        var one = Supervision.serving()
        _ = begin(&one)
        #expect(
            one.ended(4, .notStarted("no"), at: 0)
                == [
                    .terminate(3),
                    .finishReload(generation: 2, .startFailed(slot: 1, reason: "no")),
                ])
        one = Supervision.serving()
        _ = begin(&one, at: seconds(1))
        _ = one.ready(3, at: seconds(1))
        #expect(
            one.timePassed(at: seconds(11))
                == [
                    .tell(.late(4)), .terminate(3), .terminate(4),
                    .finishReload(generation: 2, .late(slot: 1)),
                ])
        // It may ignore that.
        #expect(
            one.timePassed(at: seconds(17))
                == [.tell(.unwilling(3)), .kill(3), .tell(.unwilling(4)), .kill(4)])
        one = Supervision.serving()
        #expect(one.reload() == [.prepare(generation: 2)])
        #expect(
            one.refused(2, "bad", at: 0) == [.finishReload(generation: 2, .refused("bad"))])
        #expect(one.prepared(2, at: 0) == [])
    }

    @Test func `reloads during a reload are one, which follows it`() {
        var one = Supervision.serving(1)
        _ = begin(&one)
        #expect(one.reload() == [.tell(.reloadWaits)])
        #expect(one.reload() == [])
        #expect(
            one.ready(2, at: 0)
                == [
                    .tell(.ready(2)), .terminate(1), .tell(.serving(generation: 2)),
                    .finishReload(generation: 2, nil), .prepare(generation: 3),
                ])
        #expect(one.prepared(3, at: 0) == [.launch(3, slot: 0, generation: 3)])
        #expect(one.reload() == [.tell(.reloadWaits)])
        #expect(
            one.ended(3, failed, at: 0)
                == [
                    .finishReload(generation: 3, .ended(slot: 0, .exited(1))),
                    .prepare(generation: 4),
                ])
        #expect(one.generation == 2)
    }

    @Test func `an old worker that dies during a reload is replaced, until the new ones serve`() {
        var one = Supervision.serving()
        _ = begin(&one)
        #expect(one.ended(1, killed, at: seconds(20)) == [.launch(5, slot: 0, generation: 1)])
        _ = one.ready(3, at: seconds(21))
        #expect(
            one.ready(4, at: seconds(21))
                == [
                    .tell(.ready(4)), .terminate(5), .terminate(2),
                    .tell(.serving(generation: 2)), .finishReload(generation: 2, nil),
                ])
        #expect(one.ended(5, .process(.killed(.terminate)), at: seconds(21)) == [])
    }

    @Test func `a restart that waits is forgotten when the new ones serve`() {
        var one = Supervision.serving(1)
        _ = one.ended(1, failed, at: 0)
        _ = one.ended(2, failed, at: 0)
        #expect(one.nextTime == 10_000_000)
        _ = begin(&one)
        #expect(
            one.ready(3, at: 0)
                == [
                    .tell(.ready(3)), .tell(.serving(generation: 2)),
                    .finishReload(generation: 2, nil),
                ])
        #expect(one.nextTime == nil)
        #expect(one.timePassed(at: seconds(1)) == [])
        #expect(one.ended(3, failed, at: 1) == [.launch(4, slot: 0, generation: 2)])
    }

    @Test func `a reload during the start goes on beside it`() {
        var one = Supervision.idle(1)
        _ = one.start(at: 0)
        #expect(begin(&one) == [.launch(2, slot: 0, generation: 2)])
        #expect(
            one.ready(2, at: 0)
                == [
                    .tell(.ready(2)), .terminate(1), .tell(.serving(generation: 2)),
                    .finishReload(generation: 2, nil),
                ])
        #expect(one.ready(1, at: 0) == [])
    }

    @Test func `without a running supervisor there is no reload`() {
        var one = Supervision.idle()
        #expect(one.reload() == [])
        _ = one.drain(at: 0)
        #expect(one.reload() == [])
    }

    // MARK: Old generations

    /// Serves with the fifth generation, while the workers 1 to 4 drain.
    private func crowded() -> Supervision {
        var one = Supervision.serving(1)
        for number in 2...5 {
            _ = begin(&one)
            _ = one.ready(number, at: 0)
        }
        return one
    }

    @Test func `a reload waits for room while four generations drain`() {
        var one = crowded()
        #expect(one.generation == 5)
        #expect(one.reload() == [.tell(.reloadWaits)])
        #expect(one.reload() == [])
        #expect(!one.isReloading)
        #expect(one.nextGeneration == 6)
        // One that serves and ends makes no room.
        #expect(one.ended(5, killed, at: seconds(1)) == [.launch(6, slot: 0, generation: 5)])
        #expect(one.ended(3, orderly, at: seconds(1)) == [.prepare(generation: 6)])
        #expect(one.prepared(6, at: seconds(1)) == [.launch(7, slot: 0, generation: 6)])
        #expect(one.ended(2, orderly, at: seconds(2)) == [])
    }

    @Test func `a new generation that is given up drains as well`() {
        var one = Supervision.serving(2)
        for reload in 0..<4 {
            _ = begin(&one)
            // The first of the two is asked to end.
            #expect(one.ended(4 + 2 * reload, failed, at: 0).first == .terminate(3 + 2 * reload))
        }
        #expect(one.reload() == [.tell(.reloadWaits)])
        #expect(one.ended(3, orderly, at: 1) == [.prepare(generation: 6)])
    }

    @Test func `a drain gives the reload up that waits for room`() {
        var one = crowded()
        _ = one.reload()
        #expect(
            one.drain(at: 0)
                == [.tell(.draining), .finishReload(generation: 6, .draining), .terminate(5)])
        for number in 1...4 { #expect(one.ended(number, orderly, at: 0) == []) }
        #expect(one.ended(5, orderly, at: 0) == [result()])
    }

    // MARK: Ending

    @Test func `a drain asks all to end, and is over when they have`() {
        var one = Supervision.serving()
        #expect(one.drain(at: 0) == [.tell(.draining), .terminate(1), .terminate(2)])
        #expect(one.drain(at: 0) == [])
        #expect(one.ended(2, orderly, at: 1) == [])
        #expect(one.ended(1, orderly, at: 1) == [result()])
        #expect(one.phase == .ended)
        #expect(one.endAtOnce(at: 2) == [])
        #expect(one.timePassed(at: seconds(100)) == [])
    }

    @Test func `those that do not end are killed a second after the limit, and counted`() {
        var one = Supervision.serving()
        _ = one.drain(at: 0)
        #expect(one.nextTime == seconds(6))
        _ = one.ended(1, .process(.exited(75)), at: 1)
        #expect(one.timePassed(at: seconds(6)) == [.tell(.unwilling(2)), .kill(2)])
        #expect(one.ended(2, killed, at: seconds(6)) == [result(2)])
        #expect(SupervisorResult(cutCount: 2, isInterrupted: false).exitStatus == 75)
    }

    @Test func `one that has never served, and goes at once, is in order`() {
        var one = Supervision.idle()
        _ = one.start(at: 0)
        #expect(one.drain(at: 0) == [.tell(.draining), .terminate(1), .terminate(2)])
        #expect(one.ready(1, at: 0) == [])
        #expect(one.ended(1, .process(.killed(.terminate)), at: 0) == [])
        #expect(one.ended(2, .process(.exited(1)), at: 0) == [result()])
        #expect(SupervisorResult(cutCount: 0, isInterrupted: false).exitStatus == 0)
    }

    @Test func `a drain without a worker is over at once`() {
        var idle = Supervision.idle()
        #expect(idle.drain(at: 0) == [result()])
        var waiting = Supervision.serving(1)
        _ = waiting.ended(1, failed, at: 0)
        _ = waiting.ended(2, failed, at: 0)
        #expect(waiting.drain(at: 0) == [.tell(.draining), result()])
        #expect(waiting.nextTime == nil)
    }

    @Test func `a drain during a reload has it given up, and ends all`() {
        var one = Supervision.serving(1)
        _ = begin(&one)
        _ = one.reload()
        #expect(
            one.drain(at: 0)
                == [
                    .tell(.draining), .finishReload(generation: 2, .draining), .terminate(1),
                    .terminate(2),
                ])
        #expect(one.ended(1, orderly, at: 0) == [])
        #expect(one.ended(2, orderly, at: 0) == [result()])
    }

    @Test func `a drain while a reload is prepared leaves nothing of it`() {
        var one = Supervision.serving(1)
        _ = one.reload()
        _ = one.drain(at: 0)
        #expect(one.prepared(2, at: 0) == [])
        #expect(one.refused(2, "late", at: 0) == [])
        #expect(one.workers.count == 1)
    }

    @Test func `old workers that still drain are waited for`() {
        var one = Supervision.serving(1)
        _ = begin(&one)
        _ = one.ready(2, at: 0)
        #expect(one.drain(at: seconds(1)) == [.tell(.draining), .terminate(2)])
        #expect(one.ended(2, orderly, at: seconds(1)) == [])
        #expect(one.timePassed(at: seconds(6)) == [.tell(.unwilling(1)), .kill(1)])
        #expect(one.ended(1, killed, at: seconds(6)) == [result(1)])
    }

    @Test func `an end at once kills all, and is told apart`() {
        var one = Supervision.serving()
        #expect(
            one.endAtOnce(at: 0)
                == [.tell(.draining), .terminate(1), .terminate(2), .kill(1), .kill(2)])
        #expect(one.endAtOnce(at: 0) == [])
        _ = one.ended(1, killed, at: 0)
        #expect(one.ended(2, killed, at: 0) == [result(2, isInterrupted: true)])
        #expect(SupervisorResult(cutCount: 2, isInterrupted: true).exitStatus == 130)
        var draining = Supervision.serving(1)
        _ = draining.drain(at: 0)
        #expect(draining.endAtOnce(at: 1) == [.kill(1)])
        var idle = Supervision.idle()
        #expect(idle.endAtOnce(at: 0) == [result(isInterrupted: true)])
    }
}
