// SPDX-License-Identifier: Apache-2.0
//
// Names through clients and the system's name service: answers, failures, what is given up.
// No network is needed: `localhost` is known everywhere, and `.invalid` nowhere (RFC 6761).

import Glibc
import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors, .waitingForTheNameService)
struct Resolving {
    // MARK: Clients

    // T6
    @Test func `a client finds a server by the name of this machine`() throws {
        let reactor = try Reactor()
        let server = try Server(on: reactor, at: [.loopback(port: 0)]) { channel, _ in
            channel.onBytes { _, _ in }
        }
        let port = try #require(server.addresses.first?.port)
        let peer = Box<SocketAddress?>(nil)
        try Client(on: reactor).connect(to: .host("localhost", port: port)) { verdict in
            guard case .success(let channel) = verdict else { return reactor.stop() }
            peer.value = channel.peerAddress
            channel.close()
        }
        reactor.expect("the connection comes and goes") {
            peer.value != nil && server.connectionCount == 0 && server.counters.accepted == 1
        }
        #expect(peer.value == .loopback(port: port))
        server.close()
    }

    // T6
    @Test func `a name that does not exist is told as unresolved`() throws {
        let reactor = try Reactor()
        let endpoint = Endpoint.host("nobody.invalid", port: 80)
        let error = Box<ConnectError?>(nil)
        var options = ClientOptions()
        options.timeout = .seconds(19)
        try Client(on: reactor, options: options).connect(to: endpoint) { verdict in
            if case .failure(let failure) = verdict { error.value = failure }
        }
        reactor.expect("the failure comes") { error.value != nil }
        #expect(error.value?.endpoint == endpoint)
        #expect(error.value?.attempts == [])
        guard case .unresolved(let reason) = error.value?.cause else {
            Issue.record("not unresolved: \(String(describing: error.value))")
            return
        }
        #expect(reason.name == "nobody.invalid")
        // Without a network the name service says that it can't tell for now.
        #expect([.unknownName, .noAddress, .temporaryFailure].contains(reason.reason))
        #expect("\(reason)".hasPrefix("resolve nobody.invalid: "))
    }

    @Test func `a verdict is never given inside the call`() throws {
        let reactor = try Reactor()
        let isDecided = Box(false)
        let attempt = try Client(on: reactor).connect(to: .host("localhost", port: 1)) { _ in
            isDecided.value = true
        }
        #expect(!isDecided.value)
        #expect(attempt.isPending)
        reactor.expect("the verdict comes") { isDecided.value }
        #expect(!attempt.isPending)
    }

    @Test func `an attempt that is cancelled while it resolves gives no verdict`() throws {
        let reactor = try Reactor()
        let isDecided = Box(false)
        let attempt = try Client(on: reactor).connect(to: .host("localhost", port: 1)) { _ in
            isDecided.value = true
        }
        attempt.cancel()
        #expect(!attempt.isPending)
        let other = Box(false)
        try Client(on: reactor).connect(to: .host("localhost", port: 1)) { _ in other.value = true }
        reactor.expect("the other attempt is decided") { other.value }
        #expect(!isDecided.value)
    }

    // W15
    @Test func `a number needs no name service`() throws {
        let reactor = try Reactor()
        let server = try Server(on: reactor, at: [.loopback(port: 0)]) { _, _ in }
        let port = try #require(server.addresses.first?.port)
        let isConnected = Box(false)
        try Client(on: reactor).connect(to: .host("127.0.0.1", port: port)) { verdict in
            if case .success = verdict { isConnected.value = true }
        }
        reactor.expect("the connection comes") { isConnected.value }
    }

    // T8
    @Test func `a local address that can't be used is told before the look-up`() throws {
        let reactor = try Reactor()
        var options = ClientOptions()
        options.localAddress = .v4(0xC000_0201)
        let client = Client(on: reactor, options: options)
        let error = #expect(throws: SocketError.self) {
            try client.connect(to: .host("localhost", port: 1)) { _ in }
        }
        #expect(error?.operation == .bind)
        #expect(error?.code == .addressNotAvailable)
    }

    // MARK: The system's name service

    /// Asks the system itself, past the resolver, which knows `localhost` without it.
    private func ask(_ question: NameQuestion, on reactor: Reactor) -> Box<NameReport?> {
        let report = Box<NameReport?>(nil)
        let names = SystemNames.of(reactor)
        let isAsking = Box(true)
        _ = names.begin(question) { answer in
            #expect(!isAsking.value)
            #expect(report.value == nil)
            report.value = answer
        }
        isAsking.value = false
        return report
    }

    // P10
    @Test(arguments: [AddressFamily.unspecified, .ipv4])
    func `the system knows the addresses of this machine`(family: AddressFamily) throws {
        let reactor = try Reactor()
        let report = ask(.host("localhost", family), on: reactor)
        reactor.expect("the answer comes") { report.value != nil }
        let answer = try #require(report.value)
        guard case .success(.addresses(let addresses)) = answer.result else {
            Issue.record("not addresses: \(answer)")
            return
        }
        #expect(addresses.contains(.loopback))
        #expect(answer.origin == .system)
        #expect(answer.timeToLive == nil)
        if family == .ipv4 { #expect(addresses.allSatisfy { !$0.isIPv6 }) }
    }

    // P13, A17
    @Test func `the system knows the names of this machine, the official one first`() throws {
        let reactor = try Reactor()
        let names = Box<[String]>([])
        reactor.resolver.names(of: .loopback) { answer in
            if case .success(let answer) = answer { names.value = answer.value }
        }
        reactor.expect("the answer comes") { !names.value.isEmpty }
        let entry = try HostName.entry(of: .loopback)
        #expect(names.value.first == entry.name)
        #expect(Set(names.value) == Set([entry.name] + entry.aliases))
        #expect(Set(names.value).count == names.value.count)
    }

    @Test func `the system has neither services nor texts, and says so in a later turn`() throws {
        let reactor = try Reactor()
        let reasons = Box<[ResolverError.Reason]>([])
        reactor.resolver.services(of: "_imap._tcp.example.org") { answer in
            if case .failure(let error) = answer { reasons.value.append(error.reason) }
        }
        reactor.resolver.texts(of: "example.org") { answer in
            if case .failure(let error) = answer { reasons.value.append(error.reason) }
        }
        #expect(reasons.value.isEmpty)
        reactor.expect("both are told") { reasons.value == [.notSupported, .notSupported] }
    }

    // T6
    @Test func `a name that nobody has is told with its reason`() throws {
        let reactor = try Reactor()
        let failure = Box<ResolverError?>(nil)
        reactor.resolver.addresses(of: "nobody.invalid", within: .seconds(60)) { answer in
            if case .failure(let error) = answer { failure.value = error }
        }
        reactor.expect("the failure comes") { failure.value != nil }
        #expect(failure.value?.name == "nobody.invalid")
        let reasons: [ResolverError.Reason] = [.unknownName, .noAddress, .temporaryFailure]
        #expect(reasons.contains { $0 == failure.value?.reason })
    }

    @Test func `two hundred questions to the system at once are each answered once`() throws {
        let reactor = try Reactor()
        let names = SystemNames.of(reactor)
        let answers = Box([Int](repeating: 0, count: 200))
        for number in 0..<200 {
            _ = names.begin(.host("localhost")) { _ in answers.value[number] += 1 }
        }
        reactor.expect("all are answered") { answers.value.allSatisfy { $0 > 0 } }
        #expect(answers.value.allSatisfy { $0 == 1 })
    }

    @Test func `more questions than the system has threads for wait`() throws {
        let reactor = try Reactor()
        let names = SystemNames.of(reactor)
        let answered = Box(0)
        let refused = Box(0)
        let count = 10_000
        for _ in 0..<count {
            // A number for the system, which answers it in no time.
            _ = names.begin(.host("127.1", .ipv4)) { report in
                switch report.result {
                case .success: answered.value += 1
                case .failure: refused.value += 1
                }
            }
        }
        reactor.expect("all are answered") { answered.value + refused.value == count }
        #expect(refused.value == 0)
    }

    @Test func `a question to the system that is given up is not answered`() throws {
        let reactor = try Reactor()
        let names = SystemNames.of(reactor)
        let question = names.begin(.host("localhost")) { _ in wrongly() }
        names.giveUp(question)
        names.giveUp(question)
        let report = ask(.host("localhost"), on: reactor)
        reactor.expect("the other is answered") { report.value != nil }
        reactor.settle()
    }

    @Test func `answers of the system come through a mailbox that is full`() throws {
        let reactor = try Reactor()
        let report = ask(.host("localhost"), on: reactor)
        // The answer may have a place there already.
        var isFull = false
        while !isFull {
            do throws(SocketError) {
                try reactor.handle.perform { _ in }
            } catch {
                isFull = error.code == .noBufferSpace
            }
        }
        reactor.expect("the answer comes") { report.value != nil }
    }

    @Test func `a reactor may end while the system is asked`() throws {
        weak var ended: Reactor?
        weak var names: SystemNames?
        do {
            let reactor = try Reactor()
            ended = reactor
            names = SystemNames.of(reactor)
            for _ in 0..<50 { reactor.resolver.names(of: .loopback) { _ in wrongly() } }
            for _ in 0..<50 {
                _ = SystemNames.of(reactor).begin(.host("localhost")) { _ in wrongly() }
            }
            reactor.resolver.addresses(of: "nobody.invalid") { _ in wrongly() }
        }
        #expect(ended == nil)
        #expect(names == nil)
    }

    @Test func `a reactor may end while an attempt resolves`() throws {
        weak var ended: Reactor?
        do {
            let reactor = try Reactor()
            ended = reactor
            try Client(on: reactor).connect(to: .host("localhost", port: 1)) { _ in
                Issue.record("a verdict came after the reactor had ended")
            }
        }
        #expect(ended == nil)
    }

    // MARK: Reasons

    // T6, A19
    @Test(
        arguments: [
            (EAI_NONAME, .unknownName, "Name or service not known"),
            (-5, .noAddress, "No address associated with hostname"),
            (-9, .noAddressOfFamily, "Address family for hostname not supported"),
            (EAI_AGAIN, .temporaryFailure, "Temporary failure in name resolution"),
            (EAI_FAIL, .permanentFailure, "Non-recoverable failure in name resolution"),
            (EAI_SERVICE, .unknownService, "Servname not supported for ai_socktype"),
            (EAI_BADFLAGS, .invalidFlags, "Bad value for ai_flags"),
            (EAI_FAMILY, .unsupportedFamily, "ai_family not supported"),
            (EAI_SOCKTYPE, .unsupportedKind, "ai_socktype not supported"),
            (-105, .invalidInternationalName, "Parameter string not correctly encoded"),
            (EAI_OVERFLOW, .answerTooLong, "The answer is too long"),
            (EAI_MEMORY, .noMemory, "Memory allocation failure"),
            (EAI_SYSTEM, .system(.tooManyOpenFiles), "Too many open files"),
            (-4_711, .other(-4_711), "Unknown error (-4711)"),
        ] as [(CInt, ResolverError.Reason, String)])
    func `each answer of the name service has its reason and words`(
        code: CInt, reason: ResolverError.Reason, words: String
    ) {
        let answer = ResolverError.Reason(code: code, system: .tooManyOpenFiles)
        #expect(answer == reason)
        #expect("\(ResolverError("example.org", answer))" == "resolve example.org: \(words)")
    }

    // A19
    @Test(
        arguments: [
            (HOST_NOT_FOUND, .unknownName), (TRY_AGAIN, .temporaryFailure),
            (NO_RECOVERY, .permanentFailure), (NO_DATA, .noAddress),
            (NETDB_INTERNAL, .system(.tooManyOpenFiles)), (0, .unknownName),
        ] as [(CInt, ResolverError.Reason)])
    func `the older answers of the name service have the same reasons`(
        code: CInt, reason: ResolverError.Reason
    ) {
        #expect(ResolverError.Reason(hostCode: code, system: .tooManyOpenFiles) == reason)
        let memory = ResolverError.Reason(hostCode: NETDB_INTERNAL, system: .noMemory)
        #expect(memory == .noMemory)
    }

    @Test(
        arguments: [
            (.tooManyQuestions, "Too many questions wait already"),
            (.timedOut, "No answer came in time"), (.serverFailed, "The name server failed"),
            (.refused, "The name server refuses to answer"),
            (.notImplemented, "The name server does not know such questions"),
            (.badAnswer, "The answer can't be right"),
            (.unreachable, "No name server can be reached"),
            (.noServers, "No name server is known"),
            (.notSupported, "Such records can't be asked for here"),
            (.cancelled, "The question was given up"),
        ] as [(ResolverError.Reason, String)])
    func `reasons that C does not know have words of their own`(
        reason: ResolverError.Reason, words: String
    ) {
        let error = ResolverError("example.org", reason)
        #expect("\(error)" == "resolve example.org: \(words)")
    }
}

/// Waits after each test until the resolver's threads have closed what they had opened: a question
/// that is given up is asked to its end all the same.
private struct WaitingForTheNameService: TestTrait, SuiteTrait, TestScoping {
    var isRecursive: Bool { true }

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        let before = openDescriptorCount()
        try await function()
        let clock = SuspendingClock()
        let end = clock.now.advanced(by: .seconds(20))
        var calmSince = clock.now
        // Between two questions a thread has nothing open either, so the calm must last.
        while clock.now < min(end, calmSince.advanced(by: .milliseconds(10))) {
            if openDescriptorCount() > before { calmSince = clock.now }
            sched_yield()
        }
    }
}

extension Trait where Self == WaitingForTheNameService {
    fileprivate static var waitingForTheNameService: Self { Self() }
}
