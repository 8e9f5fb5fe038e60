// SPDX-License-Identifier: Apache-2.0
//
// Servers that lie, and strangers who speak for them: whatever can't be right is left out and
// counted, and the right answer is waited for.

import Sluice
import TestSupport
import Testing

@testable import SluiceDNS

@Suite(.countingDescriptors)
struct RefusingLies {
    let reactor: Reactor

    init() throws { reactor = try Reactor() }

    /// A lie, told before the truth.
    struct Lie: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let tell: @Sendable (LyingServer.Query) -> [UInt8]
        let counter: KeyPath<NameServerCounters, UInt64> & Sendable

        init(
            _ name: String, _ counter: KeyPath<NameServerCounters, UInt64> & Sendable,
            _ tell: @escaping @Sendable (LyingServer.Query) -> [UInt8]
        ) {
            testDescription = name
            self.counter = counter
            self.tell = tell
        }

        /// An answer that would be believed, were it not for what is changed.
        private static func forged(
            _ query: LyingServer.Query, _ change: (inout Packet) -> Void
        ) -> [UInt8] {
            var packet = query.packet(Packet.host(query.name, "192.0.2.66"))
            change(&packet)
            return packet.bytes
        }

        private static func named(_ name: [UInt8], _ query: LyingServer.Query) -> [UInt8] {
            forged(query) { $0.answers = [Packet.record(named: name, 1, [192, 0, 2, 66])] }
        }

        static let all: [Lie] = [
            Lie("a wrong number", \.wrongIDs) { query in forged(query) { $0.id &+= 1 } },
            Lie("another name", \.wrongQuestions) { query in
                var other = Packet("b.example", query.kind, id: query.id)
                other.answers = [Packet.host("b.example", "192.0.2.66")]
                return other.bytes
            },
            Lie("another kind", \.wrongQuestions) { query in
                Packet(query.name, .aaaa, id: query.id).bytes
            },
            Lie("no question", \.wrongQuestions) { query in forged(query) { $0.questions = [] } },
            Lie("two questions", \.wrongQuestions) { query in
                forged(query) { $0.questions += $0.questions }
            },
            Lie("the question itself", \.malformed) { query in
                forged(query) { $0.flags = 0x0100 }
            },
            Lie("a name that points to itself", \.malformed) { query in
                named([0xC0, 27], query)
            },
            Lie("a name that points forward", \.malformed) { query in named([0xC0, 40], query) },
            Lie("a name that points behind the end", \.malformed) { query in
                named([0xC3, 0xFF], query)
            },
            Lie("a name that is too long", \.malformed) { query in
                let label = [63] + [UInt8](repeating: 97, count: 63)
                return named(label + label + label + label + [0], query)
            },
            Lie("more records than there are", \.malformed) { query in
                forged(query) { $0.counts = [1, 2, 0, 0] }
            },
            Lie("an address of five bytes", \.malformed) { query in
                forged(query) { $0.answers = [Packet.record(query.name, .a, 60, [1, 2, 3, 4, 5])] }
            },
            Lie("half an answer", \.malformed) { query in
                Array(query.truth.bytes.dropLast(10))
            },
            Lie("four bytes", \.malformed) { query in Array(query.truth.bytes.prefix(4)) },
            Lie("nothing", \.malformed) { _ in [] },
            Lie("more than was asked for", \.oversized) { query in
                forged(query) { $0.answers += Array(repeating: $0.answers[0], count: 100) }
            },
            Lie("more than there is room for", \.oversized) { query in
                forged(query) { $0.answers += Array(repeating: $0.answers[0], count: 400) }
            },
        ]
    }

    private func servers(
        _ server: LyingServer, _ change: (inout NameServerOptions) -> Void = { _ in }
    ) throws -> NameServers {
        var options = NameServerOptions.only([server.address])
        // A question whose truth were lost would take so long.
        options.timeout = .seconds(15)
        change(&options)
        return try NameServers(on: reactor, options: options)
    }

    // MARK: One lie

    @Test(arguments: Lie.all)
    func `a lie is left out, and the truth behind it is heard`(_ lie: Lie) throws {
        let server = try LyingServer(on: reactor) { query in
            [.send(lie.tell(query)), .send(query.truth.bytes)]
        }
        let servers = try servers(server)
        let report = servers.report(on: "a.example", reactor)
        #expect(report?.texts == ["192.0.2.1"])
        #expect(report?.origin == .server(server.address))
        #expect(servers.counters[keyPath: lie.counter] == 1)
        #expect(servers.counters.refused == 1)
        #expect(servers.counters.answers == 1)
        #expect(server.queries.count == 1)
    }

    // A frame is never too long.
    @Test(arguments: Lie.all.filter { $0.counter != \.oversized && $0.counter != \.malformed })
    func `a lie over TCP is left out, too`(_ lie: Lie) throws {
        let server = try LyingServer(on: reactor) { query in
            [.send(lie.tell(query)), .send(query.truth.bytes)]
        }
        let servers = try servers(server) { $0.usesTCP = true }
        #expect(servers.report(on: "a.example", reactor)?.texts == ["192.0.2.1"])
        #expect(servers.counters[keyPath: lie.counter] == 1)
        #expect(servers.counters.answers == 1)
        #expect(server.connectionCount == 1)
    }

    @Test(arguments: Lie.all.filter { $0.counter == \.malformed })
    func `a frame that is no message ends the connection, and there is another one`(
        _ lie: Lie
    ) throws {
        let forged = Packet.host("a.example", "192.0.2.66")
        let server = try LyingServer(on: reactor) { query in
            guard query.number == 1 else { return [.send(query.truth.bytes)] }
            // What stands behind it is not read.
            return [.send(lie.tell(query)), .send(query.packet(forged).bytes)]
        }
        let servers = try servers(server) { $0.usesTCP = true }
        #expect(servers.report(on: "a.example", reactor)?.texts == ["192.0.2.1"])
        #expect(servers.counters.malformed == 1)
        #expect(servers.counters.answers == 1)
        #expect(server.connectionCount == 2)
    }

    @Test func `whoever answers from another port is not heard`() throws {
        let server = try LyingServer(on: reactor) { query in
            let forged = query.packet(Packet.host(query.name, "192.0.2.66"))
            return [.sendFromElsewhere(forged.bytes), .send(query.truth.bytes)]
        }
        let servers = try servers(server)
        #expect(servers.report(on: "a.example", reactor)?.texts == ["192.0.2.1"])
        #expect(servers.counters.answers == 1)
        #expect(servers.counters.refused == 0)
    }

    @Test func `an answer to somebody else's question is a wrong number`() throws {
        let first = Box<UInt16?>(nil)
        let server = try LyingServer(on: reactor) { query in
            guard let other = first.value else {
                first.value = query.id
                return [.send(query.truth.bytes)]
            }
            return [.send(Packet("a.example", .a, id: other).bytes), .send(query.truth.bytes)]
        }
        let servers = try servers(server)
        #expect(servers.report(on: "a.example", reactor)?.texts == ["192.0.2.1"])
        #expect(servers.report(on: "b.example", reactor)?.texts == ["192.0.2.1"])
        #expect(servers.counters.wrongIDs == 1)
    }

    // MARK: Many lies

    @Test func `garbage before the truth does not hide it`() throws {
        var generator = Lottery(seed: 11)
        let server = try LyingServer(on: reactor) { query in
            let garbage = (0..<200).map { number in
                (0..<number % 60).map { _ in UInt8.random(in: 0...255, using: &generator) }
            }
            return garbage.map { .send($0) } + [.send(query.truth.bytes)]
        }
        let servers = try servers(server)
        #expect(servers.report(on: "a.example", reactor)?.texts == ["192.0.2.1"])
        #expect(servers.counters.refused == 200)
        #expect(servers.counters.answers == 1)
        #expect(server.queries.count == 1)
    }

    @Test func `one turn looks at sixty-four datagrams at most`() throws {
        let server = try LyingServer(on: reactor) { query in
            (0..<150).map { _ in .send([1, 2, 3]) } + [.send(query.truth.bytes)]
        }
        let servers = try servers(server)
        var most: UInt64 = 0
        var last: UInt64 = 0
        var report: NameReport?
        _ = servers.begin(.addresses(of: "a.example", family: .ipv4)) { report = $0 }
        reactor.expect("the answer comes") {
            // Asked after each turn.
            most = max(most, servers.counters.malformed - last)
            last = servers.counters.malformed
            return report != nil
        }
        #expect(servers.counters.malformed == 150)
        #expect(most <= 64)
    }

    @Test func `who hears lies alone is told of bad answers, not of silence`() throws {
        let server = try LyingServer(on: reactor) { query in
            [.send(Array(query.truth.bytes.dropLast()))]
        }
        let servers = try servers(server) { $0.timeout = .milliseconds(50) }
        let report = servers.report(on: "a.example", reactor)
        #expect(report?.reason == .badAnswer)
        #expect(server.queries.count == 2)
        #expect(servers.counters.malformed == 2)
        #expect(servers.counters.timeouts == 2)
    }

    @Test func `another server's truth is heard while one lies`() throws {
        let liar = try LyingServer(on: reactor) { query in
            [.send(Array(query.truth.bytes.dropLast()))]
        }
        let honest = try LyingServer(on: reactor) { query in [.send(query.truth.bytes)] }
        var options = NameServerOptions.only([liar.address, honest.address])
        options.timeout = .milliseconds(50)
        let servers = try NameServers(on: reactor, options: options)
        let report = servers.report(on: "a.example", reactor)
        #expect(report?.texts == ["192.0.2.1"])
        #expect(report?.origin == .server(honest.address))
    }

    // MARK: Lies that are well-formed

    @Test func `names that go in a circle are told as a bad answer`() throws {
        let server = try LyingServer(on: reactor) { query in
            let packet = query.packet(
                Packet.alias(query.name, of: "b.example"), Packet.alias("b.example", of: query.name)
            )
            return [.send(packet.bytes)]
        }
        #expect(try servers(server).report(on: "a.example", reactor)?.reason == .badAnswer)
    }

    @Test func `addresses of other names are not believed`() throws {
        let server = try LyingServer(on: reactor) { query in
            [.send(query.packet(Packet.host("bank.example", "192.0.2.66")).bytes)]
        }
        #expect(try servers(server).report(on: "a.example", reactor)?.reason == .noAddress)
    }

    @Test func `a name with an escape sequence in it comes to nobody`() throws {
        let server = try LyingServer(on: reactor) { query in
            let evil = Packet.name("\u{1B}]0;owned\u{7}.example")
            return [.send(query.packet(Packet.record(query.name, .pointer, 60, evil)).bytes)]
        }
        let servers = try servers(server)
        #expect(servers.report(on: .names(of: .v4(0xC000_0201)), reactor)?.reason == .badAnswer)
    }

    @Test func `an alias that no host may have is not told as the official name`() throws {
        let server = try LyingServer(on: reactor) { query in
            let packet = query.packet(
                Packet.alias(query.name, of: "a b.example"), Packet.host("a b.example", "192.0.2.1")
            )
            return [.send(packet.bytes)]
        }
        let report = try servers(server).report(on: "a.example", reactor)
        #expect(report?.texts == ["192.0.2.1"])
        #expect(report?.canonicalName == nil)
    }
}
