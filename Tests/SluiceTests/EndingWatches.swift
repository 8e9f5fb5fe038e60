// SPDX-License-Identifier: Apache-2.0
//
// How the watch of a descriptor ends: by its owner, by its own handler, by a failure or with its
// reactor. After its end nothing is reported, not even what was found before.

import Glibc
import Sluice
import TestSupport
import Testing

@Suite(.countingDescriptors)
struct EndingWatches {
    @Test func `after its end a watch reports nothing and leaves the descriptor open`() throws {
        let reactor = try Reactor()
        let pipe = try PipeEnds()
        pipe.write("x")
        let calls = Box(0)
        let watch = try reactor.watch(pipe.reading, for: .readable) { _ in calls.value += 1 }
        watch.end()
        reactor.settle()
        #expect(calls.value == 0)
        #expect(pipe.read() == 1)
    }

    @Test func `the end of a registration's life ends the watch`() throws {
        let reactor = try Reactor()
        let pipe = try PipeEnds()
        pipe.write("x")
        let calls = Box(0)
        do { _ = try reactor.watch(pipe.reading, for: .readable) { _ in calls.value += 1 } }
        reactor.settle()
        #expect(calls.value == 0)
    }

    @Test func `a watch may end inside its own handler`() throws {
        let reactor = try Reactor()
        let pipe = try PipeEnds()
        pipe.write("x")
        let calls = Box(0)
        let keep = KeptWatches()
        keep.hold(
            try reactor.watch(pipe.reading, for: .readable) { _ in
                calls.value += 1
                keep.end(0)
            }, at: 0)
        reactor.settle()
        #expect(calls.value == 1)
    }

    @Test func `a watch that another handler ends gets no event that was queued`() throws {
        let reactor = try Reactor()
        let pipes = try ReadyPipes(on: reactor) { watches, found in watches.end(1 - found) }
        reactor.runPending()
        #expect(pipes.found.count == 1)
        pipes.watches.endAll()
    }

    @Test func `a number that is used again gets no event of the old descriptor`() throws {
        let reactor = try Reactor()
        let trigger = try PipeEnds()
        var old = try PipeEnds()
        trigger.write("x")
        old.write("x")
        let calls = Box<[String]>([])
        let replacement = Box<(reading: CInt, writing: CInt)?>(nil)
        let oldNumber = old.reading
        let keep = KeptWatches()
        keep.hold(
            try reactor.watch(trigger.reading, for: .readable) { _ in
                guard replacement.value == nil else { return }
                keep.end(1)
                old.closeReading()
                let new = try PipeEnds().released()
                #expect(new.reading == oldNumber)
                replacement.value = new
                keep.hold(
                    try reactor.watch(new.reading, for: .readable) { _ in
                        calls.value.append("new")
                    }, at: 2)
            }, at: 0)
        keep.hold(
            try reactor.watch(oldNumber, for: .readable) { _ in
                calls.value.append("old")
            }, at: 1)
        reactor.settle()
        // The old descriptor may have been handled once, before the trigger closed it.
        #expect(calls.value.count { $0 == "old" } <= 1)
        #expect(!calls.value.contains("new"))
        let new = try #require(replacement.value)
        _ = Glibc.write(new.writing, "x", 1)
        reactor.runPending()
        #expect(calls.value.last == "new")
        keep.endAll()
        Glibc.close(new.reading)
        Glibc.close(new.writing)
    }

    @Test func `a handler is let go with its watch`() throws {
        let reactor = try Reactor()
        let pipe = try PipeEnds()
        weak var held: Box<Int>?
        let watch: Registration
        do {
            let box = Box(0)
            held = box
            watch = try reactor.watch(pipe.reading, for: .readable) { _ in box.value += 1 }
        }
        #expect(held != nil)
        watch.end()
        #expect(held == nil)
    }

    @Test func `a watch that outlives its reactor is ended`() throws {
        let pipe = try PipeEnds()
        let watch = try Reactor().watch(pipe.reading, for: .readable) { _ in }
        let interest = watch.interest
        #expect(interest == [])
        #expect(throws: SocketError(.watch, .badDescriptor)) { try watch.change(to: .readable) }
        watch.end()
    }

    @Test func `a registration that only its own handler keeps ends with the reactor`() async {
        await #expect(processExitsWith: .success) {
            let pair = try Socket.makePair()
            let reactor = Box<Reactor?>(try Reactor())
            let keep = Box<KeptWatches?>(KeptWatches())
            if let made = try reactor.value?.watch(
                pair.first.number, for: .readable,
                { [kept = keep.value] _ in kept?.endAll() })
            {
                keep.value?.hold(made, at: 0)
            }
            keep.value = nil
            reactor.value = nil
        }
    }

    @Test func `a registration that only its own handler keeps ends when that throws`() async {
        await #expect(processExitsWith: .success) {
            let pair = try Socket.makePair()
            let reactor = try Reactor()
            reactor.onError = { _, _ in }
            let keep = Box<KeptWatches?>(KeptWatches())
            let made = try reactor.watch(pair.first.number, for: .writable) {
                [kept = keep.value] _ in
                withExtendedLifetime(kept) {}
                throw SocketError(.write, .timedOut)
            }
            keep.value?.hold(made, at: 0)
            keep.value = nil
            reactor.settle()
        }
    }

    // MARK: Failures

    @Test func `a handler that throws ends its watch and is reported`() throws {
        let reactor = try Reactor()
        let errors = Box<[SocketError]>([])
        reactor.onError = { error, channel in
            #expect(channel == nil)
            if let error = error as? SocketError { errors.value.append(error) }
        }
        let pipe = try PipeEnds()
        pipe.write("x")
        let watch = try reactor.watch(pipe.reading, for: .readable) { _ in
            throw SocketError(.read, .timedOut)
        }
        reactor.settle()
        #expect(errors.value == [SocketError(.read, .timedOut)])
        let interest = watch.interest
        #expect(interest == [])
        #expect(throws: SocketError(.watch, .badDescriptor)) { try watch.change(to: .readable) }
        watch.end()
    }

    @Test func `a handler that ends its watch and then throws is reported`() throws {
        let reactor = try Reactor()
        let errors = Box(0)
        reactor.onError = { _, _ in errors.value += 1 }
        let pipe = try PipeEnds()
        pipe.write("x")
        let keep = KeptWatches()
        keep.hold(
            try reactor.watch(pipe.reading, for: .readable) { _ in
                keep.end(0)
                throw SocketError(.read, .timedOut)
            }, at: 0)
        reactor.settle()
        #expect(errors.value == 1)
    }

    @Test func `a handler that throws leaves the other watch of the descriptor`() throws {
        let reactor = try Reactor()
        reactor.onError = { _, _ in }
        let pair = try Socket.makePair()
        try pair.second.sendAll("x")
        let calls = Box(0)
        let failing = try reactor.watch(pair.first.number, for: .readable) { _ in
            throw SocketError(.read, .timedOut)
        }
        let other = try reactor.watch(pair.first.number, for: .writable) { _ in calls.value += 1 }
        reactor.settle(passes: 3)
        #expect(calls.value == 3)
        failing.end()
        other.end()
    }

    @Test func `a regular file is refused`() throws {
        let reactor = try Reactor()
        let file = Descriptor(adopting: Glibc.open("/etc/passwd", O_RDONLY | O_CLOEXEC))
        let number = file.number
        #expect(throws: SocketError(.watch, .notPermitted)) {
            _ = try reactor.watch(number, for: .readable) { _ in }
        }
    }

    @Test(arguments: [-1, 9_999])
    func `a number that is not open is refused`(number: CInt) throws {
        let reactor = try Reactor()
        #expect(throws: SocketError(.watch, .badDescriptor)) {
            _ = try reactor.watch(number, for: .readable) { _ in }
        }
        let hasFired = Box(false)
        reactor.after(.zero) { hasFired.value = true }
        reactor.expect("the reactor goes on") { hasFired.value }
    }

    @Test func `a refused watch lets its handler go`() throws {
        let reactor = try Reactor()
        weak var held: Box<Int>?
        do {
            let box = Box(0)
            held = box
            #expect(throws: SocketError.self) {
                _ = try reactor.watch(9_999, for: .readable) { _ in box.value += 1 }
            }
        }
        #expect(held == nil)
    }
}
