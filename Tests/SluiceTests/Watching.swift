// SPDX-License-Identifier: Apache-2.0
//
// Descriptors that somebody else owns, watched by a reactor: what is reported, and when no more.
// Pipes and socket pairs stand for whatever a program brings along.

import Glibc
import Sluice
import TestSupport
import Testing

@Suite(.countingDescriptors)
struct Watching {
    // MARK: What is reported

    @Test func `a pipe with bytes in it is readable`() throws {
        let reactor = try Reactor()
        let pipe = try Pipe()
        let found = Box<[Interest]>([])
        let watch = try reactor.watch(pipe.reading, for: .readable) { found.value.append($0) }
        reactor.settle()
        #expect(found.value == [])
        pipe.write("x")
        reactor.runPending()
        #expect(found.value == [.readable])
        watch.end()
    }

    @Test func `a pipe that has room is writable`() throws {
        let reactor = try Reactor()
        let pipe = try Pipe()
        let found = Box<[Interest]>([])
        let watch = try reactor.watch(pipe.writing, for: .writable) { found.value.append($0) }
        reactor.runPending()
        #expect(found.value == [.writable])
        pipe.fill()
        reactor.settle()
        #expect(found.value == [.writable])
        watch.end()
    }

    @Test func `a socket is reported readable and writable in one call`() throws {
        let reactor = try Reactor()
        let pair = try Socket.makePair()
        try pair.second.sendAll("x")
        let found = Box<[Interest]>([])
        let watch = try reactor.watch(pair.first.number, for: [.readable, .writable]) {
            found.value.append($0)
        }
        reactor.runPending()
        #expect(found.value == [[.readable, .writable]])
        watch.end()
    }

    @Test func `only what is asked for is reported`() throws {
        let reactor = try Reactor()
        let pair = try Socket.makePair()
        try pair.second.sendAll("x")
        let found = Box<[Interest]>([])
        let watch = try reactor.watch(pair.first.number, for: .writable) { found.value.append($0) }
        reactor.runPending()
        #expect(found.value == [.writable])
        watch.end()
    }

    @Test func `a peer that ends its writing side is reported`() throws {
        let reactor = try Reactor()
        let pair = try Socket.makePair()
        let found = Box<[Interest]>([])
        let watch = try reactor.watch(pair.first.number, for: .peerClosed) {
            found.value.append($0)
        }
        try pair.second.sendAll("x")
        reactor.settle()
        #expect(found.value == [])
        try pair.second.shutDown(.writing)
        reactor.runPending()
        #expect(found.value == [.peerClosed])
        watch.end()
    }

    @Test func `a peer that is gone is reported as closed`() throws {
        let reactor = try Reactor()
        var pair = try Socket.makePair()
        let found = Box<[Interest]>([])
        let watch = try reactor.watch(pair.first.number, for: .peerClosed) {
            found.value.append($0)
        }
        try Socket.taken(from: &pair.second).close()
        reactor.runPending()
        #expect(found.value == [.peerClosed])
        watch.end()
    }

    @Test func `a connection that the peer has cut is reported as closed`() throws {
        let reactor = try Reactor()
        let ends = try TCPEnds()
        try ends.client.resetOnClose()
        let server = try ends.closingClient()
        let found = Box<[Interest]>([])
        let watch = try reactor.watch(server.number, for: .peerClosed) { found.value.append($0) }
        reactor.runPending()
        #expect(found.value == [.peerClosed])
        watch.end()
    }

    @Test func `a pipe whose other end is closed is readable`() throws {
        let reactor = try Reactor()
        var pipe = try Pipe()
        let found = Box<[Interest]>([])
        let watch = try reactor.watch(pipe.reading, for: .readable) { found.value.append($0) }
        pipe.closeWriting()
        reactor.runPending()
        #expect(found.value == [.readable])
        watch.end()
    }

    @Test func `a pipe that nobody reads any more is writable, to learn of it`() throws {
        let reactor = try Reactor()
        var pipe = try Pipe()
        pipe.fill()
        let found = Box<[Interest]>([])
        let watch = try reactor.watch(pipe.writing, for: .writable) { found.value.append($0) }
        reactor.settle()
        #expect(found.value == [])
        pipe.closeReading()
        reactor.runPending()
        #expect(found.value == [.writable])
        watch.end()
    }

    @Test func `the handler is called again for as long as the descriptor is ready`() throws {
        let reactor = try Reactor()
        let pipe = try Pipe()
        pipe.write("x")
        let calls = Box(0)
        let watch = try reactor.watch(pipe.reading, for: .readable) { _ in calls.value += 1 }
        for expected in 1...5 {
            reactor.runPending()
            #expect(calls.value == expected)
        }
        pipe.read()
        reactor.settle()
        #expect(calls.value == 5)
        watch.end()
    }

    @Test func `two registrations of one descriptor each get their own`() throws {
        let reactor = try Reactor()
        let pair = try Socket.makePair()
        let found = Box<[[Interest]]>([[], []])
        let first = try reactor.watch(pair.first.number, for: .readable) {
            found.value[0].append($0)
        }
        let second = try reactor.watch(pair.first.number, for: .writable) {
            found.value[1].append($0)
        }
        reactor.runPending()
        #expect(found.value == [[], [.writable]])
        second.end()
        try pair.second.sendAll("x")
        reactor.runPending()
        #expect(found.value == [[.readable], [.writable]])
        first.end()
    }

    @Test func `an interest prints its members by name`() {
        #expect("\(Interest([.readable, .peerClosed]))" == "readable, peerClosed")
        #expect("\(Interest.writable)" == "writable")
        #expect("\(Interest())" == "")
    }

    // MARK: Changes

    @Test func `a watch can be changed to another interest`() throws {
        let reactor = try Reactor()
        let pair = try Socket.makePair()
        try pair.second.sendAll("x")
        let found = Box<[Interest]>([])
        let watch = try reactor.watch(pair.first.number, for: .readable) { found.value.append($0) }
        for interest in [Interest.writable, .readable, [.readable, .writable]] {
            found.value = []
            try watch.change(to: interest)
            let current = watch.interest
            reactor.runPending()
            #expect(current == interest)
            #expect(found.value == [interest])
        }
        watch.end()
    }

    @Test func `a watch for nothing pauses and goes on`() throws {
        let reactor = try Reactor()
        let pipe = try Pipe()
        pipe.write("x")
        let calls = Box(0)
        let watch = try reactor.watch(pipe.reading, for: []) { _ in calls.value += 1 }
        reactor.settle()
        #expect(calls.value == 0)
        try watch.change(to: .readable)
        reactor.runPending()
        #expect(calls.value == 1)
        try watch.change(to: [])
        reactor.settle()
        #expect(calls.value == 1)
        watch.end()
    }

    @Test func `what is no longer asked for is not reported in the same pass`() throws {
        let reactor = try Reactor()
        let one = try Pipe()
        let other = try Pipe()
        one.write("x")
        other.write("x")
        let calls = Box<[Int]>([])
        let keep = Kept()
        for (number, pipe) in [one.reading, other.reading].enumerated() {
            keep.hold(
                try reactor.watch(pipe, for: .readable) { _ in
                    calls.value.append(number)
                    try keep.change(1 - number, to: [])
                }, at: number)
        }
        reactor.runPending()
        #expect(calls.value.count == 1)
        keep.endAll()
    }
}

/// A pipe of the system's, whose ends are bare numbers as a program of its own would have them.
struct Pipe: ~Copyable {
    private(set) var reading: CInt
    private(set) var writing: CInt

    init() throws {
        var numbers: [CInt] = [-1, -1]
        try #require(pipe(&numbers) == 0)
        reading = numbers[0]
        writing = numbers[1]
        for number in numbers { _ = fcntl(number, F_SETFL, O_NONBLOCK) }
    }

    deinit {
        if reading >= 0 { Glibc.close(reading) }
        if writing >= 0 { Glibc.close(writing) }
    }

    consuming func released() -> (reading: CInt, writing: CInt) {
        let numbers = (reading, writing)
        discard self
        return numbers
    }

    func write(_ text: String) { _ = Glibc.write(writing, text, text.utf8.count) }

    /// Takes up to 64 bytes out and says how many.
    @discardableResult
    func read() -> Int {
        var bytes = [UInt8](repeating: 0, count: 64)
        return Glibc.read(reading, &bytes, bytes.count)
    }

    func fill() {
        let bytes = [UInt8](repeating: 0, count: 4_096)
        while Glibc.write(writing, bytes, bytes.count) > 0 {}
    }

    mutating func closeReading() {
        Glibc.close(reading)
        reading = -1
    }

    mutating func closeWriting() {
        Glibc.close(writing)
        writing = -1
    }
}

/// Both ends of one TCP connection.
struct TCPEnds: ~Copyable {
    let client: Socket
    let server: Socket

    init() throws {
        let listener = try Socket(for: .loopback(port: 0))
        try listener.bind(to: .loopback(port: 0))
        try listener.listen(backlog: 1)
        let client = try Socket.connecting(to: try listener.localAddress)
        guard var accepted = try listener.accept() else {
            throw SocketError(.accept, .wouldBlock)
        }
        server = try Socket.taken(from: &accepted.socket)
        self.client = client
    }

    consuming func closingClient() throws -> Socket {
        try client.close()
        return server
    }
}

/// Registrations that handlers may change and end.
final class Kept {
    private var first: Registration?
    private var second: Registration?
    private var third: Registration?

    func hold(_ registration: consuming Registration, at index: Int) {
        switch index {
        case 0: first = consume registration
        case 1: second = consume registration
        default: third = consume registration
        }
    }

    func change(_ index: Int, to interest: Interest) throws {
        if index == 0 { try first?.change(to: interest) } else { try second?.change(to: interest) }
    }

    func end(_ index: Int) {
        if index == 0 { first = nil } else { second = nil }
    }

    func endAll() {
        first = nil
        second = nil
        third = nil
    }
}
