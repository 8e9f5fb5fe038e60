// SPDX-License-Identifier: Apache-2.0
//
// Descriptors that somebody else owns, watched by a reactor: what is reported, and when no more.
// Pipes and socket pairs stand for whatever a program brings along.

import Sluice
import TestSupport
import Testing

@Suite(.countingDescriptors)
struct Watching {
    // MARK: What is reported

    @Test func `a pipe with bytes in it is readable`() throws {
        let reactor = try Reactor()
        let pipe = try PipeEnds()
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
        let pipe = try PipeEnds()
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
        var pipe = try PipeEnds()
        let found = Box<[Interest]>([])
        let watch = try reactor.watch(pipe.reading, for: .readable) { found.value.append($0) }
        pipe.closeWriting()
        reactor.runPending()
        #expect(found.value == [.readable])
        watch.end()
    }

    @Test func `a pipe that nobody reads any more is writable, to learn of it`() throws {
        let reactor = try Reactor()
        var pipe = try PipeEnds()
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
        let pipe = try PipeEnds()
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
        let pipe = try PipeEnds()
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
        let pipes = try ReadyPipes(on: reactor) { watches, found in
            try watches.change(1 - found, to: [])
        }
        reactor.runPending()
        #expect(pipes.found.count == 1)
        pipes.watches.endAll()
    }
}
