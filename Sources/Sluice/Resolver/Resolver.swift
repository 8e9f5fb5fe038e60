// SPDX-License-Identifier: Apache-2.0
//
// Names through the system's getaddrinfo, on a few threads of the process, never on a reactor.
// A reactor's resolver keeps the callbacks; only names and addresses cross threads.

import CSystemCalls
import Glibc

/// A reactor's questions to the system's name service.
final class Resolver {
    typealias Answer = Result<[SocketAddress], ResolverError>

    private struct Question {
        let name: String
        let askedAt: UInt64
        let completion: (Answer) -> Void
    }

    private let link: ReactorLink
    private var waiting: [UInt64: Question] = [:]
    private var lastQuestion: UInt64 = 0

    private init(_ link: ReactorLink) { self.link = link }

    /// Asks for a name's addresses; `completion` is called in a later turn of the reactor.
    ///
    /// - Returns: the question, to give it up by.
    func resolve(
        _ name: String, port: UInt16, for reactor: Reactor, _ completion: @escaping (Answer) -> Void
    ) -> UInt64 {
        lastQuestion += 1
        let question = lastQuestion
        waiting[question] = Question(
            name: name, askedAt: csystem_monotonic_nanoseconds(), completion: completion)
        let job = ResolverPool.Job(
            question: question, name: name, port: port, handle: reactor.handle)
        if !ResolverPool.shared.add(job) {
            reactor.after(.zero) { [self] in
                finish(question, .failure(ResolverError(name, .tooManyQuestions)))
            }
        }
        return question
    }

    /// Makes sure that the question's completion is not called any more, and frees its place in the
    /// queue.
    func giveUp(_ question: UInt64, for reactor: Reactor) {
        waiting[question] = nil
        ResolverPool.shared.remove(question, of: reactor.handle)
    }

    /// The reactor's own.
    static func of(_ reactor: Reactor) -> Resolver {
        reactor.attachment { Resolver(reactor.link) }
    }

    func finish(_ question: UInt64, _ answer: Answer) {
        guard let asked = waiting.removeValue(forKey: question) else { return }
        let time = Duration(nanoseconds: csystem_monotonic_nanoseconds() &- asked.askedAt)
        let error = if case .failure(let error) = answer { error } else { ResolverError?.none }
        link.reactor?.tell(.resolved(name: asked.name, in: time, error))
        asked.completion(answer)
    }
}

/// The threads of the process that wait for the system's name service.
private final class ResolverPool: Sendable {
    struct Job: Sendable {
        let question: UInt64
        let name: String
        let port: UInt16
        let handle: Reactor.Handle

        /// Posts the answer; where the reactor's mailbox is full, for as long as an attempt to
        /// connect may take.
        func deliver(_ answer: Resolver.Answer) {
            for _ in 0..<10_000 {
                do throws(SocketError) {
                    return try handle.perform { Resolver.of($0).finish(question, answer) }
                } catch {
                    // Any other answer: the reactor has ended, and the question with it.
                    guard error.code == .noBufferSpace else { return }
                    usleep(1_000)
                }
            }
        }
    }

    static let shared = ResolverPool()
    private static let mostThreads = 4
    private static let mostJobs = 1_024

    private struct State {
        var jobs: [Job] = []
        var threads = 0
    }

    private let state = Locked(State())

    /// - Returns: false when too many questions wait already, or no thread can be had.
    func add(_ job: Job) -> Bool {
        let startsThread = state.withLock { state -> Bool? in
            guard state.jobs.count < Self.mostJobs else { return nil }
            state.jobs.append(job)
            guard state.threads < Self.mostThreads else { return false }
            state.threads += 1
            return true
        }
        guard let startsThread else { return false }
        return startsThread ? startThread(for: job) : true
    }

    private func startThread(for job: Job) -> Bool {
        var thread = pthread_t()
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        pthread_attr_setdetachstate(&attributes, CInt(PTHREAD_CREATE_DETACHED))
        defer { pthread_attr_destroy(&attributes) }
        // The thread needs no context: the pool is a constant of the process.
        let code = pthread_create(
            &thread, &attributes,
            { _ in
                ResolverPool.shared.work()
                return nil
            }, nil)
        if code == 0 { return true }
        let hasOthers = state.withLock { state in
            state.threads -= 1
            return state.threads > 0
        }
        // With no thread at all nobody would ever take the job.
        if !hasOthers { remove(job.question, of: job.handle) }
        return hasOthers
    }

    /// Takes a question that no thread has begun with out of the queue.
    func remove(_ question: UInt64, of handle: Reactor.Handle) {
        state.withLock { state in
            state.jobs.removeAll { $0.question == question && $0.handle.mailbox === handle.mailbox }
        }
    }

    /// Answers questions until none is left.
    private func work() {
        while let job = takeJob() {
            let answer = Self.lookUp(job.name, port: job.port)
            job.deliver(answer)
        }
    }

    private func takeJob() -> Job? {
        state.withLock { state in
            if state.jobs.isEmpty {
                state.threads -= 1
                return nil
            }
            return state.jobs.removeFirst()
        }
    }

    private static func lookUp(_ name: String, port: UInt16) -> Resolver.Answer {
        do throws(ResolverError) {
            return .success(try HostName.addresses(of: name).map { .ip($0, port: port) })
        } catch {
            return .failure(error)
        }
    }
}
