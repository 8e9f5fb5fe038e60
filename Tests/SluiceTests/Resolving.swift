// SPDX-License-Identifier: Apache-2.0
//
// Names through the system's name service: answers, failures, and questions that are given up.
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

    // MARK: Questions

    @Test func `an answer holds the port that was asked for`() throws {
        let reactor = try Reactor()
        let answers = Box<[SocketAddress]>([])
        _ = Resolver.of(reactor).resolve("localhost", port: 4_711, for: reactor) { answer in
            if case .success(let addresses) = answer { answers.value = addresses }
        }
        reactor.expect("the answer comes") { !answers.value.isEmpty }
        #expect(answers.value.contains(.loopback(port: 4_711)))
        #expect(answers.value.allSatisfy { $0.port == 4_711 })
    }

    @Test func `an answer names no address twice`() throws {
        let reactor = try Reactor()
        let answers = Box<[SocketAddress]>([])
        _ = Resolver.of(reactor).resolve("localhost", port: 1, for: reactor) { answer in
            if case .success(let addresses) = answer { answers.value = addresses }
        }
        reactor.expect("the answer comes") { !answers.value.isEmpty }
        #expect(Set(answers.value).count == answers.value.count)
    }

    @Test func `two hundred questions at once are each answered once`() throws {
        let reactor = try Reactor()
        let answers = Box<[Int: Int]>([:])
        for number in 0..<200 {
            let port = UInt16(number + 1)
            _ = Resolver.of(reactor).resolve("localhost", port: port, for: reactor) { answer in
                guard case .success(let addresses) = answer else { return }
                if addresses.first?.port == port { answers.value[number, default: 0] += 1 }
            }
        }
        reactor.expect("all are answered") { answers.value.count == 200 }
        #expect(answers.value.values.allSatisfy { $0 == 1 })
    }

    @Test func `questions beyond the limit are told so in a later turn`() throws {
        let reactor = try Reactor()
        let isAsking = Box(true)
        let answered = Box(0)
        let refused = Box(0)
        // At most 1,024 wait; a few thousand are asked for faster than four threads can answer.
        for _ in 0..<6_000 {
            _ = Resolver.of(reactor).resolve("localhost", port: 1, for: reactor) { answer in
                #expect(!isAsking.value)
                switch answer {
                case .success: answered.value += 1
                case .failure(let error):
                    if error.reason == .tooManyQuestions { refused.value += 1 }
                }
            }
        }
        isAsking.value = false
        reactor.expect("all are answered") { answered.value + refused.value == 6_000 }
        #expect(answered.value >= 1_024)
        #expect(refused.value > 0)
    }

    @Test func `a question that is given up is not answered`() throws {
        let reactor = try Reactor()
        let answers = Box<[String]>([])
        let question = Resolver.of(reactor).resolve("localhost", port: 1, for: reactor) { _ in
            answers.value.append("given up")
        }
        Resolver.of(reactor).giveUp(question, for: reactor)
        Resolver.of(reactor).giveUp(question, for: reactor)
        _ = Resolver.of(reactor).resolve("localhost", port: 1, for: reactor) { _ in
            answers.value.append("kept")
        }
        reactor.expect("the other is answered") { !answers.value.isEmpty }
        reactor.settle()
        #expect(answers.value == ["kept"])
    }

    @Test func `a reactor may end while its questions are open`() throws {
        weak var ended: Reactor?
        let answers = Box(0)
        do {
            let reactor = try Reactor()
            ended = reactor
            for _ in 0..<50 {
                _ = Resolver.of(reactor).resolve("localhost", port: 1, for: reactor) { _ in
                    answers.value += 1
                }
            }
        }
        #expect(ended == nil)
        #expect(answers.value == 0)
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

    @Test func `a name with a zero in it is not cut to another name`() throws {
        let reactor = try Reactor()
        let result = Box<Resolver.Answer?>(nil)
        _ = Resolver.of(reactor).resolve("localhost\u{0}.invalid", port: 1, for: reactor) {
            result.value = $0
        }
        reactor.expect("the answer comes") { result.value != nil }
        #expect(throws: ResolverError.self) { try result.value?.get() }
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

    @Test func `a question too many has words of its own`() {
        let error = ResolverError("example.org", .tooManyQuestions)
        #expect("\(error)" == "resolve example.org: Too many questions wait already")
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
