// SPDX-License-Identifier: Apache-2.0
//
// Closures sent to a reactor from other threads: in order, on its thread, within a limit.
// The threads are the system's own, so that nothing but the reactor's mailbox orders them.

import Glibc
import Sluice
import TestSupport
import Testing

@Suite(.countingDescriptors)
struct Posting {
    @Test func `closures run in the order in which they were sent`() throws {
        let reactor = try Reactor()
        let handle = reactor.handle
        let log = Log()
        let other = OtherThread {
            for number in 0..<1_000 { handle.performOrFail { _ in log.append(number) } }
        }
        reactor.expect("all closures run") { log.count == 1_000 }
        other.join()
        #expect(log.entries == Array(0..<1_000))
    }

    @Test func `a closure runs on the reactor's thread and gets the reactor`() throws {
        let reactor = try Reactor()
        let handle = reactor.handle
        let mine = pthread_self()
        let identity = ObjectIdentifier(reactor)
        let isRight = Flag()
        let hasRun = Flag()
        let other = OtherThread {
            handle.performOrFail { reactor in
                let isMine = pthread_equal(pthread_self(), mine) != 0
                if isMine, ObjectIdentifier(reactor) == identity { isRight.set() }
                hasRun.set()
            }
        }
        reactor.expect("the closure runs") { hasRun.isSet }
        other.join()
        #expect(isRight.isSet)
    }

    @Test func `what a closure has captured goes when it has run`() throws {
        final class Captured: Sendable {
            let end: Flag
            init(_ end: Flag) { self.end = end }
            deinit { end.set() }
        }
        let reactor = try Reactor()
        let end = Flag()
        do {
            let captured = Captured(end)
            try reactor.handle.perform { _ in _ = captured }
        }
        reactor.runOnce()
        #expect(end.isSet)
    }

    @Test func `a closure sent on the reactor's own thread waits for its turn`() throws {
        let reactor = try Reactor()
        let hasRun = Flag()
        try reactor.handle.perform { _ in hasRun.set() }
        #expect(!hasRun.isSet)
        reactor.expect("the closure runs") { hasRun.isSet }
    }

    @Test func `a closure wakes a reactor that waits`() throws {
        let reactor = try Reactor()
        let handle = reactor.handle
        let turns = Tally()
        let other = OtherThread {
            for _ in 0..<200 {
                let before = turns.value
                handle.performOrFail { _ in turns.add(1) }
                // Each is sent only after the one before has run, so the reactor sleeps in between.
                while turns.value == before { sched_yield() }
            }
        }
        reactor.expect("all closures run") { turns.value == 200 }
        other.join()
    }

    @Test func `a closure may send another`() throws {
        let reactor = try Reactor()
        let log = Log()
        try reactor.handle.perform { reactor in
            log.append(1)
            try reactor.handle.perform { _ in log.append(3) }
            log.append(2)
        }
        reactor.expect("both run") { log.count == 3 }
        #expect(log.entries == [1, 2, 3])
    }

    @Test func `a closure that sends itself again does not keep a pass from ending`() throws {
        let reactor = try Reactor()
        let turns = Tally()
        postAgain(reactor.handle, turns)
        reactor.runPending()
        #expect(turns.value == 1)
        reactor.runPending()
        #expect(turns.value == 2)
    }

    @Test func `what a closure throws goes to the error handler and the next one runs`() throws {
        let reactor = try Reactor()
        let errors = Box<[SocketError]>([])
        reactor.onError = { error, _ in
            if let error = error as? SocketError { errors.value.append(error) }
        }
        let hasRun = Flag()
        try reactor.handle.perform { _ in throw SocketError(.read, .timedOut) }
        try reactor.handle.perform { _ in hasRun.set() }
        reactor.expect("the second closure runs") { hasRun.isSet }
        #expect(errors.value == [SocketError(.read, .timedOut)])
    }

    // MARK: Limits and ends

    @Test func `a closure beyond the limit is refused, and taken again when there is room`() throws
    {
        let reactor = try Reactor()
        let handle = reactor.handle
        let turns = Tally()
        for _ in 0..<Reactor.Handle.limit { try handle.perform { _ in turns.add(1) } }
        #expect(throws: SocketError(.perform, .noBufferSpace)) {
            try handle.perform { _ in turns.add(1_000_000) }
        }
        reactor.expect("all that were taken run") { turns.value >= Reactor.Handle.limit }
        try handle.perform { _ in turns.add(1) }
        reactor.expect("the last one runs") { turns.value > Reactor.Handle.limit }
        #expect(turns.value == Reactor.Handle.limit + 1)
    }

    @Test func `a stop is taken beyond the limit`() throws {
        let reactor = try Reactor()
        let handle = reactor.handle
        for _ in 0..<Reactor.Handle.limit { try handle.perform { _ in } }
        handle.stop()
        reactor.runToStop()
    }

    @Test func `after the reactor's end a closure is refused`() throws {
        let handle = try Reactor().handle
        #expect(throws: SocketError(.perform, .cancelled)) { try handle.perform { _ in } }
    }

    @Test func `after the reactor's end a stop does nothing`() throws {
        let handle = try Reactor().handle
        handle.stop()
    }

    @Test func `a closure that was never run is dropped with the reactor`() throws {
        let log = Log()
        weak var held: Log?
        do {
            let reactor = try Reactor()
            let dropped = Log()
            held = dropped
            try reactor.handle.perform { _ in
                dropped.append(1)
                log.append(1)
            }
            #expect(held != nil)
        }
        #expect(held == nil)
        #expect(log.count == 0)
    }

    @Test func `a closure dropped with the reactor may use its handle as it goes`() throws {
        let told = Log()
        do {
            let reactor = try Reactor()
            let handle = reactor.handle
            let last = LastWord { told.append((try? handle.perform { _ in }) == nil ? 1 : 0) }
            try handle.perform { _ in withExtendedLifetime(last) {} }
        }
        #expect(told.entries == [1])
    }

    @Test func `a closure that holds the handle does not keep the reactor`() throws {
        weak var ended: Reactor?
        let handle: Reactor.Handle
        do {
            let reactor = try Reactor()
            ended = reactor
            handle = reactor.handle
            try handle.perform { [handle] _ in handle.stop() }
        }
        #expect(ended == nil)
    }

    // MARK: Stopping

    @Test func `another thread stops the run`() throws {
        let reactor = try Reactor()
        let handle = reactor.handle
        let other = OtherThread { handle.stop() }
        reactor.runToStop()
        other.join()
    }

    @Test func `a stop sent before the run ends it`() throws {
        let reactor = try Reactor()
        reactor.handle.stop()
        reactor.runToStop()
    }

    @Test func `what was sent before a stop runs, and what came after waits for the next run`()
        throws
    {
        let reactor = try Reactor()
        let log = Log()
        try reactor.handle.perform { _ in log.append(1) }
        reactor.handle.stop()
        try reactor.handle.perform { _ in log.append(2) }
        reactor.runToStop()
        #expect(log.entries == [1])
        try reactor.handle.perform { _ in log.append(3) }
        reactor.expect("the rest runs") { log.count == 3 }
        #expect(log.entries == [1, 2, 3])
    }

    @Test func `what a stop left over runs before what was sent meanwhile`() throws {
        let reactor = try Reactor()
        let handle = reactor.handle
        let log = Log()
        try handle.perform { _ in
            log.append(1)
            try handle.perform { _ in log.append(3) }
        }
        handle.stop()
        try handle.perform { _ in log.append(2) }
        reactor.runToStop()
        reactor.expect("the rest runs") { log.count == 3 }
        #expect(log.entries == [1, 2, 3])
    }

    // MARK: Many threads

    @Test func `four threads send ten thousand closures each, and none is lost`() throws {
        let reactor = try Reactor()
        let handle = reactor.handle
        let log = Log()
        var threads: [OtherThread] = []
        for thread in 0..<4 {
            threads.append(
                OtherThread {
                    for number in 0..<10_000 {
                        handle.performOrFail { _ in log.append(thread << 32 | number) }
                    }
                })
        }
        reactor.expect("all closures run") { log.count == 40_000 }
        for thread in threads { thread.join() }
        for thread in 0..<4 {
            let numbers = log.entries.filter { $0 >> 32 == thread }.map { $0 & 0xFFFF_FFFF }
            #expect(numbers == Array(0..<10_000), "in order for thread \(thread)")
        }
    }

    @Test func `threads that still send when the reactor ends are told`() throws {
        for _ in 0..<20 {
            let told = Tally()
            let started = Tally()
            var threads: [OtherThread] = []
            do {
                let reactor = try Reactor()
                let handle = reactor.handle
                for _ in 0..<3 {
                    threads.append(
                        OtherThread {
                            started.add(1)
                            if sendUntilRefused(handle) == .cancelled { told.add(1) }
                        })
                }
                reactor.expect("all threads send") { started.value == 3 }
            }
            for thread in threads { thread.join() }
            #expect(told.value == 3)
        }
    }
}

private func postAgain(_ handle: Reactor.Handle, _ turns: Tally) {
    handle.performOrFail { reactor in
        turns.add(1)
        postAgain(reactor.handle, turns)
    }
}

/// Sends closures until the reactor refuses for another reason than a full queue.
private func sendUntilRefused(_ handle: Reactor.Handle) -> ErrorCode {
    while true {
        do {
            try handle.perform { _ in }
        } catch {
            if error.code != .noBufferSpace { return error.code }
            sched_yield()
        }
    }
}

/// Calls a closure as its life ends.
private final class LastWord: Sendable {
    private let word: @Sendable () -> Void
    init(_ word: @escaping @Sendable () -> Void) { self.word = word }
    deinit { word() }
}
