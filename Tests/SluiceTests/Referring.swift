// SPDX-License-Identifier: Apache-2.0
//
// References by which other threads reach a channel, or a program's own state, on its reactor.
// What they refer to is only ever touched, and let go of, on the reactor's thread.

import Glibc
import Sluice
import TestSupport
import Testing

@Suite(.countingDescriptors)
struct Referring: ConnectionSuite {
    let ends: ConnectionEnds

    @Test func `a channel is written to from another thread`() throws {
        let reference = reactor.reference(to: channel)
        let other = OtherThread {
            do { try reference.perform { try $0.write(Array("hello".utf8)) } } catch {
                Issue.record(error)
            }
        }
        other.join()
        reactor.settle()
        #expect(try ends.peer?.receiveNow()?.text == "hello")
    }

    @Test func `a program's state is changed in the order of the calls`() throws {
        let entries = Box<[Int]>([])
        let reference = reactor.reference(to: entries)
        let other = OtherThread {
            for number in 0..<1_000 {
                do { try reference.perform { $0.value.append(number) } } catch {
                    Issue.record(error)
                }
            }
        }
        reactor.expect("all have come") { entries.value.count == 1_000 }
        other.join()
        #expect(entries.value == Array(0..<1_000))
    }

    @Test func `what nobody refers to any more is let go of on the reactor's thread`() throws {
        let mine = pthread_self()
        let wasMine = Box<Bool?>(nil)
        // Made and given away in here, so that the reactor's table has the only copy.
        let other = {
            let farewell = Farewell { wasMine.value = pthread_equal(pthread_self(), mine) != 0 }
            let reference = reactor.reference(to: farewell)
            return OtherThread { _ = reference }
        }()
        other.join()
        reactor.expect("it is gone") { wasMine.value != nil }
        #expect(wasMine.value == true)
    }

    @Test func `a reference is kept by what it was asked to do`() throws {
        let count = Box(0)
        do {
            let reference = reactor.reference(to: count)
            try reference.perform { $0.value += 1 }
        }
        reactor.settle()
        #expect(count.value == 1)
    }

    @Test func `after the reactor's end a reference says so`() throws {
        let reference: Reactor.Reference<Box<Int>>
        do {
            let reactor = try Reactor()
            reference = reactor.reference(to: Box(0))
        }
        #expect(throws: SocketError(.perform, .cancelled)) {
            try reference.perform { $0.value += 1 }
        }
    }

    @Test func `what it throws is reported`() throws {
        let errors = Box(0)
        reactor.onError = { _, _ in errors.value += 1 }
        let reference = reactor.reference(to: errors)
        try reference.perform { _ in throw Mishap() }
        reactor.settle()
        #expect(errors.value == 1)
    }
}

/// Says when it goes.
private final class Farewell {
    private let say: () -> Void
    init(_ say: @escaping () -> Void) { self.say = say }
    deinit { say() }
}
