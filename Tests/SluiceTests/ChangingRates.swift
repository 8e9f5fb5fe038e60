// SPDX-License-Identifier: Apache-2.0
//
// Rates that several channels share, that change while bytes wait, that are taken away, and that
// go along with a channel to another reactor.

import Glibc
import TestSupport
import Testing

@testable import Sluice

private let rate = ByteRate(bytesPerSecond: 1_000_000, burst: 20_000)
/// Nothing but its burst goes within a test.
private let standstill = ByteRate(bytesPerSecond: 1, burst: 10)

private func bytes(_ count: Int) -> [UInt8] { [UInt8](repeating: 0x62, count: count) }

/// Reads so many bytes, answers and reads to the end, on a thread of its own.
private func answering(_ ends: ConnectionEnds, after count: Int) throws -> OtherThread {
    guard let socket = ends.peer.take() else { throw Mishap() }
    let number = socket.release().release()
    return OtherThread {
        let descriptor = Descriptor(adopting: number)
        var storage = [UInt8](repeating: 0, count: 10_000)
        var left = count
        while true {
            var question = pollfd(fd: descriptor.number, events: Int16(POLLIN), revents: 0)
            if poll(&question, 1, 20_000) != 1 { break }
            let more = read(descriptor.number, &storage, storage.count)
            if more <= 0 { break }
            let wasDone = left <= 0
            left -= more
            if left <= 0, !wasDone { _ = write(descriptor.number, "ok", 2) }
        }
    }
}

@Suite(.countingDescriptors)
struct ChangingRates {
    let reactor: Reactor

    init() throws { reactor = try Reactor() }

    // MARK: Together

    /// Three channels without rates of their own.
    private func makeThree() throws -> [ConnectionEnds] {
        try (0..<3).map { _ in try ConnectionEnds(on: reactor, options: .binary) }
    }

    @Test func `three channels read no more together than they may, and each its part`() throws {
        let watch = RateWatch(rate)
        let limiter = RateLimiter(rate, on: reactor)
        let three = try makeThree()
        let counts = Box([0, 0, 0])
        for (index, ends) in three.enumerated() {
            ends.channel.receiveLimiter = limiter
            ends.channel.onBytes { _, bytes in counts.value[index] += bytes.byteCount }
        }
        let limit = ContinuousClock.now + .seconds(20)
        var total = 0
        while total < 300_000, ContinuousClock.now < limit {
            // As much as the kernel takes, so that each always has something to read.
            for ends in three { _ = try ends.peer?.send(bytes(65_536)) }
            reactor.runPending()
            total = counts.value.reduce(0, +)
            watch.expect(total)
        }
        #expect(counts.value.allSatisfy { (70_000...130_000).contains($0) }, "\(counts.value)")
    }

    @Test func `three channels send no more together than they may, and each its part`() throws {
        let watch = RateWatch(rate)
        let limiter = RateLimiter(rate, on: reactor)
        let three = try makeThree()
        var counts = [0, 0, 0]
        for ends in three {
            ends.channel.sendLimiter = limiter
            try ends.channel.write(bytes(250_000))
        }
        let limit = ContinuousClock.now + .seconds(20)
        while counts.reduce(0, +) < 300_000, ContinuousClock.now < limit {
            reactor.runPending()
            for (index, ends) in three.enumerated() {
                counts[index] += try ends.peer?.receiveNow()?.count ?? 0
            }
            watch.expect(counts.reduce(0, +))
        }
        #expect(counts.allSatisfy { (70_000...130_000).contains($0) }, "\(counts)")
    }

    @Test func `those who are left have what one that has closed had`() throws {
        let limiter = RateLimiter(rate, on: reactor)
        let three = try makeThree()
        for ends in three {
            ends.channel.sendLimiter = limiter
            try ends.channel.write(bytes(60_000))
        }
        reactor.runPending()
        three[0].channel.abort()
        for ends in three[1...] { #expect(try ends.receive(60_000).count == 60_000) }
        #expect(three[0].endReasons == [.local])
    }

    @Test func `one limiter may hold for both directions`() throws {
        let watch = RateWatch(rate)
        let limiter = RateLimiter(rate, on: reactor)
        let ends = try ConnectionEnds(on: reactor, options: .binary)
        ends.channel.receiveLimiter = limiter
        ends.channel.sendLimiter = limiter
        ends.channel.onBytes { channel, bytes in try channel.write(bytes) }
        var (sent, received) = (0, 0)
        let limit = ContinuousClock.now + .seconds(20)
        while received < 100_000, ContinuousClock.now < limit {
            if sent < 100_000, case .bytes(let count)? = try ends.peer?.send(bytes(5_000)) {
                sent += count
            }
            reactor.runPending()
            received += try ends.peer?.receiveNow()?.count ?? 0
            watch.expect(received + Int(ends.channel.counters.bytesReceived))
        }
        #expect(received >= 100_000)
    }

    @Test(arguments: [false, true])
    func `of a channel's own rate and a shared one the stricter holds`(isOwn: Bool) throws {
        let loose = ByteRate(bytesPerSecond: 50_000_000, burst: 5_000_000)
        let paced = try PacedEnds(rate, on: reactor, isLimited: false)
        paced.channel.options.sendRate = isOwn ? rate : loose
        let limiter = RateLimiter(isOwn ? loose : rate, on: reactor)
        paced.channel.sendLimiter = limiter
        #expect(paced.channel.sendLimiter === limiter)
        #expect(paced.channel.receiveLimiter == nil)
        try paced.channel.write(bytes(100_000))
        try paced.run("all has come") { paced.received.count == 100_000 }
    }

    @Test func `a blocking channel goes before those that can't go on meanwhile`() throws {
        let limiter = RateLimiter(rate, on: reactor)
        let other = try ConnectionEnds(on: reactor, options: .binary)
        other.channel.sendLimiter = limiter
        try other.channel.write(bytes(200_000))
        reactor.settle()
        let ends = try ConnectionEnds(on: reactor, options: .binary)
        ends.channel.sendLimiter = limiter
        ends.channel.options.isBlocking = true
        try ends.channel.write(bytes(30_000))
        #expect(ends.channel.unsentByteCount == 0)
        #expect(other.channel.unsentByteCount > 0)
    }

    @Test func `who waits for an answer sends what it may meanwhile`() throws {
        var options = ChannelOptions.binary
        options.sendRate = rate
        let ends = try ConnectionEnds(on: reactor, options: options)
        try ends.channel.write(bytes(60_000))
        reactor.runPending()
        #expect(ends.channel.unsentByteCount > 0)
        ends.channel.options.isBlocking = true
        let thread = try answering(ends, after: 60_000)
        var found = ""
        try ends.channel.read { found = $0.text }
        #expect(found == "ok")
        ends.channel.close()
        thread.join()
    }

    // MARK: Changes

    /// Options with which only a burst goes, in either direction.
    private static var standstillOptions: ChannelOptions {
        var options = ChannelOptions.binary
        options.sendRate = standstill
        options.receiveRate = standstill
        return options
    }

    /// Gives the channel 50,000 bytes to send and 28 to read, which is more than may go.
    ///
    /// - Returns: how many bytes it has read, also later.
    private func stall(_ ends: ConnectionEnds) throws -> Box<Int> {
        let count = Box(0)
        ends.channel.onBytes { _, bytes in count.value += bytes.byteCount }
        try ends.channel.write(bytes(50_000))
        try ends.peer?.sendAll("a little more than the burst")
        reactor.settle()
        #expect(ends.channel.unsentByteCount > 49_000)
        return count
    }

    @Test func `a limiter's new rate holds for bytes that wait`() throws {
        let limiter = RateLimiter(standstill, on: reactor)
        let ends = try ConnectionEnds(on: reactor, options: .binary)
        ends.channel.sendLimiter = limiter
        ends.channel.receiveLimiter = limiter
        let count = try stall(ends)
        limiter.rate = ByteRate(bytesPerSecond: 10_000_000)
        #expect(limiter.rate == ByteRate(bytesPerSecond: 10_000_000))
        #expect(try ends.receive(50_000).count == 50_000)
        reactor.expect("all is read") { count.value == 28 }
    }

    @Test func `a channel's new rate holds for bytes that wait`() throws {
        var options = Self.standstillOptions
        let ends = try ConnectionEnds(on: reactor, options: options)
        let count = try stall(ends)
        options.sendRate = ByteRate(bytesPerSecond: 10_000_000)
        options.receiveRate = ByteRate(bytesPerSecond: 10_000_000)
        ends.channel.options = options
        #expect(try ends.receive(50_000).count == 50_000)
        reactor.expect("all is read") { count.value == 28 }
    }

    @Test func `a rate that is taken away lets all go at once`() throws {
        let ends = try ConnectionEnds(on: reactor, options: Self.standstillOptions)
        let count = try stall(ends)
        ends.channel.options.sendRate = nil
        ends.channel.options.receiveRate = nil
        #expect(ends.channel.rare?.rates == nil)
        #expect(!ends.channel.flags.contains(.isSendRated))
        reactor.settle()
        #expect(ends.channel.unsentByteCount == 0)
        #expect(count.value == 28)
        #expect(try ends.receive(50_000).count == 50_000)
    }

    @Test func `a limiter that is taken away lets all go at once`() throws {
        let limiter = RateLimiter(standstill, on: reactor)
        let ends = try ConnectionEnds(on: reactor, options: .binary)
        ends.channel.sendLimiter = limiter
        try ends.channel.write(bytes(50_000))
        reactor.settle()
        #expect(ends.channel.unsentByteCount > 49_000)
        ends.channel.sendLimiter = nil
        reactor.settle()
        #expect(ends.channel.unsentByteCount == 0)
    }

    @Test func `other options leave the rates as they are`() throws {
        var options = ChannelOptions.binary
        options.sendRate = standstill
        let ends = try ConnectionEnds(on: reactor, options: options)
        try ends.channel.write(bytes(10))
        reactor.settle()
        #expect(ends.channel.unsentByteCount == 0)
        ends.channel.options.highWaterMark = 5
        try ends.channel.write(bytes(100))
        reactor.settle()
        #expect(ends.channel.unsentByteCount > 90)
    }

    @Test func `a rate that comes in mid turn holds from the next byte on`() throws {
        let ends = try ConnectionEnds(on: reactor, options: .binary)
        try ends.channel.write(bytes(1_000))
        ends.channel.options.sendRate = standstill
        try ends.channel.write(bytes(100))
        reactor.settle()
        #expect((80...90).contains(ends.channel.unsentByteCount))
        #expect(try ends.receive(1_010).count >= 1_010)
    }

    @Test func `a closed channel takes no limiter`() throws {
        let ends = try ConnectionEnds(on: reactor, options: .binary)
        ends.channel.abort()
        ends.channel.receiveLimiter = RateLimiter(rate, on: reactor)
        #expect(ends.channel.receiveLimiter == nil)
    }

    // MARK: Elsewhere

    @Test func `a channel that moves takes along how much it may send`() throws {
        let other = try Reactor()
        var options = ChannelOptions.binary
        options.sendRate = ByteRate(bytesPerSecond: 10, burst: 10_000)
        let ends = try ConnectionEnds(on: reactor, options: options)
        try ends.channel.write(bytes(9_000))
        reactor.settle()
        #expect(ends.channel.unsentByteCount == 0)
        let moved = try Channel(attaching: ends.channel.detach(), on: other)
        try moved.write(bytes(9_000))
        other.settle()
        #expect((7_800...8_000).contains(moved.unsentByteCount))
        moved.abort()
    }

    @Test func `what waits for its rate goes on elsewhere`() throws {
        let other = try Reactor()
        let watch = RateWatch(rate)
        var options = ChannelOptions.binary
        options.sendRate = rate
        let ends = try ConnectionEnds(on: reactor, options: options)
        let limiter = RateLimiter(standstill, on: reactor)
        ends.channel.receiveLimiter = limiter
        try ends.channel.write(bytes(80_000))
        reactor.runPending()
        let moved = try Channel(attaching: ends.channel.detach(), on: other)
        #expect(moved.receiveLimiter == nil)
        var count = 0
        let limit = ContinuousClock.now + .seconds(20)
        while count < 80_000, ContinuousClock.now < limit {
            other.runPending()
            count += try ends.peer?.receiveNow()?.count ?? 0
            watch.expect(count)
        }
        #expect(count == 80_000)
        moved.close()
    }

    @Test func `a limit outlives the peer, and the channel ends all the same`() throws {
        var options = ChannelOptions.binary
        options.sendRate = ByteRate(bytesPerSecond: 10_000, burst: 10)
        let ends = try ConnectionEnds(on: reactor, options: options)
        ends.channel.onBytes { _, _ in }
        try ends.channel.write(bytes(50_000))
        reactor.settle()
        try ends.resetByPeer()
        reactor.expect("it ends") { !ends.endReasons.isEmpty }
        #expect(ends.endReasons == [.reset])
    }

    @Test func `a reactor may end while bytes wait for their rate`() throws {
        let (channel, limiter) = try Self.makeWaiting()
        #expect(channel.status == .closed)
        limiter.rate = rate
        #expect(limiter.rate == rate)
    }

    /// A channel whose reactor has ended, and the limiter that it waited for.
    private static func makeWaiting() throws -> (Channel, RateLimiter) {
        let reactor = try Reactor()
        let limiter = RateLimiter(standstill, on: reactor)
        var options = ChannelOptions.binary
        options.receiveRate = standstill
        let ends = try ConnectionEnds(on: reactor, options: options)
        ends.channel.sendLimiter = limiter
        try ends.channel.write(bytes(1_000))
        reactor.settle()
        #expect(ends.channel.unsentByteCount > 0)
        return (ends.channel, limiter)
    }
}
