// SPDX-License-Identifier: Apache-2.0
//
// Clients that ask for much and read nothing: what the server holds for them is bounded.

import Glibc
import Sluice
import TestSupport
import Testing

@Suite(.countingDescriptors, .serialized)
struct NeverReading {
    private static let total = 100 * 1_048_576

    @Test func `a generator with clients that never read stays as small as it was`() throws {
        let (server, address) = try CommandProcess.serving("chargen")
        let descriptors = server.descriptorCount
        try readMuch(at: address)
        server.expect("the reader is let go") { server.descriptorCount == descriptors }
        let memory = server.residentByteCount
        let idlers = Crowd()
        try idlers.open(100, to: address)
        try readMuch(at: address)
        server.expect("the second reader is let go") {
            server.descriptorCount == descriptors + 100
        }
        // The block that all of them wait for is one, so 100 clients cost little more than their
        // channels.
        let growth = server.residentByteCount - memory
        print("100 clients that never read, 100 MB to another: \(growth / 1_024) KiB more")
        #expect(growth < 1_048_576 || !CommandProcess.hasTrueMemory)
        idlers.leave()
        server.expect("their channels end") { server.descriptorCount == descriptors }
        let left = server.residentByteCount - memory
        #expect(left < 1_048_576 || !CommandProcess.hasTrueMemory)
    }

    /// Takes 100 MB from the generator with one connection.
    private func readMuch(at address: SocketAddress) throws {
        let reader = Crowd()
        try reader.open(1, to: address)
        let deadline = ContinuousClock.now + .seconds(30)
        while reader.peers[0].receivedByteCount < Self.total {
            try #require(ContinuousClock.now < deadline && reader.peers[0].ending == nil)
            reader.take(keeping: false, within: .seconds(1))
        }
    }

    @Test func `a generator that waits for its clients uses no processor time`() throws {
        let (server, address) = try CommandProcess.serving("chargen")
        let idlers = Crowd()
        try idlers.open(100, to: address)
        var before = server.processorTime
        server.expect("it has filled what the kernel holds") {
            defer { before = server.processorTime }
            server.watch(for: .milliseconds(50))
            return server.processorTime == before
        }
        before = server.processorTime
        server.watch(for: .seconds(1))
        #expect(server.processorTime - before < .milliseconds(10))
        withExtendedLifetime(idlers) {}
    }

    @Test func `a writer that heeds the mark holds no more than the mark and a block`() throws {
        let reactor = try Reactor()
        let block = [UInt8](repeating: 0x62, count: 65_536)
        let highest = Box(0)
        let written = Box(0)
        let server = try Server(on: reactor, at: [.loopback(port: 0)]) { channel, _ in
            let fill = { (channel: Channel) throws(SocketError) in
                while written.value < Self.total {
                    written.value += block.count
                    let answer = try channel.write(block.span.bytes)
                    highest.value = max(highest.value, channel.unsentByteCount)
                    if answer == .aboveMark { return }
                }
                channel.close()
            }
            channel.onDrained(fill)
            try fill(channel)
        }
        let crowd = Crowd()
        try crowd.open(1, to: server.addresses[0])
        reactor.settle()
        let stuckAt = written.value
        reactor.settle()
        #expect(written.value == stuckAt && stuckAt > 0 && stuckAt < Self.total)
        let mark = ChannelOptions().highWaterMark
        #expect(highest.value > mark && highest.value <= mark + block.count)
        // It wanted to send all of it: once the client reads, all comes.
        let deadline = ContinuousClock.now + .seconds(30)
        while crowd.peers[0].ending == nil && ContinuousClock.now < deadline {
            crowd.take(keeping: false)
            reactor.runPending()
        }
        #expect(crowd.peers[0].ending == .finished)
        #expect(crowd.peers[0].receivedByteCount == Self.total)
        #expect(highest.value <= mark + block.count)
        server.close()
    }

    @Test func `an echo does not read on for clients that never read`() throws {
        let (server, address) = try CommandProcess.serving("echo")
        let piece = [UInt8](repeating: 0x63, count: 65_536)
        try server.expectNothingLeft {
            let crowd = Crowd()
            try crowd.open(20, to: address)
            let before = server.residentByteCount
            var sent = 0
            var idle = 0
            while idle < 20 && sent < 20 * Self.total {
                let more = crowd.peers.reduce(0) { $0 + $1.send(piece) }
                sent += more
                idle = more == 0 ? idle + 1 : 0
                if more == 0 { server.watch(for: .milliseconds(5)) }
            }
            // What the kernel holds is much more; the server holds its mark and a read for each at
            // most.
            #expect(sent > 20 * 1_048_576 && sent < 20 * Self.total)
            #expect(server.residentByteCount - before < 20 * 2 * 131_072)
            try server.expectEcho(at: address)
        }
    }
}
