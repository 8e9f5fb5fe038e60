// SPDX-License-Identifier: Apache-2.0
//
// The system's name service as a source: getaddrinfo(3) and gethostbyaddr(3), which wait, on a few
// threads of the process. The reactor keeps the completions; only values cross threads.

import CSystemCalls
import Glibc

/// One reactor's questions to the system's name service.
final class SystemNames: NameSource {
    private struct Asked {
        let completion: (NameReport) -> Void
        let place: NameThreads.Place?
    }

    private let link: ReactorLink
    private let executor: Reactor.Executor
    private var asked: [UInt64: Asked] = [:]
    private var lastNumber: UInt64 = 0

    private init(_ reactor: Reactor) {
        link = reactor.link
        executor = reactor.executor
    }

    deinit {
        // Nobody waits for these any more.
        for question in asked.values { question.place.map(NameThreads.shared.remove) }
    }

    /// The reactor's own: answers find it by the reactor.
    static func of(_ reactor: Reactor) -> SystemNames { reactor.attachment { Self.init(reactor) } }

    /// getaddrinfo(3) asks for both at once.
    var asksFamiliesApart: Bool { false }

    func begin(_ question: NameQuestion, _ completion: @escaping (NameReport) -> Void) -> UInt64 {
        lastNumber += 1
        let number = lastNumber
        switch place(question, number) {
        case .success(let place): asked[number] = Asked(completion: completion, place: place)
        case .failure(let error):
            asked[number] = Asked(completion: completion, place: nil)
            link.reactor?.after(.zero) { [weak self] in self?.finish(number, .failed(error)) }
        }
        return number
    }

    func giveUp(_ number: UInt64) {
        guard let question = asked.removeValue(forKey: number) else { return }
        question.place.map(NameThreads.shared.remove)
    }

    private func place(
        _ question: NameQuestion, _ number: UInt64
    ) -> Result<NameThreads.Place, ResolverError> {
        switch question {
        case .services(let name), .texts(let name):
            return .failure(ResolverError(name, .notSupported))
        case .addresses, .names:
            let job = NameJob(question: question, number: number, executor: executor)
            guard let place = NameThreads.shared.add(job) else {
                return .failure(ResolverError(question.name, .tooManyQuestions))
            }
            return .success(place)
        }
    }

    fileprivate func finish(_ number: UInt64, _ report: NameReport) {
        asked.removeValue(forKey: number)?.completion(report)
    }
}

/// A question on its way to a thread that waits for the answer, and back.
struct NameJob: Sendable {
    let question: NameQuestion
    let number: UInt64
    let executor: Reactor.Executor

    /// Asks, which takes as long as it takes, and sends the answer to the reactor.
    fileprivate func ask() {
        send(NameReport(asking: question))
    }

    /// Sends what came of it to the reactor.
    fileprivate func send(_ report: NameReport) {
        // An answer ends what was begun on the reactor, so it comes through however much waits
        // there; a reactor that has ended takes nothing.
        executor.performEnding { [number, executor] in
            guard let reactor = executor.reactor else { return }
            SystemNames.of(reactor).finish(number, report)
        }
    }
}

// MARK: - Asking the system

extension NameReport {
    /// What the system's name service answers.
    fileprivate init(asking question: NameQuestion) {
        do throws(ResolverError) {
            switch question {
            case .addresses(let name, let family): self = try .addresses(of: name, family)
            case .names(let address): self = try .names(of: address)
            case .services(let name), .texts(let name):
                throw ResolverError(name, .notSupported)
            }
        } catch {
            self = .failed(error)
        }
    }

    private static func addresses(
        of name: String, _ family: AddressFamily
    ) throws(ResolverError) -> NameReport {
        // Who asks for one family means it, whatever this machine has addresses of.
        let isAny = family == .unspecified
        let answers = try HostName.addressInfo(
            of: name, family: family, kind: .stream,
            flags: isAny ? [.canonicalName, .configuredFamilies] : .canonicalName)
        let addresses = answers.compactMap(\.address.ipAddress)
        if addresses.isEmpty { throw ResolverError(name, .noAddress) }
        let official = answers.first?.canonicalName
        return NameReport(
            .success(.addresses(addresses)), from: .system,
            canonicalName: official?.smallLetters == name.smallLetters ? nil : official)
    }

    private static func names(of address: IPAddress) throws(ResolverError) -> NameReport {
        let entry = try HostName.entry(of: address)
        var names = [entry.name]
        for alias in entry.aliases where !names.contains(alias) { names.append(alias) }
        return NameReport(.success(.names(names)), from: .system)
    }
}

// MARK: - Threads

/// The threads of the process that wait for the system's name service.
///
/// They start as questions come, and end when there is none.
final class NameThreads: Sendable {
    typealias Place = LinkedQueue<NameJob>.Place

    static let shared = NameThreads()
    static let mostThreads = 16

    private struct State {
        var jobs = LinkedQueue<NameJob>()
        var threadCount = 0
    }

    private let state = Locked(State())

    /// However many wait: each resolver has a limit of its own.
    ///
    /// - Returns: where it waits; `nil` when no thread can be had.
    func add(_ job: NameJob) -> Place? {
        let added = state.withLock { state -> (place: Place, startsThread: Bool) in
            let place = state.jobs.append(job)
            let startsThread = state.threadCount < Self.mostThreads
            if startsThread { state.threadCount += 1 }
            return (place, startsThread)
        }
        if added.startsThread, !startThread(), !hasThread(for: added.place) { return nil }
        return added.place
    }

    /// Takes a question that no thread has begun with out of the queue.
    func remove(_ place: Place) { state.withLock { _ = $0.jobs.remove(place) } }

    private func startThread() -> Bool {
        var thread = pthread_t()
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        pthread_attr_setdetachstate(&attributes, CInt(PTHREAD_CREATE_DETACHED))
        defer { pthread_attr_destroy(&attributes) }
        // The thread needs no context: the pool is a constant of the process.
        let code = pthread_create(
            &thread, &attributes,
            { _ in
                NameThreads.shared.work()
                return nil
            }, nil)
        return code == 0
    }

    /// A thread could not be had; with none at all nobody would ever take the jobs, of which others
    /// may have added some that counted on this one.
    private func hasThread(for place: Place) -> Bool {
        let (isLost, others) = state.withLock { state -> (Bool, [NameJob]) in
            state.threadCount -= 1
            guard state.threadCount == 0 else { return (false, []) }
            let isLost = state.jobs.remove(place) != nil
            var others: [NameJob] = []
            while let job = state.jobs.popFirst() { others.append(job) }
            return (isLost, others)
        }
        for job in others {
            job.send(.failed(ResolverError(job.question.name, .tooManyQuestions)))
        }
        return !isLost
    }

    /// Answers questions until none is left.
    private func work() {
        while let job = takeJob() { job.ask() }
    }

    private func takeJob() -> NameJob? {
        state.withLock { state in
            let job = state.jobs.popFirst()
            if job == nil { state.threadCount -= 1 }
            return job
        }
    }
}
