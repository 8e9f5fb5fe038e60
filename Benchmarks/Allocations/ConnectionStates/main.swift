// SPDX-License-Identifier: Apache-2.0
//
// What an accepted channel keeps in memory in each state, as a table: bytes of the heap, exactly,
// and not of the resident set, which comes in pages.

import CAllocations
import Sluice

/// The other end of a channel.
final class Client {
    let socket: Socket

    init(of server: Server) throws(SocketError) {
        let address = server.addresses[0]
        socket = try Socket(for: address)
        _ = try socket.connect(to: address)
    }
}

/// The channels of a server, and what each of them keeps.
final class Crowd {
    static let count = 2_000

    let reactor: Reactor
    private(set) var channels: [Channel] = []
    private var clients: [Client] = []
    private var server: Server?
    private var fault: (any Error)?

    /// Accepts them with `options`, and does to each what `prepare` does.
    init(
        _ options: ChannelOptions, _ prepare: @escaping (Channel) throws -> Void
    ) throws {
        reactor = try Reactor()
        channels.reserveCapacity(Self.count + 1)
        clients.reserveCapacity(Self.count + 1)
        var serving = ServerOptions()
        serving.channel = options
        server = try Server(
            on: reactor, at: [.loopback(port: 0)], options: serving
        ) { [unowned self] channel, _ in
            channels.append(channel)
            do { try prepare(channel) } catch { fault = error }
        }
        // What a reactor makes once is made for the first one.
        try accept(upTo: 1)
    }

    /// Accepts the others.
    func fill() throws { try accept(upTo: Self.count + 1) }

    private func accept(upTo count: Int) throws {
        guard let server else { return }
        while clients.count < count {
            clients.append(try Client(of: server))
            reactor.run { channels.count == clients.count || fault != nil }
            if let fault { throw fault }
        }
        settle()
    }

    /// Has each client send to its channel.
    func send(_ bytes: [UInt8]) throws {
        for client in clients { _ = try client.socket.send(bytes.span.bytes) }
        settle()
    }

    private func settle() {
        for _ in 1...4 { reactor.runPending() }
    }

    /// How many bytes of the channels' content are kept.
    func contentByteCount(_ content: (Channel) -> Int) -> Int {
        channels.dropFirst().reduce(0) { $0 + content($1) }
    }

    func end() {
        for channel in channels { channel.abort() }
        server = nil
        settle()
    }
}

/// Prints a row of the table.
///
/// - Parameters:
///   - sent: what each client sends.
///   - content: how many of a channel's bytes are its content, and do not count.
func report(
    _ name: String, _ options: ChannelOptions = .init(), sent: [UInt8] = [],
    content: (Channel) -> Int = { _ in 0 }, _ prepare: @escaping (Channel) throws -> Void
) throws {
    let crowd = try Crowd(options, prepare)
    if !sent.isEmpty { try crowd.send(sent) }
    let before = heap_bytes_in_use()
    try crowd.fill()
    if !sent.isEmpty { try crowd.send(sent) }
    let growth = Int(heap_bytes_in_use()) - Int(before)
    let bytes = (growth - crowd.contentByteCount(content)) / Crowd.count
    crowd.end()
    print("| \(name) | \(bytes) |")
}

func echo(_ channel: Channel) {
    channel.onBytes { channel, bytes in try channel.write(bytes) }
}

/// Fills the kernel's buffers, so that what follows waits.
func clog(_ channel: Channel) throws {
    // As small as they can be.
    try channel.set(.sendBufferByteCount, to: 1)
    let piece = [UInt8](repeating: 97, count: 1_024)
    while channel.unsentByteCount == 0 {
        try channel.write(piece)
        try channel.flush()
    }
}

print("| a channel | bytes |")
print("| --- | --: |")
try report("without a handler") { _ in }
try report("with `onBytes`") { echo($0) }
try report("with `onLine`, before the first line") { $0.onLine { _, _ in } }
try report("with `onLine`, after a line", sent: [97, 10]) { $0.onLine { _, _ in } }
try report("with `onBytes` and `onClose`") { channel in
    echo(channel)
    channel.onClose { _, _ in }
}

var idle = ChannelOptions()
idle.idleTimeout = .seconds(600)
try report("with `onBytes` and an idle timeout", idle) { echo($0) }

var timed = idle
timed.firstByteTimeout = .seconds(600)
timed.messageTimeout = .seconds(600)
timed.writeProgressTimeout = .seconds(600)
timed.lifetime = .seconds(6_000)
try report("with `onBytes` and every time limit", timed) { echo($0) }

var rated = ChannelOptions()
rated.receiveRate = ByteRate(bytesPerSecond: 1_000_000)
rated.sendRate = ByteRate(bytesPerSecond: 1_000_000)
try report("with `onBytes` and both rates", rated) { echo($0) }

var group: ChannelGroup?
try report("with `onBytes`, in a group") { channel in
    echo(channel)
    if group == nil { group = ChannelGroup(on: try channel.reactor) }
    group?.insert(channel)
}
group = nil

try report(
    "with 100 unconsumed bytes, besides those", sent: [UInt8](repeating: 97, count: 100),
    content: \.unreadByteCount
) { channel in
    channel.onReadable { channel in try channel.parse { _ in 0 } }
}
try report("with up to 1,024 unsent bytes, besides those", content: \.unsentByteCount) { channel in
    echo(channel)
    try clog(channel)
}
try report("closed, with unsent bytes, besides those", content: \.unsentByteCount) { channel in
    echo(channel)
    try clog(channel)
    channel.close()
}

// What a broadcast adds for each receiver that does not read: the message itself is there once.
do {
    let crowd = try Crowd(.init(), clog)
    try crowd.fill()
    let message = [UInt8](repeating: 98, count: 1_048_576)
    let before = heap_bytes_in_use()
    var isDone = false
    crowd.reactor.broadcast(message, to: .queue) { _ in isDone = true }
    crowd.reactor.run { isDone }
    let growth = Int(heap_bytes_in_use()) - Int(before)
    crowd.end()
    print(
        "| a message of 1 MiB to all, for each that does not read | \(growth / crowd.channels.count) |"
    )
}
