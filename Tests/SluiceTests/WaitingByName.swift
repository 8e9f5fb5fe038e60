// SPDX-License-Identifier: Apache-2.0
//
// Channels that wait for a connection by name: look-up and race go on though no reactor runs, and
// no handler is called meanwhile.

import Glibc
import TestSupport
import Testing

@testable import Sluice

// Tests of one suite in two files: they begin alike, and these wait.
extension OpeningByName {
    // T11
    @Test func `a read waits for the name, the connection and the line, and nothing runs`() throws {
        let server = try ServerSocket(at: .loopback(port: 0))
        let thread = OtherThread {
            do {
                let channel = try server.accept()
                try channel.writeLine("welcome")
                channel.close()
            } catch {
                Issue.record(error)
            }
        }
        var options = ClientOptions()
        options.channel.isBlocking = true
        let channel = try Client(on: reactor, options: options).open(
            to: .host("localhost", port: try #require(server.address.port)))
        let calls = Box(0)
        channel.onWritable { channel in
            calls.value += 1
            channel.onWritable(nil)
        }
        reactor.after(.zero) { calls.value += 1 }
        #expect(channel.status == .connecting)
        #expect(try channel.readLine() == "welcome")
        #expect(calls.value == 0)
        #expect(channel.peerAddress == server.address)
        reactor.expect("the handlers run later") { calls.value == 2 }
        channel.close()
        thread.join()
    }

    // T11
    @Test func `a wait goes on with a race that is under way`() throws {
        let channel = try open()
        answer(places.silent, places.refusing(), places.working)
        reactor.expect("the first is under way") { reactor.channels.count == 2 }
        try channel.write("hello")
        channel.options.isBlocking = true
        try channel.flush()
        #expect(channel.status == .open)
        #expect(channel.unsentByteCount == 0)
        #expect(channel.peerAddress == places.working)
        #expect(reactor.channels.count == 1)
        channel.close()
        #expect(try places.received(on: reactor) == "hello")
    }

    // T11
    @Test func `a wait for a connection that is refused tells so once`() throws {
        var options = ClientOptions()
        options.channel.isBlocking = true
        let unused = try SocketAddress.unused()
        let channel = try Client(on: reactor, options: options).open(
            to: .host("localhost", port: try #require(unused.port)))
        let error = #expect(throws: SocketError.self) { try channel.flush() }
        #expect(error?.code == .connectionRefused)
        #expect(channel.connectError?.attempts.last == error)
        #expect(channel.status == .failed)
        #expect(channel.takeError() == nil)
        #expect(try channel.readLine() == nil)
        #expect(channel.isAtEnd)
        channel.close()
    }

    // T11
    @Test func `a wait lasts no longer than the time limit`() throws {
        let channel = try open {
            $0.channel.isBlocking = true
            $0.timeout = .milliseconds(50)
        }
        answer(places.silent)
        reactor.expect("it is under way") { reactor.channels.count == 2 }
        #expect(throws: SocketError(.connect, .timedOut)) { try channel.flush() }
        channel.close()
    }

    // T11, N2
    @Test func `a wait asks for the family that has not come as well`() throws {
        let server = try ServerSocket(at: .loopback(port: 0))
        // The resolver takes this for a name, the system for a number, and needs no network for it.
        let name = "127.1"
        let apart = ScriptedNames(on: reactor, asksFamiliesApart: true) { question in
            question == .host(name, .ipv6) ? .addresses("::1") : nil
        }
        reactor.resolver = Resolver(on: reactor, source: apart)
        let channel = try Client(on: reactor).open(
            to: .host(name, port: try #require(server.address.port)))
        try channel.write("hello")
        reactor.expect("IPv6 has come") {
            apart.asked.count == 2 && apart.openCount == 1
        }
        reactor.settle()
        channel.options.isBlocking = true
        try channel.flush()
        #expect(channel.peerAddress == server.address)
        #expect(apart.givenUp == [.host(name, .ipv4)])
        channel.close()
    }

    // T11, T12
    @Test func `what was written goes out before a blocking close returns`() throws {
        let channel = try open()
        try channel.write("last words")
        answer(places.refusing(), places.working)
        reactor.expect("it is under way") { reactor.channels.count == 2 }
        channel.options.isBlocking = true
        channel.close()
        #expect(channel.status == .closed)
        #expect(try places.received(on: reactor) == "last words")
    }

    // T11
    @Test func `a wait for a name that nobody knows tells so`() throws {
        var options = ClientOptions()
        options.channel.isBlocking = true
        let channel = try Client(on: reactor, options: options).open(
            to: .host("two\u{0}names", port: 80))
        #expect(throws: SocketError(.connect, .hostUnreachable)) { try channel.flush() }
        guard case .unresolved(let error) = channel.connectError?.cause else {
            Issue.record("\(String(describing: channel.connectError))")
            return channel.close()
        }
        #expect(error.reason == .unknownName)
        channel.close()
    }

    // N3
    @Test func `asking for the error moves the race on without a reactor's turn`() throws {
        let channel = try open()
        answer(places.refusing(), places.silent, places.refusing(1), places.working)
        reactor.expect("an address is under way") { reactor.channels.count == 2 }
        let limit = ContinuousClock.now + .seconds(20)
        while channel.status == .connecting, ContinuousClock.now < limit {
            #expect(try channel.configuration(of: "-error") == "")
            sched_yield()
        }
        #expect(channel.status == .open)
        #expect(channel.peerAddress == places.working)
        channel.close()
    }
}
