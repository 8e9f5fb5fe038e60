// SPDX-License-Identifier: Apache-2.0
//
// 10,000 connections that do nothing: the server does nothing either, as strace(1) counts.

import Glibc
import Sluice
import TestSupport
import Testing

@Suite(.countingDescriptors, .serialized)
struct StayingIdle {
    @Test func `10,000 idle connections cause no system call but the one waited in`() throws {
        let (server, address) = try CommandProcess.serving("echo")
        let crowd = try Crowd.echoing(10_000, to: address)
        let idle = try calls(of: server) { server.watch(for: .seconds(10)) }
        print("10,000 idle for 10 s: system calls \(idle)")
        #expect(Set(idle.keys).isSubset(of: Self.waits))
        // Attaching may interrupt a wait, which is then begun again.
        #expect(idle.values.reduce(0, +) <= 4)
        // The same counting does see the calls that an answer takes.
        let busy = try calls(of: server) { try server.expectEcho(at: address) }
        #expect(!Self.waits.isDisjoint(with: busy.keys))
        #expect(!Set(busy.keys).isSubset(of: Self.waits))
        crowd.expect("nobody was sent away", of: crowd.peers[...]) { $0.ending == nil }
    }

    @Test func `10,000 connections that come and go leave nothing behind`() throws {
        let (server, address) = try CommandProcess.serving("echo")
        let small = server.residentByteCount
        try server.expectNothingLeft {
            let crowd = try Crowd.echoing(10_000, to: address)
            print("10,000 idle: \((server.residentByteCount - small) / 10_000) bytes for each")
            crowd.leave()
        }
    }

    private static let waits: Set = ["epoll_wait", "epoll_pwait", "epoll_pwait2"]

    @Test func `10,000 idle connections cost no processor time`() throws {
        let (server, address) = try CommandProcess.serving("echo")
        let crowd = try Crowd.echoing(10_000, to: address)
        let before = server.processorTime
        server.watch(for: .seconds(2))
        let spent = server.processorTime - before
        print("10,000 idle for 2 s: \(spent.milliseconds) of CPU")
        #expect(spent < .milliseconds(2))
        withExtendedLifetime(crowd) {}
    }

    /// The system calls that the server makes while `body` runs; cancels the test where they can't
    /// be seen.
    private func calls(
        of server: CommandProcess, while body: () throws -> Void
    ) throws -> [String: Int] {
        let counter = try CommandProcess("strace", ["-c", "-f", "-p", "\(server.pid)"])
        do {
            _ = try counter.line(with: "attached")
        } catch CommandProcess.Failure.silent(_, let errors) {
            try Test.cancel("strace can't attach here: \(errors)")
        }
        try body()
        counter.send(SIGINT)
        try counter.ended()
        return calls(in: counter.errors.text)
    }

    /// The names and numbers of the calls in the table that `strace -c` prints.
    private func calls(in table: String) -> [String: Int] {
        var calls: [String: Int] = [:]
        for line in table.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count >= 5, words[0].allSatisfy({ $0.isNumber || $0 == "." }),
                let count = Int(words[3]), let name = words.last, name != "total"
            else { continue }
            calls[String(name)] = count
        }
        return calls
    }
}
