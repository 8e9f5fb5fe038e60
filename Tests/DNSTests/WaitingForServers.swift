// SPDX-License-Identifier: Apache-2.0
//
// Servers that take their time, are silent, or are gone: how long a question waits for them, what
// it is told then, and what else goes on meanwhile.

import Glibc
import Sluice
import SluiceDNS
import TestSupport
import Testing

@Suite(.countingDescriptors, .withDnsmasq)
struct WaitingForServers {
    private let reactor: Reactor
    private let asker: Asker

    init() throws {
        reactor = try Reactor()
        asker = Asker(reactor: reactor)
    }

    @Test func `an answer that takes five seconds comes, and holds nobody else up`() throws {
        let delay = Duration.seconds(5)
        let upstream = try Upstream(on: reactor, .answering(after: delay))
        let server = try Dnsmasq(upstream.option(for: "slow.test"))
        let resolver = try Resolver(
            asking: .asking([server], timeout: .seconds(9)), on: reactor)
        let slow = Box<Asker.Verdict<[IPAddress]>?>(nil)
        resolver.addresses(of: "a.slow.test", family: .ipv4) { slow.value = $0 }
        for number in 0..<100 {
            let quick = try asker.answer { resolver.addresses(of: "n\(number).bulk.test", $0) }
            #expect(Set(quick.value) == Zone.bulkAddresses)
        }
        #expect(slow.value == nil)
        reactor.expect("the slow one comes as well") { slow.value != nil }
        let answer = try #require(slow.value).get()
        #expect(answer.value == [Upstream.answer])
        #expect(answer.time >= delay)
        #expect(answer.timeToLive == .seconds(60))
        #expect(upstream.questionCount == 1)
    }

    @Test func `the server that answers late is waited for no longer than asked`() throws {
        let upstream = try Upstream(on: reactor, .answering(after: .milliseconds(600)))
        let server = try Dnsmasq(upstream.option(for: "slow.test"))
        let resolver = try Resolver(
            asking: .asking([server], timeout: .seconds(9)), on: reactor)
        let limit = Duration.milliseconds(200)
        let start = ContinuousClock.now
        let reason = try asker.reason {
            resolver.addresses(of: "a.slow.test", family: .ipv4, within: limit, $0)
        }
        #expect(reason == .timedOut)
        #expect(ContinuousClock.now - start >= limit)
        // The answer comes to nobody, and does no harm.
        let isOver = Box(false)
        reactor.after(.milliseconds(800)) { isOver.value = true }
        reactor.expect("the answer has come") { isOver.value }
        let next = try asker.answer { resolver.addresses(of: "host.test", $0) }
        #expect(next.value.count == 2)
    }

    @Test func `a silent server is tried as often as it may be, and then that is told`() throws {
        let upstream = try Upstream(on: reactor, .silent)
        let server = try Dnsmasq(upstream.option(for: "silent.test"))
        let options = NameServerOptions.asking([server], timeout: .milliseconds(100), attempts: 3)
        let source = try NameServers(on: reactor, options: options)
        let resolver = Resolver(on: reactor, source: source)
        let start = ContinuousClock.now
        let reason = try asker.reason {
            resolver.addresses(of: "a.silent.test", family: .ipv4, $0)
        }
        #expect(reason == .timedOut)
        // 100, 200 and 400 ms.
        #expect(ContinuousClock.now - start >= .milliseconds(600))
        #expect(source.counters.datagramsSent == 3)
        #expect(source.counters.timeouts == 3)
        #expect(upstream.questionCount > 0)
    }

    @Test func `a question may be given up while a server is silent`() throws {
        let upstream = try Upstream(on: reactor, .silent)
        let server = try Dnsmasq(upstream.option(for: "silent.test"))
        let resolver = try Resolver(asking: .asking([server]), on: reactor)
        let question = resolver.addresses(of: "a.silent.test") { _ in wrongly() }
        reactor.expect("it has been asked") { upstream.questionCount > 0 }
        question.cancel()
        #expect(!question.isPending)
        let next = try asker.answer { resolver.addresses(of: "host.test", $0) }
        #expect(next.value.count == 2)
    }

    @Test func `where nobody is at the server's port, that is told at once`() throws {
        let server = try Dnsmasq()
        let resolver = try Resolver(
            asking: .asking([server], timeout: .seconds(9)), on: reactor)
        try server.kill()
        let start = ContinuousClock.now
        let reason = try asker.reason { resolver.addresses(of: "host.test", $0) }
        #expect(reason == .unreachable)
        #expect(ContinuousClock.now - start < .seconds(9))
    }

    @Test func `an answer that holds is there when the server is gone`() throws {
        let server = try Dnsmasq()
        let resolver = try Resolver(asking: .asking([server]), on: reactor)
        let first = try asker.answer { resolver.addresses(of: "host.test", $0) }
        #expect(first.origin == .server(server.address))
        try server.kill()
        let second = try asker.answer { resolver.addresses(of: "host.test", $0) }
        #expect(second.value == first.value)
        #expect(second.origin == .cache)
        #expect(try #require(second.timeToLive) <= .seconds(300))
        #expect(try #require(second.timeToLive) > .seconds(200))
        resolver.forgetAll()
        let reason = try asker.reason { resolver.addresses(of: "host.test", $0) }
        #expect(reason == .unreachable)
    }

    @Test func `a server that comes back is asked again`() throws {
        let server = try Dnsmasq()
        var options = ResolverOptions()
        options.cacheLimit = 0
        let resolver = try Resolver(
            asking: .asking([server], timeout: .milliseconds(200), attempts: 2), on: reactor,
            options: options)
        server.send(SIGSTOP)
        let reason = try asker.reason { resolver.addresses(of: "host.test", $0) }
        #expect(reason == .timedOut)
        server.send(SIGCONT)
        let answer = try asker.answer { resolver.addresses(of: "host.test", $0) }
        #expect(answer.value.count == 2)
    }

    // MARK: Two servers

    @Test(arguments: [SIGKILL, SIGSTOP])
    func `the second server is asked where the first one is gone or silent`(
        _ signal: CInt
    ) throws {
        let first = try Dnsmasq()
        let second = try Dnsmasq()
        let resolver = try Resolver(
            asking: .asking([first, second], timeout: .milliseconds(200)), on: reactor)
        let before = try asker.answer { resolver.addresses(of: "host.test", $0) }
        #expect(before.origin == .server(first.address))
        first.send(signal)
        let after = try asker.answer { resolver.addresses(of: "four.test", $0) }
        #expect(after.value == [.v4(0xC000_0204)])
        #expect(after.origin == .server(second.address))
        #expect(after.time < .seconds(5))
    }

    @Test func `where the first server fails, the second one is asked`() throws {
        let broken = try Upstream(on: reactor, .failing(2))
        let sound = try Upstream(on: reactor, .answering(after: .zero))
        let first = try Dnsmasq(broken.option(for: "weak.test"))
        let second = try Dnsmasq(sound.option(for: "weak.test"))
        let resolver = try Resolver(asking: .asking([first, second]), on: reactor)
        let answer = try asker.answer {
            resolver.addresses(of: "a.weak.test", family: .ipv4, $0)
        }
        #expect(answer.value == [Upstream.answer])
        #expect(answer.origin == .server(second.address))
        #expect(broken.questionCount > 0)
    }
}
