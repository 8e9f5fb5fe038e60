// SPDX-License-Identifier: Apache-2.0
//
// Signals of the process as events of one reactor, and their old actions given back.
// The signals are the user's own two and one that is ignored, so a mistake ends no test run.

import Glibc
import Sluice
import TestSupport
import Testing

@Suite(.countingDescriptors)
struct Signalling {
    @Test func `a signal calls its handler in the reactor's turn`() throws {
        let reactor = try Reactor()
        let calls = Box(0)
        let watch = try reactor.onSignal(.user1) { calls.value += 1 }
        kill(getpid(), SIGUSR1)
        #expect(calls.value == 0)
        reactor.expect("the signal is handled") { calls.value > 0 }
        reactor.settle()
        #expect(calls.value == 1)
        watch.end()
    }

    @Test func `a task gets signals as they come, and those that came before it waits`() throws {
        let reactor = try Reactor()
        let log = Log()
        let executor = reactor.executor
        Task(executorPreference: executor) {
            do {
                let signals = try await executor.signals(.user1, .user2)
                for _ in 0..<3 { raiseNow(SIGUSR2) }
                raiseNow(SIGUSR1)
                // Both are there before anybody waits.
                try await executor.sleep(for: .milliseconds(20))
                for try await signal in signals {
                    log.append(Int(signal.rawValue))
                    if log.count == 2 { raiseNow(SIGUSR2) }
                    if log.count == 3 { break }
                }
            } catch {
                Issue.record(error)
            }
        }
        reactor.expect("three signals") { log.count == 3 }
        #expect(Set(log.entries[..<2]) == [Int(SIGUSR1), Int(SIGUSR2)])
        #expect(log.entries[2] == Int(SIGUSR2))
        reactor.settle()
        // The watch has ended with the sequence, so another reactor may watch.
        let other = try Reactor()
        try other.onSignal(.user1) {}.end()
    }

    @Test func `a task that waits for signals can be cancelled, and a second one is refused`()
        throws
    {
        let reactor = try Reactor()
        let log = Log()
        let executor = reactor.executor
        Task(executorPreference: executor) {
            let signals = try await executor.signals(.user1)
            let waiting = Task.immediate(executorPreference: executor) {
                for try await _ in signals {}
            }
            await #expect(throws: SocketError(.wait, .busy)) {
                for try await _ in signals {}
            }
            waiting.cancel()
            await #expect(throws: SocketError(.wait, .cancelled)) { try await waiting.value }
            log.append(1)
        }
        reactor.expect("its end") { log.count == 1 }
    }

    @Test func `signals of a second reactor, and impossible ones, are refused for tasks too`()
        throws
    {
        let first = try Reactor()
        let watch = try first.onSignal(.user1) {}
        let second = try Reactor()
        let log = Log()
        let executor = second.executor
        Task(executorPreference: executor) {
            await #expect(throws: SocketError(.watch, .busy)) {
                _ = try await executor.signals(.user2)
            }
            await #expect(throws: SocketError(.watch, .invalidArgument)) {
                _ = try await executor.signals(Signal(rawValue: SIGKILL))
            }
            log.append(1)
        }
        second.expect("its end") { log.count == 1 }
        watch.end()
    }

    @Test func `a signal is handled each time it comes`() throws {
        let reactor = try Reactor()
        let calls = Box(0)
        let watch = try reactor.onSignal(.user1) { calls.value += 1 }
        for expected in 1...3 {
            raiseNow(SIGUSR1)
            reactor.expect("the signal is handled") { calls.value == expected }
        }
        watch.end()
    }

    @Test func `signals that come while one waits count as one`() throws {
        let reactor = try Reactor()
        let calls = Box(0)
        let watch = try reactor.onSignal(.user1) { calls.value += 1 }
        for _ in 0..<5 { raiseNow(SIGUSR1) }
        reactor.expect("the signals are handled") { calls.value > 0 }
        reactor.settle()
        #expect(calls.value == 1)
        watch.end()
    }

    @Test func `several signals are told apart`() throws {
        let reactor = try Reactor()
        let calls = Box<[String]>([])
        let first = try reactor.onSignal(.user1) { calls.value.append("one") }
        let second = try reactor.onSignal(.user2) { calls.value.append("two") }
        raiseNow(SIGUSR2)
        reactor.expect("the second is handled") { !calls.value.isEmpty }
        raiseNow(SIGUSR1)
        reactor.expect("the first is handled") { calls.value.count == 2 }
        #expect(calls.value == ["two", "one"])
        first.end()
        second.end()
    }

    @Test func `several signals at once are all handled`() throws {
        let reactor = try Reactor()
        let calls = Box<Set<String>>([])
        let first = try reactor.onSignal(.user1) { calls.value.insert("one") }
        let second = try reactor.onSignal(.user2) { calls.value.insert("two") }
        let third = try reactor.onSignal(.hangUp) { calls.value.insert("three") }
        for signal in [SIGUSR1, SIGUSR2, SIGHUP] { raiseNow(signal) }
        reactor.expect("all three are handled") { calls.value == ["one", "two", "three"] }
        first.end()
        second.end()
        third.end()
    }

    @Test func `two watches of one signal are both called`() throws {
        let reactor = try Reactor()
        let calls = Box<Set<Int>>([])
        let first = try reactor.onSignal(.user1) { calls.value.insert(1) }
        let second = try reactor.onSignal(.user1) { calls.value.insert(2) }
        raiseNow(SIGUSR1)
        reactor.expect("both are called") { calls.value == [1, 2] }
        first.end()
        calls.value = []
        raiseNow(SIGUSR1)
        reactor.expect("the one that is left is called") { !calls.value.isEmpty }
        reactor.settle()
        #expect(calls.value == [2])
        second.end()
    }

    @Test func `a signal from another thread is handled on the reactor's`() throws {
        let reactor = try Reactor()
        let mine = pthread_self()
        let isMine = Box<Bool?>(nil)
        let watch = try reactor.onSignal(.user1) {
            isMine.value = pthread_equal(pthread_self(), mine) != 0
        }
        let other = OtherThread { raiseNow(SIGUSR1) }
        reactor.expect("the signal is handled") { isMine.value != nil }
        other.join()
        #expect(isMine.value == true)
        watch.end()
    }

    // MARK: Ends

    @Test func `the end of a watch gives the signal its old action back`() throws {
        try ignoring(SIGUSR1) {
            let reactor = try Reactor()
            let watch = try reactor.onSignal(.user1) {}
            #expect(!isIgnored(SIGUSR1))
            watch.end()
            #expect(isIgnored(SIGUSR1))
        }
    }

    @Test func `the end of the reactor gives the signal its old action back`() throws {
        try ignoring(SIGUSR1) {
            let watch: SignalWatch
            do {
                let reactor = try Reactor()
                watch = try reactor.onSignal(.user1) {}
                #expect(!isIgnored(SIGUSR1))
            }
            #expect(isIgnored(SIGUSR1))
            watch.end()
        }
    }

    @Test func `a watch that has ended gets no signal that came before`() throws {
        try ignoring(SIGUSR1) {
            let reactor = try Reactor()
            let calls = Box(0)
            let watch = try reactor.onSignal(.user1) { calls.value += 1 }
            raiseNow(SIGUSR1)
            watch.end()
            reactor.settle()
            #expect(calls.value == 0)
        }
    }

    @Test func `a watch may end inside its own handler`() throws {
        try ignoring(SIGUSR1) {
            let reactor = try Reactor()
            let calls = Box(0)
            let keep = KeptSignal()
            keep.watch = try reactor.onSignal(.user1) {
                calls.value += 1
                keep.watch = nil
            }
            raiseNow(SIGUSR1)
            reactor.expect("the signal is handled") { calls.value == 1 }
            raiseNow(SIGUSR1)
            reactor.settle()
            #expect(calls.value == 1)
        }
    }

    @Test func `a watch that only its own handler keeps ends with the reactor`() async {
        await #expect(processExitsWith: .success) {
            let reactor = Box<Reactor?>(try Reactor())
            let keep = Box<KeptSignal?>(KeptSignal())
            keep.value?.watch = try reactor.value?.onSignal(.user1) { [kept = keep.value] in
                kept?.watch = nil
            }
            keep.value = nil
            reactor.value = nil
        }
    }

    // MARK: Failures

    @Test func `a second reactor is refused while the first watches signals`() throws {
        let first = try Reactor()
        let second = try Reactor()
        let watch = try first.onSignal(.user1) {}
        #expect(throws: SocketError(.watch, .busy)) { _ = try second.onSignal(.user2) {} }
        watch.end()
    }

    @Test func `a second reactor may watch when the first watches no more`() throws {
        let first = try Reactor()
        let second = try Reactor()
        let calls = Box<[Int]>([])
        let watch = try first.onSignal(.user1) { calls.value.append(1) }
        watch.end()
        let other = try second.onSignal(.user1) { calls.value.append(2) }
        raiseNow(SIGUSR1)
        second.expect("the second handles it") { !calls.value.isEmpty }
        first.settle()
        #expect(calls.value == [2])
        other.end()
    }

    @Test func `a second reactor may watch when the first has ended`() throws {
        do {
            let first = try Reactor()
            let watch = try first.onSignal(.user1) {}
            withExtendedLifetime(first) {}
            watch.end()
        }
        let second = try Reactor()
        let calls = Box(0)
        let watch = try second.onSignal(.user1) { calls.value += 1 }
        raiseNow(SIGUSR1)
        second.expect("the second handles it") { calls.value == 1 }
        watch.end()
    }

    @Test(arguments: [SIGKILL, SIGSTOP, 0, -1, 65, 1_000, CInt.max, CInt.min])
    func `what can't be caught is refused`(number: CInt) throws {
        let reactor = try Reactor()
        #expect(throws: SocketError(.watch, .invalidArgument)) {
            _ = try reactor.onSignal(Signal(rawValue: number)) {}
        }
    }

    @Test(arguments: [CInt(32), 33])
    func `the thread library's own signals are refused, and nothing is left taken`(
        number: CInt
    ) throws {
        let first = try Reactor()
        #expect(throws: SocketError(.watch, .invalidArgument)) {
            _ = try first.onSignal(Signal(rawValue: number)) {}
        }
        let second = try Reactor()
        let watch = try second.onSignal(.user1) {}
        watch.end()
    }

    @Test func `what a handler throws is reported and the watch goes on`() throws {
        let reactor = try Reactor()
        let errors = Box(0)
        reactor.onError = { _, _ in errors.value += 1 }
        let watch = try reactor.onSignal(.user1) { throw SocketError(.perform, .timedOut) }
        for expected in 1...2 {
            raiseNow(SIGUSR1)
            reactor.expect("the error is reported") { errors.value == expected }
        }
        watch.end()
    }
}

/// A watch that its own handler may end.
private final class KeptSignal {
    var watch: SignalWatch?
}

/// Has a signal ignored while `body` runs.
private func ignoring(_ number: CInt, _ body: () throws -> Void) rethrows {
    let old = signal(number, SIG_IGN)
    defer { _ = signal(number, old) }
    try body()
}

private func isIgnored(_ number: CInt) -> Bool {
    var action = sigaction()
    guard sigaction(number, nil, &action) == 0 else { return false }
    // C compares the two pointers; Swift has no equality of functions.
    return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
        == unsafeBitCast(SIG_IGN, to: Int.self)
}
