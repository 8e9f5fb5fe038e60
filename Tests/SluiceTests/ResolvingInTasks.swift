// SPDX-License-Identifier: Apache-2.0
//
// Tasks that ask for names: each wait ends by the answer, by a cancellation, by a deadline or by
// the reactor's end, and the question with it.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct ResolvingInTasks {
    let reactor: Reactor
    let source: ScriptedNames

    init() throws {
        reactor = try Reactor()
        source = ScriptedNames(on: reactor)
        reactor.resolver = Resolver(on: reactor, source: source)
    }

    /// Runs `body` in a task on the reactor, and has the test fail where it throws.
    @discardableResult
    private func start(
        _ done: Flag = Flag(),
        _ body: @escaping @Sendable (Reactor.Executor) async throws -> Void
    ) -> Task<Void, Never> {
        let executor = reactor.executor
        return Task(executorPreference: executor) {
            do { try await body(executor) } catch { Issue.record(error) }
            done.set()
        }
    }

    /// Starts a task that is to fail for this reason.
    private func startFailing(
        _ reason: ResolverError.Reason, _ done: Flag,
        _ body: @escaping @Sendable (Reactor.Executor) async throws -> Void
    ) -> Task<Void, Never> {
        start(done) { executor in
            do {
                try await body(executor)
                Issue.record("it did not fail")
            } catch {
                #expect(error as? ResolverError == ResolverError("a.example", reason))
            }
        }
    }

    // MARK: Answers

    @Test func `a task waits for the answer`() {
        let done = Flag()
        start(done) { executor in
            let answer = try await Resolver.addresses(of: "a.example", on: executor)
            #expect(answer.value == [.loopback])
            #expect(answer.origin == .server(.loopback(port: 53)))
        }
        reactor.settle()
        #expect(!done.isSet)
        #expect(source.asked == [.host("a.example")])
        source.answer(.host("a.example"), .addresses("127.0.0.1"))
        reactor.expect("the end") { done.isSet }
    }

    @Test func `a task asks for all kinds of records`() {
        let done = Flag()
        start(done) { executor in
            let addresses = try await Resolver.addresses(
                of: "a.example", family: .ipv4, on: executor)
            #expect(addresses.value == [.loopback])
            let names = try await Resolver.names(of: .loopback, on: executor)
            #expect(names.value == ["a.example"])
            let services = try await Resolver.services(of: "_a._tcp.example", on: executor)
            #expect(services.value.map(\.port) == [143])
            let texts = try await Resolver.texts(of: "b.example", on: executor)
            #expect(texts.value.map(\.text) == ["text"])
        }
        let service = ServiceRecord(host: "b.example", port: 143, priority: 1, weight: 2)
        let reports: [(NameQuestion, NameReport.Records)] = [
            (.host("a.example", .ipv4), .addresses([.loopback])),
            (.names(of: .loopback), .names(["a.example"])),
            (.services(of: "_a._tcp.example"), .services([service])),
            (.texts(of: "b.example"), .texts([TextRecord(pieces: [Array("text".utf8)])])),
        ]
        for (question, records) in reports {
            reactor.settle()
            #expect(source.answer(question, NameReport(.success(records), from: .hosts)))
        }
        reactor.expect("the end") { done.isSet }
    }

    @Test func `a failure is thrown`() {
        let done = Flag()
        _ = startFailing(.serverFailed, done) { executor in
            _ = try await Resolver.addresses(of: "a.example", on: executor)
        }
        reactor.settle()
        source.answer(.host("a.example"), .failure(.serverFailed))
        reactor.expect("the end") { done.isSet }
    }

    @Test func `a thousand tasks at once are each answered`() {
        let answers = Log()
        let script = ScriptedNames(on: reactor) { _ in .addresses("127.0.0.1") }
        reactor.resolver = Resolver(on: reactor, source: script)
        for number in 0..<1_000 {
            start { executor in
                _ = try await Resolver.addresses(of: "host\(number).example", on: executor)
                answers.append(number)
            }
        }
        reactor.expect("all are answered") { answers.count == 1_000 }
        #expect(answers.entries.sorted() == Array(0..<1_000))
    }

    @Test func `a task of another thread is answered, too`() {
        let done = Flag()
        let executor = reactor.executor
        Task.detached {
            do {
                let answer = try await Resolver.addresses(of: "localhost", on: executor)
                #expect(answer.origin == .localhost)
            } catch {
                Issue.record(error)
            }
            done.set()
        }
        // What another thread does wakes no reactor.
        let tick = reactor.every(.milliseconds(1)) {}
        reactor.expect("the end") { done.isSet }
        tick.cancel()
    }

    // MARK: Ends

    @Test func `a task that is cancelled gives its question up`() {
        let done = Flag()
        let task = startFailing(.cancelled, done) { executor in
            _ = try await Resolver.addresses(of: "a.example", on: executor)
        }
        reactor.settle()
        #expect(source.openCount == 1)
        task.cancel()
        reactor.expect("the end") { done.isSet }
        #expect(source.givenUp == [.host("a.example")])
        #expect(reactor.resolver.counters.givenUp == 1)
    }

    @Test func `a task that was cancelled before asks nothing`() {
        let done = Flag()
        let task = startFailing(.cancelled, done) { executor in
            _ = try await Resolver.addresses(of: "a.example", on: executor)
        }
        task.cancel()
        reactor.expect("the end") { done.isSet }
        reactor.settle()
        #expect(source.openCount == 0)
    }

    @Test func `a deadline ends the question`() {
        let done = Flag()
        _ = startFailing(.timedOut, done) { executor in
            try await executor.within(.milliseconds(1)) {
                _ = try await Resolver.addresses(of: "a.example", on: executor)
            }
        }
        reactor.expect("the end") { done.isSet }
        reactor.settle()
        #expect(source.openCount == 0)
        #expect(reactor.resolver.counters.givenUp <= 1)
    }

    @Test func `the question's own time limit holds as well`() {
        var options = ResolverOptions()
        options.timeLimit = .milliseconds(1)
        reactor.resolver = Resolver(on: reactor, source: source, options: options)
        let done = Flag()
        _ = startFailing(.timedOut, done) { executor in
            _ = try await Resolver.addresses(of: "a.example", on: executor)
        }
        reactor.expect("the end") { done.isSet }
        #expect(reactor.resolver.counters.failed == 1)
    }

    @Test func `a question may have a time limit of its own`() {
        let done = Flag()
        _ = startFailing(.timedOut, done) { executor in
            _ = try await Resolver.addresses(
                of: "a.example", within: .milliseconds(1), on: executor)
        }
        reactor.expect("the end") { done.isSet }
        #expect(reactor.resolver.counters.failed == 1)
        #expect(source.openCount == 0)
    }

    @Test func `the end of the reactor ends the wait`() async throws {
        weak var ended: Reactor?
        let task: Task<ResolverError?, Never>
        do {
            let reactor = try Reactor()
            ended = reactor
            let source = ScriptedNames(on: reactor)
            reactor.resolver = Resolver(on: reactor, source: source)
            let executor = reactor.executor
            task = Task(executorPreference: executor) {
                do throws(ResolverError) {
                    _ = try await Resolver.addresses(of: "a.example", on: executor)
                    return nil
                } catch {
                    return error
                }
            }
            reactor.settle()
            #expect(source.openCount == 1)
        }
        #expect(ended == nil)
        #expect(await task.value == ResolverError("a.example", .cancelled))
    }

    @Test func `after the end of the reactor nothing is asked`() async throws {
        let executor = try Reactor().executor
        do {
            _ = try await Resolver.addresses(of: "localhost", on: executor)
            Issue.record("it did not fail")
        } catch {
            #expect(error == ResolverError("localhost", .cancelled))
        }
    }
}
