// SPDX-License-Identifier: Apache-2.0
//
// What happens on reactors, as lines of a log.

import Glibc
import Logging
import Sluice
import TestSupport
import Testing

@testable import SluiceLogging

@Suite(.countingDescriptors)
struct LoggingReactors {
    /// Serves one client that sends a line, and gives back what was logged, by message.
    private func lines(
        options: ServerOptions = .init(), slowTurn: Duration = .seconds(600),
        onAccept: @escaping (Channel) throws -> Void
    ) throws -> [String: Logger.Metadata] {
        let reactor = try Reactor()
        let log = KeptLog()
        reactor.log(to: log.logger, slowTurn: slowTurn)
        let server = try Server(on: reactor, at: [.loopback(port: 0)], options: options) {
            channel, _ in try onAccept(channel)
        }
        let client = try Socket(for: server.addresses[0])
        _ = try client.connect(to: server.addresses[0])
        _ = try client.send(Array("hello\n".utf8).span.bytes)
        reactor.expect("the client is done with") {
            server.counters.accepted + server.counters.refused == 1 && server.connectionCount == 0
        }
        reactor.settle()
        server.close()
        return log.lines
    }

    @Test func `a connection is logged when it comes and when it goes`() throws {
        let lines = try lines { channel in
            channel.onLine { channel, line in
                try channel.writeLine(line + "!")
                channel.close()
            }
        }
        #expect(lines["debug accepted"]?["peer"]?.description.hasPrefix("127.0.0.1:") == true)
        let end = try #require(lines["debug closed"])
        #expect(end["reason"] == "closed by this side")
        #expect(end["bytes-received"] == "6")
        #expect(end["bytes-sent"] == "7")
    }

    @Test func `a client that is turned away is logged`() throws {
        var options = ServerOptions()
        options.denied = [try #require(AddressRange("127.0.0.0/8"))]
        let lines = try lines(options: options) { _ in Issue.record("it was let in") }
        #expect(lines["notice refused"]?["peer"]?.description.hasPrefix("127.0.0.1:") == true)
        #expect(lines["notice refused"]?["reason"] == "denied")
    }

    /// Has a server turn so many clients away.
    private func refuse(_ count: UInt64, on reactor: Reactor) throws {
        var options = ServerOptions()
        options.denied = [try #require(AddressRange("127.0.0.0/8"))]
        let server = try Server(on: reactor, at: [.loopback(port: 0)], options: options) { _, _ in
            Issue.record("it was let in")
        }
        let clients = try (0..<count).map { _ in
            HeldSocket(try Socket.connecting(to: server.address))
        }
        reactor.expect("all are turned away") { server.counters.refused == count }
        server.close()
        withExtendedLifetime(clients) {}
    }

    @Test func `a crowd that is turned away is noticed once, and logged one by one`() throws {
        let reactor = try Reactor()
        let log = KeptLog()
        reactor.log(to: log.logger)
        try refuse(20, on: reactor)
        #expect(log.all("debug refused").count == 20)
        let notices = log.all("notice refused")
        #expect(notices.count == 1)
        #expect(notices.first?["reason"] == "denied")
        #expect(notices.first?["count"] == "1")
    }

    @Test func `those that a notice leaves out are told of in a later turn`() throws {
        let reactor = try Reactor()
        let log = KeptLog()
        reactor.log(to: log.logger, slowTurn: .seconds(600), quietTime: .milliseconds(20))
        try refuse(3, on: reactor)
        let turns = reactor.every(.milliseconds(1)) {}
        reactor.expect("the rest is told of") { log.refusedCount == 3 }
        turns.cancel()
    }

    @Test func `each reason has its notices, five seconds apart, and their counts add up`() {
        typealias Notice = RefusalNotices.Notice
        var refusals = RefusalNotices(quietTime: .seconds(5))
        let (one, other) = (SocketAddress.loopback(port: 1), SocketAddress.loopback(port: 2))
        let start = SuspendingClock.now
        refusals.note(one, .rate, at: start)
        #expect(refusals.takeDue(at: start) == [Notice(reason: .rate, peer: one, count: 1)])
        let soon = start + .seconds(4)
        for _ in 0..<100 {
            refusals.note(one, .rate, at: soon)
            #expect(refusals.takeDue(at: soon) == [])
        }
        refusals.note(other, .denied, at: soon)
        #expect(refusals.takeDue(at: soon) == [Notice(reason: .denied, peer: other, count: 1)])
        #expect(refusals.untoldCount == 100)
        let later = start + .seconds(5)
        #expect(refusals.takeDue(at: later) == [Notice(reason: .rate, peer: one, count: 100)])
        #expect(refusals.untoldCount == 0)
        let last = start + .seconds(60)
        #expect(refusals.takeDue(at: last) == [])
        refusals.note(other, .rate, at: last)
        #expect(refusals.takeDue(at: last) == [Notice(reason: .rate, peer: other, count: 1)])
    }

    @Test func `what a handler throws is logged, with the peer`() throws {
        let lines = try lines { channel in channel.onBytes { _, _ in throw Mishap() } }
        let line = try #require(lines["error failed"])
        #expect(line["error"] == "\(Mishap())")
        #expect(line["peer"] != nil)
    }

    @Test func `a connection that ends by its limit is a notice`() throws {
        var options = ServerOptions()
        options.channel.idleTimeout = .milliseconds(5)
        let lines = try lines(options: options) { channel in channel.onBytes { _, _ in } }
        #expect(lines["notice closed"]?["reason"] == "timed out: idle")
    }

    @Test func `a slow turn is a warning`() throws {
        let lines = try lines(slowTurn: .milliseconds(20)) { channel in
            usleep(20_000)
            channel.close()
        }
        #expect(lines["warning a slow turn"]?["duration"] != nil)
    }

    @Test func `names that are resolved, or not, and connections that are made are logged`() throws
    {
        let reactor = try Reactor()
        let log = KeptLog()
        reactor.log(to: log.logger)
        let server = try Server(on: reactor, at: [.loopback(port: 0)]) { channel, _ in
            channel.close()
        }
        let verdicts = Box(0)
        let port = server.addresses[0].port ?? 0
        for name in ["localhost", "no such name"] {
            try Client(on: reactor).connect(to: .host(name, port: port)) { verdict in
                verdicts.value += 1
                if case .success(let channel) = verdict { channel.close() }
            }
        }
        reactor.expect("both verdicts") { verdicts.value == 2 }
        #expect(log.lines["debug resolved"]?["name"] == "localhost")
        #expect(log.lines["debug connected"]?["peer"] != nil)
        #expect(log.lines["notice not resolved"]?["name"] == "no such name")
        #expect(log.lines["notice not resolved"]?["error"] != nil)
        reactor.settle()
        server.close()
    }

    @Test func `a group's reactors log their numbers`() async throws {
        let group = try ReactorGroup(count: 2)
        let log = KeptLog()
        try group.log(to: log.logger)
        let server = try await ServerGroup(on: group, at: [.loopback(port: 0)])
        let run = Task { try await server.run { _ in throw Mishap() } }
        let client = try await Connection.connect(
            to: .address(server.addresses[0]), on: group.executors[0])
        let bytes = try await client.read()
        #expect(bytes.isEmpty)
        await client.close()
        run.cancel()
        try await run.value
        await group.stop()
        let number = log.lines["error failed"]?["reactor"]
        #expect(number == "0" || number == "1")
    }
}

/// A logger whose lines are kept.
private final class KeptLog: Sendable {
    private let kept = SharedValue<[String: [Logger.Metadata]]>([:])

    /// The metadata of the last line by `level message`.
    var lines: [String: Logger.Metadata] { kept.value.compactMapValues { $0.last } }

    /// The metadata of all lines of one `level message`, in their order.
    func all(_ kind: String) -> [Logger.Metadata] { kept.value[kind] ?? [] }

    /// How many clients were turned away, by what the notices say.
    var refusedCount: Int {
        all("notice refused").compactMap { Int($0["count"]?.description ?? "") }.reduce(0, +)
    }

    var logger: Logger {
        var logger = Logger(label: "test") { [kept] _ in Handler(kept: kept) }
        logger.logLevel = .debug
        return logger
    }

    private struct Handler: LogHandler {
        let kept: SharedValue<[String: [Logger.Metadata]]>
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.debug

        init(kept: SharedValue<[String: [Logger.Metadata]]>) { self.kept = kept }

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let all = metadata.merging(event.metadata ?? [:]) { _, new in new }
            kept.change { $0["\(event.level) \(event.message)", default: []].append(all) }
        }
    }
}
