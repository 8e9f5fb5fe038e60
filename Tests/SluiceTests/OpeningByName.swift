// SPDX-License-Identifier: Apache-2.0
//
// Channels that are there before their name is even looked up: what they answer meanwhile, what
// becomes of what was written, and how the outcome is told.

import Glibc
import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct OpeningByName {
    let reactor: Reactor
    let places: LoopbackPlaces
    /// Answers when the test says so.
    let names: ScriptedNames
    let endpoint: Endpoint

    init() throws {
        reactor = try Reactor()
        places = try LoopbackPlaces()
        names = ScriptedNames(on: reactor)
        reactor.resolver = Resolver(on: reactor, source: names)
        endpoint = .host("opening.example", port: places.port)
    }

    func open(_ change: (inout ClientOptions) -> Void = { _ in }) throws -> Channel {
        var options = ClientOptions()
        options.attemptDelay = .milliseconds(20)
        change(&options)
        return try Client(on: reactor, options: options).open(to: endpoint)
    }

    /// Has the name service tell addresses, in a turn to come.
    func answer(_ addresses: SocketAddress...) {
        let found = addresses.compactMap(\.ipAddress)
        reactor.expect("the name is asked for") { names.openCount > 0 }
        names.answer(
            .host("opening.example"),
            NameReport(.success(.addresses(found)), from: .server(.loopback(port: 53))))
    }

    // MARK: Before it is decided

    // T10, N3
    @Test func `the channel is there at once, without a name or a socket`() throws {
        let before = openDescriptorCount()
        let channel = try open()
        #expect(openDescriptorCount() == before)
        #expect(channel.status == .connecting)
        #expect(channel.peerAddress == .unnamed)
        #expect(channel.takeError() == nil)
        #expect(channel.endReason == nil)
        #expect(channel.connectError == nil)
        #expect(throws: SocketError(.name, .notConnected, at: .unnamed)) {
            try channel.localAddress
        }
        #expect(throws: SocketError(.getOption, .notConnected, at: .unnamed)) {
            try channel.get(.noDelay)
        }
        #expect(throws: SocketError(.setOption, .notConnected, at: .unnamed)) {
            try channel.set(.noDelay, to: true)
        }
        #expect(try channel.configuration(of: "-connecting") == "1")
        #expect(try channel.configuration(of: "-peername") == "")
        #expect(try channel.configuration(of: "-sockname") == "")
        #expect(try channel.configuration(of: "-error") == "")
        reactor.settle()
        #expect(channel.status == .connecting)
        channel.abort()
    }

    // T12
    @Test func `reading finds nothing yet, and nobody is told anything`() throws {
        let channel = try open()
        channel.onReadable { _ in wrongly() }
        channel.onWritable { _ in wrongly() }
        channel.onPeerClosed { _ in wrongly() }
        #expect(try channel.readLine() == nil)
        #expect(channel.isBlocked)
        #expect(!channel.isAtEnd)
        reactor.settle()
        channel.abort()
        reactor.settle()
    }

    // T12
    @Test func `what is written is queued, within the limit`() throws {
        let channel = try open { $0.channel.outputLimit = 100 }
        try channel.write([UInt8](repeating: 1, count: 100))
        #expect(channel.unsentByteCount == 100)
        let full = SocketError(.write, .noBufferSpace, at: .unnamed)
        #expect(throws: full) { try channel.write([1]) }
        channel.abort()
    }

    // T8
    @Test func `a local address that can't be used is told at once`() throws {
        let before = openDescriptorCount()
        let error = #expect(throws: SocketError.self) {
            try open { $0.localAddress = IPAddress("192.0.2.1") }
        }
        #expect(error?.operation == .bind)
        #expect(error?.code == .addressNotAvailable)
        #expect(openDescriptorCount() == before)
        #expect(reactor.channels.isEmpty)
        #expect(names.asked.isEmpty)
    }

    // MARK: Connected

    // T10, W9, W10
    @Test func `a connection makes the channel writable, with no error to take`() throws {
        let seen = Box<[String]>([])
        reactor.observe { observation in
            if case .connected(let channel) = observation {
                seen.value.append("connected \(channel.peerAddress)")
            }
        }
        let before = openDescriptorCount()
        let channel = try open()
        channel.onWritable { channel in
            channel.onWritable(nil)
            seen.value.append("\(channel.status), \(String(describing: channel.takeError()))")
        }
        answer(places.silent, places.refusing(), places.working)
        reactor.expect("the handler is called") { seen.value.count == 2 }
        #expect(seen.value == ["connected \(places.working)", "open, nil"])
        #expect(try channel.write([UInt8]()) == .accepted)
        #expect(channel.peerAddress == places.working)
        #expect(try channel.localAddress.ipAddress?.isLoopback == true)
        #expect(try channel.get(.noDelay))
        #expect(openDescriptorCount() == before + 1)
        #expect(reactor.channels.count == 1)
        channel.close()
        #expect(channel.peerAddress == places.working)
    }

    // T12
    @Test(arguments: [Buffering.turn, .full, .line, .none])
    func `what was written goes out, though the channel was closed`(_ buffering: Buffering) throws {
        let channel = try open { $0.channel.buffering = buffering }
        let reasons = Box<[EndReason]>([])
        channel.onClose { reasons.value.append($1) }
        try channel.write("last words")
        channel.close()
        #expect(channel.status == .connecting)
        answer(places.refusing(), places.working)
        #expect(try places.received(on: reactor) == "last words")
        reactor.expect("it is closed") { channel.status == .closed }
        #expect(reasons.value == [.local])
    }

    // N1, T12
    @Test func `the writing side may be closed before there is a connection`() throws {
        let channel = try open()
        try channel.write("all of it")
        try channel.closeWriting()
        answer(places.working)
        #expect(try places.received(on: reactor) == "all of it")
        #expect(channel.status == .halfClosed)
        channel.close()
    }

    @Test func `handlers that were installed before read what comes`() throws {
        let server = try Server(on: reactor, at: [.loopback(port: 0)]) { channel, _ in
            try channel.write(text: "welcome")
            channel.close()
        }
        let text = Box("")
        let channel = try Client(on: reactor).open(
            to: .host("localhost", port: try #require(server.address.port)))
        channel.onBytes { _, bytes in text.value += bytes.text }
        reactor.expect("it comes to its end") { channel.status == .closed }
        #expect(text.value == "welcome")
        #expect(channel.endReason == .finished)
        server.close()
    }

    @Test func `an address is connected to as a name is`() throws {
        let path = SocketAddress.abstract(name: Array("sluice-\(getpid())-opening".utf8))
        let server = try reactor.listen(at: [path, .loopback(port: 0)])
        for address in server.addresses {
            let channel = try Client(on: reactor).open(to: .address(address))
            #expect(channel.peerAddress == address)
            reactor.expect("it is connected") { channel.status == .open }
            channel.close()
        }
        server.close()
    }

    @Test func `a connection that a task takes over knows its peer in the end`() throws {
        let channel = try open()
        let connection = try Connection.adopting(channel)
        #expect(connection.peerAddress == .unnamed)
        answer(places.working)
        reactor.expect("it is connected") { channel.status == .open }
        #expect(connection.peerAddress == places.working)
        channel.close()
        #expect(connection.peerAddress == places.working)
    }

    // MARK: Failed

    // T10, W9, W10
    @Test func `a refusal makes the channel writable and readable, and is told once`() throws {
        let channel = try open()
        let errors = Box<[SocketError?]>([])
        let calls = Box<[String]>([])
        channel.onReadable { channel in
            calls.value.append("readable")
            channel.onReadable(nil)
        }
        channel.onWritable { channel in
            calls.value.append("writable")
            #expect(channel.status == .failed)
            errors.value += [channel.takeError(), channel.takeError()]
            channel.onWritable(nil)
        }
        answer(places.refusing(), places.refusing(1))
        reactor.expect("the handlers are called") { calls.value.count == 2 }
        #expect(calls.value.sorted() == ["readable", "writable"])
        let failures: [SocketError] = [.refusal(places.refusing()), .refusal(places.refusing(1))]
        #expect(errors.value == [failures[1], nil])
        #expect(channel.endReason == .failed(failures[1]))
        #expect(channel.connectError?.attempts == failures)
        #expect(channel.connectError?.endpoint == endpoint)
        channel.close()
        #expect(channel.connectError?.attempts == failures)
    }

    // T6
    @Test func `a name that nobody knows is told by its error`() throws {
        let channel = try open()
        let isTold = Box(false)
        channel.onWritable { channel in
            isTold.value = true
            #expect(channel.takeError() == SocketError(.connect, .hostUnreachable))
            channel.close()
        }
        reactor.expect("the name is asked for") { names.openCount > 0 }
        names.answer(.host("opening.example"), .failure(.unknownName))
        reactor.expect("the handler is called") { isTold.value }
        let error = ResolverError("opening.example", .unknownName)
        #expect(channel.connectError?.cause == .unresolved(error))
        #expect(channel.connectError.map { "\($0)" } == "\(error)")
    }

    @Test func `the time holds for the look-up and the race`() throws {
        for isNamed in [false, true] {
            let before = openDescriptorCount()
            let channel = try open { $0.timeout = .milliseconds(30) }
            if isNamed { answer(places.silent) }
            reactor.expect("time runs out") { channel.status == .failed }
            #expect(channel.takeError() == SocketError(.connect, .timedOut))
            #expect(channel.connectError?.cause == .timedOut)
            #expect(channel.connectError?.attempts.count == (isNamed ? 1 : 0))
            channel.close()
            #expect(openDescriptorCount() == before)
        }
        #expect(names.givenUp.count == 1)
    }

    @Test func `a refusal of an address that is known is told in a later turn`() throws {
        let address = SocketAddress.abstract(name: Array("sluice-nobody-there".utf8))
        let channel = try Client(on: reactor).open(to: .address(address))
        #expect(channel.status == .connecting)
        reactor.expect("it is decided") { channel.status != .connecting }
        #expect(channel.takeError() == .refusal(address))
        channel.close()
    }

    // MARK: Giving up

    @Test(arguments: [false, true])
    func `a channel that is closed with nothing written gives the attempt up`(
        isNamed: Bool
    ) throws {
        let before = openDescriptorCount()
        for isAborted in [false, true] {
            let channel = try open()
            channel.onClose { _, reason in #expect(reason == .local) }
            if isNamed { answer(places.silent) }
            reactor.settle()
            if isAborted { channel.abort() } else { channel.close() }
            #expect(channel.status == .closed)
            #expect(openDescriptorCount() == before)
            #expect(reactor.channels.isEmpty)
            reactor.settle()
            #expect(names.openCount == 0)
        }
        #expect(names.givenUp.count == (isNamed ? 0 : 2))
    }

    @Test(arguments: [false, true])
    func `a reactor may end while a channel connects`(isNamed: Bool) throws {
        let before = openDescriptorCount()
        let (endpoint, silent) = (endpoint, places.silent.ipAddress)
        func orphan() throws -> Channel {
            let reactor = try Reactor()
            let names = ScriptedNames(on: reactor)
            reactor.resolver = Resolver(on: reactor, source: names)
            let channel = try Client(on: reactor).open(to: endpoint)
            try channel.write("never sent")
            reactor.expect("the name is asked for") { names.openCount > 0 }
            if isNamed, let silent {
                names.answerAll { _ in
                    NameReport(.success(.addresses([silent])), from: .hosts)
                }
                reactor.expect("it is under way") { reactor.channels.count == 2 }
            }
            return channel
        }
        let channel = try orphan()
        #expect(channel.status == .closed)
        #expect(channel.endReason == .drained)
        #expect(channel.peerAddress == .unnamed)
        #expect(openDescriptorCount() == before)
    }

    @Test func `nothing is left alive of a channel that was given up`() throws {
        weak var lost: Channel?
        for way in 0..<3 {
            do {
                let channel = try open { $0.timeout = .milliseconds(10) }
                lost = channel
                switch way {
                case 0: channel.close()
                case 1: reactor.expect("time runs out") { channel.status == .failed }
                default:
                    answer(places.working)
                    reactor.expect("it is connected") { channel.status != .connecting }
                }
                channel.close()
            }
            reactor.settle()
            #expect(lost == nil)
        }
    }

    // MARK: Many

    // W30
    @Test func `two hundred channels at once each have their own outcome`() throws {
        let answers = ScriptedNames(on: reactor) { question in
            let isOdd = question.name.hasPrefix("odd")
            return .addresses("127.0.0.10", isOdd ? "127.0.0.11" : "127.0.0.2")
        }
        reactor.resolver = Resolver(on: reactor, source: answers)
        let outcomes = Box<[Int: [String]]>([:])
        var channels: [Channel] = []
        for number in 0..<200 {
            let name = number.isMultiple(of: 2) ? "even\(number)" : "odd\(number)"
            let channel = try Client(on: reactor).open(to: .host(name, port: places.port))
            channel.onWritable { channel in
                channel.onWritable(nil)
                let error = channel.takeError()
                outcomes.value[number, default: []].append(error.map { "\($0)" } ?? "connected")
            }
            channels.append(channel)
        }
        reactor.expect("all are decided") { outcomes.value.count == 200 }
        for number in 0..<200 {
            let isEven = number.isMultiple(of: 2)
            #expect(
                outcomes.value[number]
                    == [isEven ? "connected" : "\(SocketError.refusal(places.refusing(1)))"])
        }
        for channel in channels { channel.close() }
    }
}
