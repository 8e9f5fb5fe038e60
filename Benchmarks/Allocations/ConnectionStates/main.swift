// SPDX-License-Identifier: Apache-2.0
//
// What a channel keeps in memory in each state, as a table: bytes of the heap, exactly, and not of
// the resident set, which comes in pages.

import CAllocations
import Sluice

/// The other end of a channel, made before anything is counted.
final class Peer {
    var end: Socket?
    let socket: Socket

    init() throws(SocketError) {
        var pair = try Socket.makePair()
        end = pair.first
        socket = pair.second
    }
}

/// Channels of one kind, and what they keep.
struct Crowd {
    static let count = 2_000

    let reactor: Reactor
    let peers: [Peer]
    var channels: [Channel] = []

    init() throws {
        reactor = try Reactor()
        peers = try (0..<Self.count).map { _ in try Peer() }
        channels.reserveCapacity(Self.count)
    }

    /// Bytes a channel that came with `options` and what `prepare` does to each.
    ///
    /// - Parameter uncounted: how many of the bytes of each are its content.
    mutating func bytes(
        _ options: ChannelOptions = .init(), uncounted: (Channel) -> Int = { _ in 0 },
        _ prepare: (Channel, Peer) throws -> Void
    ) throws -> Int {
        // What a reactor makes once is made by the first channel.
        let first = try Peer()
        if let end = first.end.take() {
            let channel = try Channel(adopting: end, on: reactor, options: options)
            try prepare(channel, first)
            for _ in 1...4 { reactor.runPending() }
            channel.abort()
        }
        let before = heap_bytes_in_use()
        for peer in peers {
            guard let end = peer.end.take() else { continue }
            let channel = try Channel(adopting: end, on: reactor, options: options)
            try prepare(channel, peer)
            channels.append(channel)
        }
        for _ in 1...4 { reactor.runPending() }
        let after = heap_bytes_in_use()
        let content = channels.reduce(0) { $0 + uncounted($1) }
        for channel in channels { channel.abort() }
        return (Int(after) - Int(before) - content) / Self.count
    }
}

/// Prints a row of the table.
func report(
    _ name: String, _ options: ChannelOptions = .init(),
    uncounted: (Channel) -> Int = { _ in 0 }, _ prepare: (Channel, Peer) throws -> Void
) throws {
    var crowd = try Crowd()
    print("| \(name) | \(try crowd.bytes(options, uncounted: uncounted, prepare)) |")
}

func echo(_ channel: Channel) {
    channel.onBytes { channel, bytes in try channel.write(bytes) }
}

print("| a channel | bytes |")
print("| --- | --: |")
try report("without a handler") { _, _ in }
try report("with `onBytes`") { channel, _ in echo(channel) }
try report("with `onLine`, before the first line") { channel, _ in channel.onLine { _, _ in } }
try report("with `onLine`, after a line") { channel, peer in
    channel.onLine { _, _ in }
    _ = try peer.socket.send([97, 10].span.bytes)
}
try report("with `onBytes` and `onClose`") { channel, _ in
    echo(channel)
    channel.onClose { _, _ in }
}

var idle = ChannelOptions()
idle.idleTimeout = .seconds(600)
try report("with `onBytes` and an idle timeout", idle) { channel, _ in echo(channel) }

var timed = idle
timed.firstByteTimeout = .seconds(600)
timed.messageTimeout = .seconds(600)
timed.writeProgressTimeout = .seconds(600)
timed.lifetime = .seconds(6_000)
try report("with `onBytes` and every time limit", timed) { channel, _ in echo(channel) }

var rated = ChannelOptions()
rated.receiveRate = ByteRate(bytesPerSecond: 1_000_000)
rated.sendRate = ByteRate(bytesPerSecond: 1_000_000)
try report("with `onBytes` and both rates", rated) { channel, _ in echo(channel) }

do {
    var crowd = try Crowd()
    let group = ChannelGroup(on: crowd.reactor)
    let bytes = try crowd.bytes { channel, _ in
        echo(channel)
        group.insert(channel)
    }
    print("| with `onBytes`, in a group | \(bytes) |")
}

try report(
    "with 100 unconsumed bytes, besides those", uncounted: \.unreadByteCount
) { channel, peer in
    channel.onReadable { channel in try channel.parse { _ in 0 } }
    _ = try peer.socket.send([UInt8](repeating: 97, count: 100).span.bytes)
}

/// Fills the kernel's buffer, so that what follows waits.
func fill(_ channel: Channel) throws {
    let block = [UInt8](repeating: 97, count: 65_536)
    while channel.unsentByteCount == 0 {
        try channel.write(block)
        try channel.flush()
    }
}

try report(
    "with unsent bytes, besides those", uncounted: \.unsentByteCount
) { channel, _ in
    echo(channel)
    try fill(channel)
}
try report(
    "closed, with unsent bytes, besides those", uncounted: \.unsentByteCount
) { channel, _ in
    echo(channel)
    try fill(channel)
    channel.close()
}

// What a broadcast adds for each receiver that does not read: the message itself is there once.
do {
    let crowd = try Crowd()
    let channels = try crowd.peers.compactMap { peer in
        try peer.end.take().map { try Channel(adopting: $0, on: crowd.reactor) }
    }
    for channel in channels { try fill(channel) }
    for _ in 1...4 { crowd.reactor.runPending() }
    let message = [UInt8](repeating: 98, count: 1_048_576)
    let before = heap_bytes_in_use()
    var isDone = false
    crowd.reactor.broadcast(message, to: .queue) { _ in isDone = true }
    crowd.reactor.run(until: { isDone })
    let bytes = (Int(heap_bytes_in_use()) - Int(before)) / Crowd.count
    print("| a message of 1 MiB to all, for each receiver that does not read | \(bytes) |")
    for channel in channels { channel.abort() }
}
