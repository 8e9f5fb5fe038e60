// SPDX-License-Identifier: Apache-2.0
//
// Tasks and actors on a reactor's thread: where their jobs run, in which order, and what becomes of
// them at the reactor's end.

import Glibc
import TestSupport
import Testing

@testable import Sluice

/// An actor of a program's own on a reactor.
private actor Counter {
    let executor: Reactor.Executor
    var count = 0

    init(on executor: Reactor.Executor) { self.executor = executor }

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    func add() -> Bool {
        count += 1
        return executor.isCurrent
    }
}

@Suite(.countingDescriptors)
struct ExecutingJobs {
    let reactor: Reactor

    init() throws { reactor = try Reactor() }

    /// Waits for what other threads do, which does not wake the reactor.
    private func expectElsewhere(_ what: Comment, until condition: () -> Bool) {
        let tick = reactor.every(.milliseconds(1)) {}
        reactor.expect(what, until: condition)
        tick.cancel()
    }

    @Test func `a task that prefers the executor runs on the reactor's thread`() {
        let log = Log()
        let thread = Int(pthread_self())
        Task(executorPreference: reactor.executor) {
            log.append(Int(pthread_self()))
            await Task.yield()
            log.append(Int(pthread_self()))
        }
        #expect(log.count == 0, "nothing runs before the reactor does")
        reactor.expect("the task") { log.count == 2 }
        #expect(log.entries == [thread, thread])
    }

    @Test func `an actor on the executor is reached without a change of threads`() {
        let log = Log()
        let counter = Counter(on: reactor.executor)
        Task(executorPreference: reactor.executor) {
            for _ in 0..<3 { log.append(await counter.add() ? 1 : 0) }
        }
        reactor.expect("the task") { log.count == 3 }
        #expect(log.entries == [1, 1, 1])
    }

    @Test func `an actor on the executor is reached from any thread`() {
        let log = Log()
        let counter = Counter(on: reactor.executor)
        for _ in 0..<100 {
            Task.detached { log.append(await counter.add() ? 1 : 0) }
        }
        expectElsewhere("the tasks") { log.count == 100 }
        #expect(log.entries.allSatisfy { $0 == 1 })
    }

    @Test func `handlers are isolated to what is on their reactor`() {
        let counter = Counter(on: reactor.executor)
        var count = 0
        reactor.after(.zero) {
            counter.assumeIsolated { _ = $0.add() }
            count = counter.assumeIsolated { $0.count }
        }
        reactor.expect("the timer") { count == 1 }
        #expect(reactor.executor.isIsolatingCurrentContext() == true)
        let executor = reactor.executor
        let other = OtherThread { #expect(executor.isIsolatingCurrentContext() == false) }
        other.join()
    }

    @Test func `jobs run in the order in which they became ready`() {
        let log = Log()
        for number in 0..<100 {
            Task(executorPreference: reactor.executor) { log.append(number) }
        }
        reactor.expect("all") { log.count == 100 }
        #expect(log.entries == Array(0..<100))
    }

    @Test func `a task that never waits leaves others their turn`() {
        let flag = Flag()
        Task(executorPreference: reactor.executor) {
            while !flag.isSet { await Task.yield() }
        }
        var fired = false
        reactor.after(.milliseconds(1)) { fired = true }
        reactor.expect("the timer fires meanwhile") { fired }
        flag.set()
        reactor.settle()
    }

    @Test func `another job of the same executor does not run in the middle of one`() {
        let log = Log()
        let executor = reactor.executor
        Task(executorPreference: reactor.executor) {
            log.append(1)
            Task(executorPreference: executor) { log.append(3) }
            log.append(2)
        }
        reactor.expect("both") { log.count == 3 }
        #expect(log.entries == [1, 2, 3])
    }

    // MARK: The end

    @Test func `at the reactor's end waits are over and their tasks finish`() throws {
        let log = Log()
        do {
            let reactor = try Reactor()
            let executor = reactor.executor
            for _ in 0..<10 {
                Task(executorPreference: executor) {
                    log.append(1)
                    let error = await #expect(throws: SocketError.self) {
                        try await executor.sleep(for: .seconds(600))
                    }
                    #expect(error == SocketError(.wait, .cancelled))
                    log.append(2)
                }
            }
            reactor.expect("they wait") { log.count == 10 }
        }
        #expect(log.entries == Array(repeating: 1, count: 10) + Array(repeating: 2, count: 10))
    }

    @Test func `a job that comes after the reactor's end still runs, one at a time`() throws {
        let executor = try Reactor().executor
        let counter = Counter(on: executor)
        let tally = Tally()
        let threads = (0..<4).map { _ in
            OtherThread {
                for _ in 0..<100 {
                    Task.detached {
                        _ = await counter.add()
                        tally.add(1)
                    }
                }
            }
        }
        for thread in threads { thread.join() }
        expectElsewhere("all") { tally.value == 400 }
        let log = Log()
        Task.detached { log.append(await counter.count) }
        expectElsewhere("the count") { log.count == 1 }
        #expect(log.entries == [400])
        let error = SocketError(.wait, .cancelled)
        Task.detached {
            await #expect(throws: error) { try await executor.sleep(for: .seconds(1)) }
            log.append(0)
        }
        expectElsewhere("the refusal") { log.count == 2 }
    }

    // MARK: Time

    @Test func `a sleep ends at its time, on the reactor's thread`() {
        let log = Log()
        let executor = reactor.executor
        Task(executorPreference: executor) {
            let start = ContinuousClock.now
            try await executor.sleep(for: .milliseconds(20))
            #expect(ContinuousClock.now - start >= .milliseconds(20))
            log.append(executor.isCurrent ? 1 : 0)
        }
        reactor.expect("the end") { log.count == 1 }
        #expect(log.entries == [1])
    }

    @Test func `a cancelled sleep ends at once, from any thread`() {
        let log = Log()
        let executor = reactor.executor
        let task = Task(executorPreference: executor) {
            log.append(0)
            do throws(SocketError) {
                try await executor.sleep(for: .seconds(600))
            } catch {
                log.append(error == SocketError(.wait, .cancelled) ? 1 : 2)
            }
        }
        reactor.expect("it sleeps") { log.count == 1 }
        let other = OtherThread { task.cancel() }
        reactor.expect("its end") { log.count == 2 }
        other.join()
        #expect(log.entries == [0, 1])
    }

    @Test func `a deadline ends the waits under it, and none besides`() {
        let log = Log()
        let executor = reactor.executor
        Task(executorPreference: executor) {
            let error = await #expect(throws: SocketError.self) {
                try await executor.within(.milliseconds(10)) {
                    try await executor.sleep(for: .seconds(600))
                }
            }
            #expect(error == SocketError(.wait, .timedOut))
            try await executor.within(.seconds(600)) {
                try await executor.sleep(for: .milliseconds(1))
            }
            try await executor.sleep(for: .milliseconds(1))
            log.append(1)
        }
        reactor.expect("its end") { log.count == 1 }
    }

    @Test func `a deadline that has passed ends the later waits at once`() {
        let log = Log()
        let executor = reactor.executor
        Task(executorPreference: executor) {
            let error = await #expect(throws: SocketError.self) {
                try await executor.within(.milliseconds(10)) {
                    // The first wait meets the deadline, and the second one comes after it.
                    try? await executor.sleep(for: .seconds(600))
                    try await executor.sleep(for: .seconds(600))
                }
            }
            #expect(error == SocketError(.wait, .timedOut))
            log.append(1)
        }
        reactor.expect("its end") { log.count == 1 }
    }

    @Test func `the shorter of two deadlines holds`() {
        let log = Log()
        let executor = reactor.executor
        for limits in [(10, 600_000), (600_000, 10)] {
            Task(executorPreference: executor) {
                let error = await #expect(throws: SocketError.self) {
                    try await executor.within(.milliseconds(limits.0)) {
                        try await executor.within(.milliseconds(limits.1)) {
                            try await executor.sleep(for: .seconds(600))
                        }
                    }
                }
                #expect(error?.code == .timedOut)
                log.append(1)
            }
        }
        reactor.expect("both ends") { log.count == 2 }
    }

    @Test func `tasks that keep one another going take no memory`() {
        let done = Tally()
        for _ in 0..<2 {
            Task(executorPreference: reactor.executor) {
                for _ in 0..<10_000 { await Task.yield() }
                done.add(1)
            }
        }
        reactor.expect("both") { done.value == 2 }
        #expect(reactor.executor.jobRoom < 100)
    }

    @Test func `jobs that were left of a turn may end a run`() {
        let isOver = Flag()
        // More than a turn takes, so that nothing but jobs is left.
        Task(executorPreference: reactor.executor) {
            for _ in 0..<3_000 { await Task.yield() }
            isOver.set()
        }
        let guardian = reactor.after(.seconds(20)) { Issue.record("it sleeps") }
        let handle = reactor.handle
        Task(executorPreference: reactor.executor) {
            while !isOver.isSet { await Task.yield() }
            for _ in 0..<3_000 { await Task.yield() }
            try handle.perform { $0.stop() }
        }
        reactor.run(until: { isOver.isSet })
        reactor.run()
        guardian.cancel()
    }

    @Test func `a deadline holds for what is in it, and not for tasks that outlive it`() {
        let executor = reactor.executor
        let log = Log()
        Task(executorPreference: executor) {
            let survivor = try await executor.within(.milliseconds(200)) {
                Task {
                    try await executor.sleep(for: .milliseconds(250))
                    log.append(1)
                    try await executor.within(.seconds(60)) {
                        try await executor.sleep(for: .milliseconds(1))
                    }
                    log.append(2)
                }
            }
            try await survivor.value
            #expect(!Deadline.isAny)
            log.append(3)
        }
        reactor.expect("the task that outlives the deadline") { log.count == 3 }
    }

    @Test func `of two deadlines the first to pass counts, as long as it holds`() {
        let executor = reactor.executor
        let log = Log()
        Task(executorPreference: executor) {
            // The inner one has ended when the outer one passes.
            let error = await #expect(throws: SocketError.self) {
                try await executor.within(.milliseconds(20)) {
                    let survivor = try await executor.within(.milliseconds(5)) {
                        let task = Task { try await executor.sleep(for: .seconds(600)) }
                        // Until it waits.
                        for _ in 0..<20 { await Task.yield() }
                        return task
                    }
                    try await survivor.value
                }
            }
            #expect(error == SocketError(.wait, .timedOut))
            log.append(1)
            // The outer one has ended when it would have passed.
            let survivor = try await executor.within(.milliseconds(200)) {
                Task {
                    try await executor.within(.seconds(600)) {
                        try await executor.sleep(for: .milliseconds(250))
                    }
                }
            }
            try await survivor.value
            log.append(2)
        }
        reactor.expect("both") { log.count == 2 }
    }
}
