// SPDX-License-Identifier: Apache-2.0
//
// Nothing is forgotten where a turn, a message or an option ends oddly: what was written still
// leaves, what was read still arrives, and what can't work is refused at once.

import Glibc
import Sluice
import TestSupport
import Testing

@Suite(.countingDescriptors)
struct EndingTurns {
    let reactor: Reactor

    init() throws { reactor = try Reactor() }

    @Test func `what onDrained writes at the end of a turn leaves without another event`() throws {
        let first = try Socket.makePair()
        let second = try Socket.makePair()
        let other = try Channel(adopting: first.first, on: reactor)
        let channel = try Channel(adopting: second.first, on: reactor)
        channel.onBytes { _, _ in }
        channel.onDrained { try $0.write(Array("x".utf8)) }
        let received = Box(0)
        let isLast = Box(false)
        let peer = try Channel(adopting: second.second, on: reactor)
        peer.onBytes { _, bytes in
            received.value += bytes.byteCount
            isLast.value = bytes.withUnsafeBytes { $0.last == UInt8(ascii: "x") }
        }
        reactor.after(.zero) {
            try other.write([1])
            try channel.write([UInt8](repeating: 0, count: 100_000))
        }
        reactor.expect("the last byte comes") { received.value == 100_001 && isLast.value }
        for channel in [other, channel, peer] { channel.abort() }
        withExtendedLifetime(first.second) {}
    }

    @Test func `bytes that a parser left arrive at onBytes also after the end of the input`() throws
    {
        let pair = try Socket.makePair()
        let channel = try Channel(adopting: pair.first, on: reactor)
        try pair.second.sendAll("ab")
        try pair.second.shutDown(.writing)
        let text = Box("")
        channel.onReadable { channel in
            guard try channel.parse({ _ in 0 }) == .endOfStream else { return }
            channel.onBytes { _, bytes in
                text.value += bytes.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
            }
        }
        reactor.expect("the channel ends") { channel.status == .closed }
        #expect(text.value == "ab")
    }

    @Test func `a channel of a regular file is refused`() throws {
        let file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC)
        #expect(throws: SocketError(.adopt, .notSocket)) {
            try Channel(adopting: Socket(adopting: Descriptor(adopting: file)), on: reactor)
        }
    }

    @Test func `a blocking socket does not block the reactor`() throws {
        let pair = try Socket.makePair()
        let number = pair.first.number
        #expect(fcntl(number, F_SETFL, fcntl(number, F_GETFL, 0) & ~O_NONBLOCK) == 0)
        let channel = try Channel(adopting: pair.first, on: reactor)
        #expect(try channel.write([UInt8](repeating: 0, count: 4_000_000)) == .aboveMark)
        channel.abort()
        withExtendedLifetime(pair.second) {}
    }

    @Test(arguments: [Int.min, -1, 0])
    func `limits without sense leave a channel that works`(limit: Int) throws {
        let pair = try Socket.makePair()
        var options = ChannelOptions()
        options.bytesPerTurn = limit
        options.lowWaterMark = limit
        options.highWaterMark = limit
        let peer = try Channel(adopting: pair.second, on: reactor)
        peer.onBytes { _, _ in }
        let channel = try Channel(adopting: pair.first, on: reactor, options: options)
        let count = Box(0)
        let isDrained = Box(false)
        channel.onBytes { _, bytes in count.value += bytes.byteCount }
        channel.onDrained { _ in isDrained.value = true }
        try peer.write(Array("hello".utf8))
        #expect(try channel.write([UInt8](repeating: 0, count: 4_000_000)) == .aboveMark)
        reactor.expect("all is sent and read") { isDrained.value && count.value == 5 }
        channel.abort()
        peer.abort()
    }

    @Test func `the limit on output counts what the turn has collected`() throws {
        let pair = try Socket.makePair()
        var options = ChannelOptions()
        options.outputLimit = 1_000
        let channel = try Channel(adopting: pair.first, on: reactor, options: options)
        let block = [UInt8](repeating: 0, count: 900)
        try channel.write(block)
        #expect(throws: SocketError(.write, .noBufferSpace, at: .unnamed)) {
            try channel.write(block)
        }
        channel.abort()
        withExtendedLifetime(pair.second) {}
    }
}
