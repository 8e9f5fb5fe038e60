// SPDX-License-Identifier: Apache-2.0
//
// Questions that end before they are answered: given up, or with their servers or their reactor.
// Nobody is called then, no descriptor stays open, and nothing is kept.

import Sluice
import TestSupport
import Testing

@testable import SluiceDNS

@Suite(.countingDescriptors)
struct EndingQuestions {
    private let question = NameQuestion.addresses(of: "a.example", family: .ipv4)

    /// Something that tells when it is gone.
    private final class Witness {
        private let isGone: Box<Bool>
        init(_ isGone: Box<Bool>) { self.isGone = isGone }
        deinit { isGone.value = true }
    }

    // MARK: Giving up

    @Test func `a question that is given up is not answered`() throws {
        let reactor = try Reactor()
        let server = try LyingServer(on: reactor) { [.send($0.truth.bytes)] }
        let servers = try NameServers(on: reactor, options: .only([server.address]))
        var isTold = false
        let number = servers.begin(question) { _ in isTold = true }
        servers.giveUp(number)
        servers.giveUp(number)
        servers.giveUp(12_345)
        #expect(servers.questionCount == 1)
        reactor.expect("c-ares ends it") { servers.questionCount == 0 }
        reactor.settle()
        #expect(!isTold)
        #expect(servers.socketCount == 0)
    }

    @Test func `questions that nobody waits for are bounded, and others wait for them`() throws {
        let reactor = try Reactor()
        let isSilent = Box(true)
        let server = try LyingServer(on: reactor) { query in
            isSilent.value ? [] : [.send(query.truth.bytes)]
        }
        let options = NameServerOptions.only([server.address]).with(\.timeout, .milliseconds(100))
        let servers = try NameServers(on: reactor, options: options)
        for number in 0..<20_000 {
            let question = NameQuestion.addresses(of: "a\(number).example", family: .ipv4)
            servers.giveUp(servers.begin(question) { _ in Issue.record("it is told") })
        }
        // So many for each channel, of which there are nine at most.
        #expect(servers.questionCount <= 9 * 1_024)
        isSilent.value = false
        #expect(servers.report(on: "b.example", reactor)?.texts == ["192.0.2.1"])
        reactor.expect("c-ares ends them") { servers.questionCount == 0 }
        #expect(servers.socketCount == 0)
    }

    @Test func `what a completion has captured goes with the question`() throws {
        let reactor = try Reactor()
        let servers = try NameServers(on: reactor, options: .only([.deaf()]))
        let isGone = Box(false)
        var witness: Witness? = Witness(isGone)
        let number = servers.begin(question) { [witness] _ in _ = witness }
        witness = nil
        #expect(!isGone.value)
        servers.giveUp(number)
        #expect(isGone.value)
    }

    @Test func `a question that is given up asks no further domain`() throws {
        let reactor = try Reactor()
        let server = try LyingServer(on: reactor) { [.send($0.packet(code: 3).bytes)] }
        let options = NameServerOptions.only([server.address])
            .with(\.searchDomains, ["one.example", "two.example"])
        let servers = try NameServers(on: reactor, options: options)
        let number = servers.begin(.texts(of: "www")) { _ in Issue.record("it is told") }
        servers.giveUp(number)
        reactor.expect("c-ares ends it") { servers.questionCount == 0 }
        #expect(server.names == ["www.one.example"])
    }

    @Test func `a completion may give up others that are decided`() throws {
        let reactor = try Reactor()
        let servers = try NameServers(
            on: reactor,
            options: .only([.deaf()]).with(
                \.hosts, .table(HostTable(parsing: "192.0.2.1 a.example"))))
        var told: [Int] = []
        var numbers: [UInt64] = []
        for place in 0..<3 {
            numbers.append(
                servers.begin(question) { _ in
                    told.append(place)
                    for number in numbers { servers.giveUp(number) }
                })
        }
        reactor.expect("the first is told") { !told.isEmpty }
        reactor.settle()
        #expect(told == [0])
    }

    @Test func `a completion may ask again`() throws {
        let reactor = try Reactor()
        let server = try LyingServer(on: reactor) { [.send($0.truth.bytes)] }
        let servers = try NameServers(on: reactor, options: .only([server.address]))
        var count = 0
        func ask() {
            _ = servers.begin(question) { _ in
                count += 1
                if count < 100 { ask() }
            }
        }
        ask()
        reactor.expect("all are answered") { count == 100 }
        #expect(servers.questionCount == 0)
    }

    @Test func `a completion may run the reactor for another answer`() throws {
        let reactor = try Reactor()
        let server = try LyingServer(on: reactor) { [.send($0.truth.bytes)] }
        let servers = try NameServers(on: reactor, options: .only([server.address]))
        var told: [String] = []
        _ = servers.begin(question) { _ in
            let report = servers.report(on: "b.example", reactor)
            told.append(contentsOf: report?.texts ?? [])
            told.append("outer")
        }
        reactor.expect("both are told") { told.count == 2 }
        #expect(told == ["192.0.2.1", "outer"])
    }

    // MARK: The end of the servers

    @Test func `servers that go tell nobody, and close their sockets`() throws {
        let reactor = try Reactor()
        let server = try LyingServer(on: reactor) { _ in [] }
        let isGone = Box(false)
        var witness: Witness? = Witness(isGone)
        var servers: NameServers? = try NameServers(on: reactor, options: .only([server.address]))
        let before = openDescriptorCount()
        for number in 0..<100 {
            let question = NameQuestion.addresses(of: "a\(number).example", family: .ipv4)
            _ = servers?.begin(question) { [witness] _ in
                _ = witness
                Issue.record("it is told")
            }
        }
        witness = nil
        #expect(openDescriptorCount() == before + 1)
        servers = nil
        #expect(openDescriptorCount() == before)
        #expect(isGone.value)
        reactor.settle()
    }

    @Test(arguments: [false, true])
    func `servers may go in a completion`(usesTCP: Bool) throws {
        let reactor = try Reactor()
        let server = try LyingServer(on: reactor) { [.send($0.truth.bytes)] }
        let options = NameServerOptions.only([server.address]).with(\.usesTCP, usesTCP)
        var servers: NameServers? = try NameServers(on: reactor, options: options)
        var count = 0
        for number in 0..<20 {
            let question = NameQuestion.addresses(of: "a\(number).example", family: .ipv4)
            _ = servers?.begin(question) { _ in
                count += 1
                servers = nil
            }
        }
        reactor.expect("one is told") { count > 0 }
        reactor.settle()
        #expect(count == 1)
        #expect(servers == nil)
    }

    @Test func `what ends with the servers may ask them`() throws {
        let reactor = try Reactor()
        final class Asker {
            weak var servers: NameServers?
            deinit { _ = servers?.begin(.texts(of: "x.example")) { _ in } }
        }
        let options = NameServerOptions.only([try .deaf()])
        var servers: NameServers? = try NameServers(on: reactor, options: options)
        var asker: Asker? = Asker()
        asker?.servers = servers
        _ = servers?.begin(question) { [asker] _ in _ = asker }
        asker = nil
        servers = nil
        reactor.settle()
    }

    // MARK: The end of the reactor

    @Test(arguments: [false, true])
    func `questions end with their reactor`(usesTCP: Bool) throws {
        let isGone = Box(false)
        let kept: NameServers
        do {
            let reactor = try Reactor()
            let server = try LyingServer(on: reactor) { _ in [] }
            let options = NameServerOptions.only([server.address]).with(\.usesTCP, usesTCP)
            kept = try NameServers(on: reactor, options: options)
            let witness = Witness(isGone)
            for number in 0..<50 {
                let question = NameQuestion.addresses(of: "a\(number).example", family: .ipv4)
                _ = kept.begin(question) { _ in
                    _ = witness
                    Issue.record("it is told")
                }
            }
            reactor.expect("the server has heard them") { server.queries.count == 50 }
        }
        #expect(isGone.value)
        #expect(kept.questionCount == 0)
        #expect(kept.socketCount == 0)
        let number = kept.begin(question) { _ in Issue.record("it is told") }
        kept.giveUp(number)
    }

    @Test func `a resolver with servers of its own goes with its reactor`() throws {
        let isGone = Box(false)
        do {
            let reactor = try Reactor()
            let server = try LyingServer(on: reactor) { _ in [] }
            reactor.resolver = try Resolver(asking: .only([server.address]), on: reactor)
            let witness = Witness(isGone)
            reactor.resolver.addresses(of: "a.example") { _ in _ = witness }
            reactor.expect("the server has heard it") { server.queries.count == 2 }
        }
        #expect(isGone.value)
    }

    @Test func `a question begins and ends a thousand times without a trace`() throws {
        let reactor = try Reactor()
        let server = try LyingServer(on: reactor) { [.send($0.truth.bytes)] }
        let options = NameServerOptions.only([server.address])
        let before = openDescriptorCount()
        var count = 0
        for _ in 0..<10 {
            let servers = try NameServers(on: reactor, options: options)
            for number in 0..<100 {
                let question = NameQuestion.addresses(of: "a\(number).example", family: .ipv4)
                _ = servers.begin(question) { if $0.texts != nil { count += 1 } }
            }
            reactor.expect("all are answered") { servers.questionCount == 0 && count % 100 == 0 }
        }
        #expect(count == 1_000)
        #expect(openDescriptorCount() == before)
    }
}
