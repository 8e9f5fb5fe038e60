// SPDX-License-Identifier: Apache-2.0
//
// Calls that wait, each with a limit of its own: none, zero, a few milliseconds.
// A limit holds for the whole call, and a blocking socket waits no longer than any other.

import Glibc
import Sluice
import TestSupport
import Testing

/// Long enough on any machine.
private let ample = Duration.seconds(20)
/// Nothing that this is waited for happens.
private let short = Duration.milliseconds(5)

@Suite(.countingDescriptors)
struct WaitingForSockets {
    // MARK: Readiness

    // P25, N23
    @Test func `a socket is waited for until it is ready`() throws {
        let pair = try Socket.makePair()
        let atOnce = try pair.first.wait(until: .readable, within: .zero)
        let soon = try pair.first.wait(until: .readable, within: short)
        let writable = try pair.first.wait(until: .writable, within: .zero)
        let either = try pair.first.wait(until: .readableOrWritable, within: nil)
        #expect([atOnce, soon, writable, either] == [false, false, true, true])
        try pair.second.sendAll("x")
        let readable = try pair.first.wait(until: .readable, within: nil)
        #expect(readable)
    }

    // N23
    @Test func `a wait ends when another thread sends`() throws {
        let pair = try Socket.makePair()
        let thread = sending("x", over: try pair.second.duplicate())
        let isReadable = try pair.first.wait(until: .readable, within: ample)
        #expect(isReadable)
        thread.join()
    }

    @Test func `the end of the peer is waited for, too`() throws {
        let ends = try TCPEnds()
        let server = try ends.closingClient()
        let isReadable = try server.wait(until: .readable, within: ample)
        #expect(isReadable)
    }

    @Test func `a signal does not cut a wait short`() throws {
        let pair = try Socket.makePair()
        let answers = Answers(.failure(.interrupted), to: [.poll]) { $0 <= 5 }
        let (isReadable, time) = try answers.give {
            try measured { try pair.first.wait(until: .readable, within: short) }
        }
        #expect(!isReadable)
        #expect(answers.count > 5)
        #expect(time >= short)
    }

    @Test func `a wait that fails says so`() throws {
        let pair = try Socket.makePair()
        #expect(throws: SocketError(.watch, .noMemory)) {
            try SystemCall.failing(.poll, with: .noMemory) {
                _ = try pair.first.wait(until: .readable, within: short)
            }
        }
    }

    // MARK: Reading

    // P35, N23, N25
    @Test(arguments: [
        (Duration.zero, ErrorCode.wouldBlock), (.seconds(-1), .wouldBlock), (short, .timedOut),
    ])
    func `reading throws when its time is up`(limit: Duration, code: ErrorCode) throws {
        let ends = try DatagramEnds()
        let error = SocketError(.read, code)
        var storage: [UInt8] = [1, 2, 3]
        #expect(throws: error) { _ = try ends.receiver.receive(upTo: 3, within: limit) }
        #expect(throws: error) { _ = try ends.receiver.receive(into: &storage, within: limit) }
        #expect(throws: error) {
            _ = try ends.receiver.receiveMessage(into: &storage, within: limit)
        }
        #expect(storage == [1, 2, 3])
    }

    // N23
    @Test(arguments: [nil, Duration.zero, short, .seconds(Int64.max)])
    func `what is there is read whatever the limit is`(limit: Duration?) throws {
        let pair = try Socket.makePair()
        var storage = [UInt8](repeating: 0, count: 2)
        try pair.second.sendAll("abcdef")
        let bytes = try pair.first.receive(upTo: 2, within: limit)
        let count = try pair.first.receive(into: &storage, within: limit)
        #expect(bytes.text == "ab")
        #expect(count == 2)
        #expect(storage.text == "cd")
        let message = try pair.first.receiveMessage(into: &storage, within: limit)
        #expect(message == 2)
        #expect(storage.text == "ef")
        try pair.second.shutDown(.writing)
        let end = try pair.first.receive(upTo: 2, within: limit)
        let endCount = try pair.first.receive(into: &storage, within: limit)
        #expect(end == [])
        #expect(endCount == 0)
    }

    // P31, N23, N25
    @Test(arguments: [nil, ample, .seconds(Int64.max)])
    func `reading waits for what another thread sends`(limit: Duration?) throws {
        let pair = try Socket.makePair()
        var storage = [UInt8](repeating: 0, count: 1)
        let thread = sending("abc", over: try pair.second.duplicate())
        let first = try pair.first.receive(upTo: 1, within: limit)
        let second = try pair.first.receive(into: &storage, within: limit)
        let third = try pair.first.receiveMessage(into: &storage, within: limit)
        #expect(first.text == "a")
        #expect(second == 1)
        #expect(third == 1)
        #expect(storage.text == "c")
        thread.join()
    }

    // P5, N23
    @Test func `a failure ends a wait to read`() throws {
        let ends = try TCPEnds()
        try ends.client.resetOnClose()
        let server = try ends.closingClient()
        #expect(throws: SocketError(.read, .connectionReset)) {
            _ = try server.receive(upTo: 1, within: ample)
        }
    }

    // P35, N23
    @Test func `a blocking socket is not read for longer than the limit`() throws {
        let pair = try Socket.makePair()
        try pair.first.setBlocking(true)
        var storage: [UInt8] = [0]
        for limit in [Duration.zero, short] {
            let code: ErrorCode = limit == .zero ? .wouldBlock : .timedOut
            let error = SocketError(.read, code)
            #expect(throws: error) { _ = try pair.first.receive(upTo: 1, within: limit) }
            #expect(throws: error) { _ = try pair.first.receive(into: &storage, within: limit) }
            #expect(throws: error) {
                _ = try pair.first.receiveMessage(into: &storage, within: limit)
            }
        }
    }

    // MARK: Accepting

    // P20, N23
    @Test func `accepting throws when its time is up`() throws {
        let listener = try Socket.listening()
        #expect(throws: SocketError(.accept, .wouldBlock)) {
            _ = try listener.accept(within: .zero)
        }
        #expect(throws: SocketError(.accept, .timedOut)) {
            _ = try listener.accept(within: short)
        }
    }

    // P20, P39, N23
    @Test(arguments: [nil, Duration.zero, short])
    func `a client that waits is accepted whatever the limit is`(limit: Duration?) throws {
        let listener = try Socket.listening()
        let client = try Socket.connecting(to: listener.localAddress)
        let accepted = try listener.accept(within: limit)
        let own = try client.localAddress
        #expect(accepted.peer == own)
    }

    // P20, N23
    @Test func `a client of another thread is waited for`() throws {
        let listener = try Socket.listening()
        let address = try listener.localAddress
        let thread = OtherThread {
            do {
                try Socket(for: address).connect(to: address, within: ample)
            } catch {
                Issue.record(error)
            }
        }
        let accepted = try listener.accept(within: nil)
        #expect(accepted.peer.ipAddress == .loopback)
        thread.join()
    }

    // P35, N23
    @Test func `a blocking listener is not waited for longer than the limit`() throws {
        let listener = try Socket.listening()
        try listener.setBlocking(true)
        // Has the test fail, and not hang, where the kernel is let wait.
        try listener.set(.receiveTimeout, to: .seconds(3))
        for (limit, code) in [(Duration.zero, ErrorCode.wouldBlock), (short, .timedOut)] {
            let (_, time) = measured {
                #expect(throws: SocketError(.accept, code)) {
                    _ = try listener.accept(within: limit)
                }
            }
            #expect(time < .seconds(2))
        }
        let isBlocking = try listener.isBlocking
        #expect(isBlocking)
    }

    // P32, P34
    @Test func `a datagram is waited for, and comes with its sender`() throws {
        let heard = try Socket.datagrams()
        let sender = try Socket.datagrams()
        let nothing = try heard.receiveDatagram() == nil
        #expect(nothing)
        #expect(throws: SocketError(.read, .timedOut)) {
            _ = try heard.receiveDatagram(within: short)
        }
        let sent = try sender.send([1, 2, 3], to: try heard.localAddress)
        #expect(sent == .bytes(3))
        let (bytes, from) = try heard.receiveDatagram(upTo: 2, within: ample)
        #expect(bytes == [1, 2])
        let own = try sender.localAddress
        #expect(from == own)
    }
}

@Suite(.countingDescriptors)
struct WaitingForConnections {
    // P23, N23
    @Test func `connecting throws when its time is up, and names the address`() throws {
        let full = try FullListener()
        for (limit, code) in [(Duration.zero, ErrorCode.wouldBlock), (short, .timedOut)] {
            let socket = try Socket(for: full.address)
            #expect(throws: SocketError(.connect, code, at: full.address)) {
                try socket.connect(to: full.address, within: limit)
            }
        }
    }

    // P23, N23
    @Test(arguments: [nil, ample])
    func `connecting waits for the connection`(limit: Duration?) throws {
        let listener = try Socket.listening()
        let address = try listener.localAddress
        let socket = try Socket(for: address)
        try socket.connect(to: address, within: limit)
        let peer = try socket.peerAddress
        #expect(peer == address)
    }

    // P5, P23, N23
    @Test(arguments: [nil, ample])
    func `a connection that is refused is told as that`(limit: Duration?) throws {
        let address = try SocketAddress.unused()
        let socket = try Socket(for: address)
        #expect(throws: SocketError(.connect, .connectionRefused, at: address)) {
            try socket.connect(to: address, within: limit)
        }
    }

    // P2, P23
    @Test func `a Unix socket is connected at once, whatever the limit is`() throws {
        let name = SocketAddress.abstract(name: Array("sluice-\(getpid())-waiting".utf8))
        let listener = try Socket(for: name)
        try listener.bind(to: name)
        try listener.listen()
        let socket = try Socket(for: name)
        try socket.connect(to: name, within: .zero)
        let peer = try socket.peerAddress
        #expect(peer == name)
    }

    // P35, N23
    @Test func `a blocking socket does not connect for longer than the limit`() throws {
        let full = try FullListener()
        for (limit, code) in [(Duration.zero, ErrorCode.wouldBlock), (short, .timedOut)] {
            let socket = try Socket(for: full.address)
            try socket.setBlocking(true)
            // Has the test fail, and not hang, where the kernel is let wait.
            try socket.set(.sendTimeout, to: .seconds(3))
            let (_, time) = measured {
                #expect(throws: SocketError(.connect, code, at: full.address)) {
                    try socket.connect(to: full.address, within: limit)
                }
            }
            #expect(time < .seconds(2))
            let isBlocking = try socket.isBlocking
            #expect(isBlocking)
        }
    }

    // MARK: The kernel's bare answer

    // P24
    @Test func `a connection is in progress, then made, then there`() throws {
        let listener = try Socket.listening()
        let address = try listener.localAddress
        let socket = try Socket(for: address)
        let codes = (0..<4).map { _ in socket.connectCode(to: address) }
        #expect(codes == [.inProgress, .success, .isConnected, .isConnected])
    }

    // P24
    @Test func `a connection that is refused is in progress, then refused`() throws {
        let address = try SocketAddress.unused()
        let socket = try Socket(for: address)
        let codes = (0..<2).map { _ in socket.connectCode(to: address) }
        #expect(codes == [.inProgress, .connectionRefused])
    }

    // P24
    @Test func `a connection that is not decided is under way when it is asked for again`() throws {
        let full = try FullListener()
        let socket = try Socket(for: full.address)
        let codes = (0..<3).map { _ in socket.connectCode(to: full.address) }
        #expect(codes == [.inProgress, .alreadyInProgress, .alreadyInProgress])
    }

    // P24
    @Test func `where no connection can be begun the answer says why`() throws {
        let nobody = SocketAddress.abstract(name: Array("sluice-\(getpid())-nobody".utf8))
        let tooLong = SocketAddress.unix(path: String(repeating: "x", count: 108))
        let socket = try Socket(for: nobody)
        let codes = [
            socket.connectCode(to: nobody), socket.connectCode(to: tooLong),
            socket.connectCode(to: .unix(path: "")),
        ]
        #expect(codes == [.connectionRefused, .nameTooLong, .invalidArgument])
    }
}

/// A listener whose backlog is full: whoever connects next waits.
private struct FullListener: ~Copyable {
    let listener: Socket
    let client: Socket
    let address: SocketAddress

    init() throws {
        let listener = try Socket(for: .loopback(port: 0))
        try listener.bind(to: .loopback(port: 0))
        try listener.listen(backlog: 0)
        let address = try listener.localAddress
        let client = try Socket(for: address)
        try client.connect(to: address, within: ample)
        self.address = address
        self.listener = listener
        self.client = client
    }
}

/// Sends the characters of a text one by one from another thread.
private func sending(_ text: String, over socket: consuming Socket) -> OtherThread {
    let socket = socket
    return OtherThread {
        do {
            for letter in text { try socket.sendAll("\(letter)") }
        } catch {
            Issue.record(error)
        }
    }
}

private func measured<Result>(_ body: () throws -> Result) rethrows -> (Result, Duration) {
    let start = ContinuousClock.now
    let result = try body()
    return (result, ContinuousClock.now - start)
}

extension Socket {
    fileprivate func receive(into storage: inout [UInt8], within limit: Duration?) throws -> Int {
        var span = storage.mutableSpan
        var bytes = span.mutableBytes
        return try receive(into: &bytes, within: limit)
    }

    fileprivate func receiveMessage(
        into storage: inout [UInt8], within limit: Duration?
    ) throws -> Int {
        var span = storage.mutableSpan
        var bytes = span.mutableBytes
        return try receiveMessage(into: &bytes, within: limit).byteCount
    }
}
