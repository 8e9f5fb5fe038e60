// SPDX-License-Identifier: Apache-2.0
//
// Who closes a descriptor, and when: its one owner, exactly once.
// Closings are counted where the library makes them, and the kernel is asked what is still open.

import Glibc
import Sluice
import TestSupport
import Testing

@Suite(.countingDescriptors)
struct Ownership {
    // MARK: Descriptors

    @Test func `a descriptor is closed when its life ends`() throws {
        let number = try openedNumber()
        do { _ = Descriptor(adopting: number) }
        #expect(!isOpen(number))
    }

    @Test func `a descriptor is closed once, by close or by the end of its life`() throws {
        let number = try openedNumber()
        let closings = try closings { try Descriptor(adopting: number).close() }
        #expect(closings == 1)
        #expect(!isOpen(number))
    }

    @Test func `close tells why it failed`() throws {
        let number = try openedNumber()
        defer { Glibc.close(number) }
        let failure = ErrorCode(rawValue: EIO)
        #expect(throws: failure) {
            try SystemCall.intercepting(failing(.close, with: failure)) {
                try Descriptor(adopting: number).close()
            }
        }
    }

    @Test func `a close that failed is not tried again`() throws {
        let number = try openedNumber()
        defer { Glibc.close(number) }
        let closings = closings(failing: ErrorCode(rawValue: EIO)) {
            #expect(throws: ErrorCode.self) { try Descriptor(adopting: number).close() }
        }
        #expect(closings == 1)
    }

    @Test func `an interrupted close is no error and not tried again`() throws {
        let number = try openedNumber()
        defer { Glibc.close(number) }
        let closings = try closings(failing: .interrupted) {
            try Descriptor(adopting: number).close()
        }
        #expect(closings == 1)
    }

    @Test func `release gives the descriptor away open`() throws {
        let number = try openedNumber()
        var released: CInt = -1
        let closings = closings { released = Descriptor(adopting: number).release() }
        #expect(released == number)
        #expect(closings == 0)
        #expect(isOpen(number))
        Glibc.close(number)
    }

    @Test func `a duplicate is another descriptor of the same open file`() throws {
        var pair = try Socket.makePair()
        let original = try Socket.taken(from: &pair.first).release()
        let copy = try original.duplicate()
        let numbers = (original.number, copy.number)
        #expect(numbers.0 != numbers.1)
        #expect(Glibc.write(copy.number, "x", 1) == 1)
        let received = try pair.second.receiveNow()
        #expect(received?.text == "x")
    }

    @Test func `a duplicate's end leaves the original open`() throws {
        let original = Descriptor(adopting: try openedNumber())
        do { _ = try original.duplicate() }
        let number = original.number
        #expect(isOpen(number))
    }

    @Test func `a duplicate is closed on exec even if the original is not`() throws {
        let original = Descriptor(adopting: try openedNumber())
        let number = original.number
        try #require(fcntl(number, F_SETFD, 0) == 0)
        let copy = try original.duplicate()
        let copied = copy.number
        #expect(!isClosedOnExec(number))
        #expect(isClosedOnExec(copied))
    }

    @Test func `a duplicate that a signal interrupts is made again`() throws {
        let original = Descriptor(adopting: try openedNumber())
        let calls = Box(0)
        let interceptor: SystemCall.Interceptor = { call in
            guard call == .duplicate else { return nil }
            calls.value += 1
            return calls.value <= 3 ? .failure(.interrupted) : nil
        }
        try SystemCall.intercepting(interceptor) { _ = try original.duplicate() }
        #expect(calls.value == 4)
    }

    @Test func `a duplicate that can't be had says why`() throws {
        let original = Descriptor(adopting: try openedNumber())
        #expect(throws: ErrorCode.tooManyOpenFiles) {
            try SystemCall.intercepting(failing(.duplicate, with: .tooManyOpenFiles)) {
                _ = try original.duplicate()
            }
        }
    }

    @Test func `the limit of descriptors can be raised to the highest`() {
        let highest = DescriptorLimit.highest
        #expect(DescriptorLimit.current > 0)
        #expect(DescriptorLimit.raise() == highest)
        #expect(DescriptorLimit.current == highest)
    }

    // MARK: Sockets

    @Test func `a socket is closed when its life ends`() throws {
        var number: CInt = -1
        do { number = try Socket(for: .loopback(port: 0)).number }
        #expect(!isOpen(number))
    }

    @Test func `a socket that was closed is not closed again`() throws {
        let closings = try closings { try Socket(for: .loopback(port: 0)).close() }
        #expect(closings == 1)
    }

    @Test func `a socket that can't be closed names the operation`() throws {
        let number = try Socket(for: .loopback(port: 0)).release().release()
        defer { Glibc.close(number) }
        let failure = ErrorCode(rawValue: EIO)
        #expect(throws: SocketError(.close, failure)) {
            try SystemCall.intercepting(failing(.close, with: failure)) {
                try Socket(adoptingNumber: number).close()
            }
        }
    }

    // N30
    @Test func `a socket can be given away as a bare descriptor`() throws {
        let socket = try Socket(for: .loopback(port: 0))
        let number = socket.number
        let descriptor = socket.release()
        let same = descriptor.number == number
        #expect(same)
        #expect(isOpen(number))
    }

    @Test func `the ends of a pair are connected both ways`() throws {
        let pair = try Socket.makePair()
        try pair.first.sendAll("there")
        try pair.second.sendAll("back")
        let received = (try pair.second.receiveNow(), try pair.first.receiveNow())
        #expect(received.0?.text == "there")
        #expect(received.1?.text == "back")
    }

    @Test func `each end of a pair has an owner of its own`() throws {
        var pair = try Socket.makePair()
        let numbers = (pair.first.number, pair.second.number)
        pair.first = try Socket(for: .loopback(port: 0))
        #expect(!isOpen(numbers.0))
        #expect(isOpen(numbers.1))
        let received = try pair.second.receiveNow()
        #expect(received == nil)
    }

    @Test func `every socket is non-blocking and closed on exec`() throws {
        let listener = try Socket(for: .loopback(port: 0))
        try listener.bind(to: .loopback(port: 0))
        try listener.listen(backlog: 1)
        let client = try Socket.connecting(to: try listener.localAddress)
        let pair = try Socket.makePair()
        guard let accepted = try listener.accept() else {
            Issue.record("nobody waits to be accepted")
            return
        }
        let numbers = [
            listener.number, client.number, accepted.socket.number, pair.first.number,
            pair.second.number,
        ]
        for number in numbers {
            #expect(isClosedOnExec(number))
            #expect(fcntl(number, F_GETFL, 0) & O_NONBLOCK != 0)
        }
    }

    // MARK: Reactors

    @Test func `a reactor's own descriptors are closed on exec`() throws {
        let before = openNumbers()
        let reactor = try Reactor()
        let own = openNumbers().subtracting(before)
        #expect(own.count >= 3)
        #expect(own.allSatisfy { isClosedOnExec($0) })
        withExtendedLifetime(reactor) {}
    }

    // K23
    @Test func `a reactor's end closes all that it opened`() throws {
        let before = openNumbers()
        do { _ = try Reactor() }
        #expect(openNumbers() == before)
    }

    @Test(arguments: [SystemCall.createEvent, .createTimer])
    func `a reactor that can't get a descriptor leaves none behind`(call: SystemCall) throws {
        #expect(throws: SocketError(.create, .tooManyOpenFiles)) {
            try SystemCall.intercepting(failing(call, with: .tooManyOpenFiles)) {
                _ = try Reactor()
            }
        }
    }
}

/// Opens something that a test may close.
private func openedNumber() throws -> CInt {
    let number = Glibc.open("/dev/null", O_RDONLY | O_CLOEXEC)
    try #require(number >= 0)
    return number
}

private func failing(_ call: SystemCall, with code: ErrorCode) -> SystemCall.Interceptor {
    { $0 == call ? .failure(code) : nil }
}

private func isOpen(_ number: CInt) -> Bool { fcntl(number, F_GETFD, 0) >= 0 }

private func isClosedOnExec(_ number: CInt) -> Bool {
    fcntl(number, F_GETFD, 0) & FD_CLOEXEC != 0
}

private func openNumbers() -> Set<CInt> {
    Set((0..<4_096).map(CInt.init).filter(isOpen))
}

/// How often `body` has a descriptor closed; each closing fails with `code`, where one is given.
private func closings(
    failing code: ErrorCode? = nil, _ body: () throws -> Void
) rethrows -> Int {
    let count = Box(0)
    let interceptor: SystemCall.Interceptor = { call in
        guard call == .close else { return nil }
        count.value += 1
        return code.map { .failure($0) }
    }
    try SystemCall.intercepting(interceptor, body)
    return count.value
}
