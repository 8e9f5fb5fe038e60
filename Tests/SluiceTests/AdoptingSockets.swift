// SPDX-License-Identifier: Apache-2.0
//
// Sockets that somebody else has opened: by number, by descriptor, by a service manager.
// Who is refused keeps what was his.

import Glibc
import Sluice
import TestSupport
import Testing

@Suite(.countingDescriptors)
struct AdoptingSockets {
    // MARK: By number

    // P17, N30
    @Test func `a socket that is adopted by number is used and closed as any other`() throws {
        let pair = try Socket.makePair()
        let number = try pair.first.duplicate().release().release()
        do {
            let socket = try Socket(adoptingNumber: number)
            #expect(socket.number == number)
            try socket.sendAll("hello")
            let bytes = try pair.second.receiveNow()
            #expect(bytes?.text == "hello")
        }
        #expect(!isOpen(number))
    }

    // N30
    @Test(arguments: SocketRequest.usual)
    func `an adopted socket tells its family, kind and protocol`(request: SocketRequest) throws {
        let socket = try Socket(adoptingNumber: request.open().release().release())
        let family = try socket.family
        let kind = try socket.kind
        let number = try socket.protocolNumber
        #expect(family == request.family)
        #expect(kind == request.kind)
        #expect(number == request.told)
    }

    // P17, P35
    @Test func `an adopted socket stays as it is`() throws {
        let number = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        try #require(number >= 0)
        let adopted = try Socket(adoptingNumber: number)
        let isBlocking = try adopted.isBlocking
        let isInheritable = try adopted.isInheritable
        #expect(isBlocking)
        #expect(isInheritable)
    }

    // P35
    @Test func `a channel of an adopted socket does not block the reactor`() throws {
        let pair = try Socket.makePair()
        let number = try pair.first.duplicate().release().release()
        try pair.first.setBlocking(true)
        let reactor = try Reactor()
        let channel = try Channel(adopting: Socket(adoptingNumber: number), on: reactor)
        let isBlocking = try pair.first.isBlocking
        #expect(!isBlocking)
        #expect(try channel.readOnce() == "")
        channel.close()
    }

    // P5, N30
    @Test(arguments: [-1, -5, CInt.min])
    func `a negative number is no descriptor, and nobody is asked`(number: CInt) {
        let calls = CallCount()
        #expect(throws: SocketError(.adopt, .badDescriptor)) {
            try calls.count { _ = try Socket(adoptingNumber: number) }
        }
        #expect(calls.all == 0)
    }

    // P17, N30
    @Test func `a number that is not open is refused`() throws {
        let number = try openedFile()
        Glibc.close(number)
        #expect(throws: SocketError(.adopt, .badDescriptor)) {
            _ = try Socket(adoptingNumber: number)
        }
        #expect(throws: SocketError(.adopt, .badDescriptor)) {
            _ = try Socket(adoptingNumber: .max)
        }
    }

    // P17, N30
    @Test func `a file is no socket, and stays open`() throws {
        let number = try openedFile()
        defer { Glibc.close(number) }
        #expect(throws: SocketError(.adopt, .notSocket)) {
            _ = try Socket(adoptingNumber: number)
        }
        #expect(isOpen(number))
    }

    // P17, N30
    @Test func `a pipe is no socket, and stays open`() throws {
        let pipe = try PipeEnds()
        for number in [pipe.reading, pipe.writing] {
            #expect(throws: SocketError(.adopt, .notSocket)) {
                _ = try Socket(adoptingNumber: number)
            }
            #expect(isOpen(number))
        }
    }

    // MARK: By descriptor

    // N30
    @Test func `a descriptor that is a socket becomes one`() throws {
        let pair = try Socket.makePair()
        let descriptor = try pair.first.duplicate().release()
        let number = descriptor.number
        do {
            let socket = try Socket(adopting: descriptor)
            #expect(socket.number == number)
            try socket.sendAll("hello")
        }
        let bytes = try pair.second.receiveNow()
        #expect(bytes?.text == "hello")
        #expect(!isOpen(number))
    }

    // N30
    @Test func `a descriptor that is no socket is closed`() throws {
        let file = try openedFile()
        #expect(throws: SocketError(.adopt, .notSocket)) {
            _ = try Socket(adopting: Descriptor(adopting: file))
        }
        #expect(!isOpen(file))
        let pipe = try PipeEnds().released()
        #expect(throws: SocketError(.adopt, .notSocket)) {
            _ = try Socket(adopting: Descriptor(adopting: pipe.reading))
        }
        #expect(!isOpen(pipe.reading))
        #expect(isOpen(pipe.writing))
        Glibc.close(pipe.writing)
    }

    @Test func `a question that a signal interrupts is asked again`() throws {
        let number = try SocketRequest.usual[0].open().release().release()
        let answers = Answers(.failure(.interrupted), to: [.getOption]) { $0 <= 3 }
        try answers.give { try Socket(adoptingNumber: number).close() }
        #expect(answers.count == 4)
    }

    // MARK: Duplicates, and what is given away

    // N30
    @Test func `a duplicate lives on when the original is closed`() throws {
        var pair = try Socket.makePair()
        let copy = try pair.first.duplicate()
        try Socket.taken(from: &pair.first).close()
        try copy.sendAll("still")
        let bytes = try pair.second.receiveNow()
        #expect(bytes?.text == "still")
        let nothing = try pair.second.receiveNow()
        #expect(nothing == [])
        try copy.close()
        let end = try pair.second.receiveNow()
        #expect(end == nil)
    }

    // P22, N30
    @Test func `the original lives on when a duplicate is closed`() throws {
        let pair = try Socket.makePair()
        try pair.first.duplicate().close()
        try pair.first.sendAll("still")
        let bytes = try pair.second.receiveNow()
        #expect(bytes?.text == "still")
    }

    // N30
    @Test func `shutting a duplicate down ends the original's direction, too`() throws {
        let pair = try Socket.makePair()
        try pair.first.duplicate().shutDown(.writing)
        let end = try pair.second.receiveNow()
        #expect(end == nil)
        let byte: [UInt8] = [1]
        #expect(throws: SocketError(.write, .brokenPipe)) {
            _ = try pair.first.send(byte.span.bytes)
        }
    }

    @Test func `a duplicate that can't be had says so`() throws {
        let socket = try SocketRequest.usual[0].open()
        #expect(throws: SocketError(.duplicate, .tooManyOpenFiles)) {
            try SystemCall.failing(.duplicate, with: .tooManyOpenFiles) {
                _ = try socket.duplicate()
            }
        }
    }

    // N30
    @Test func `what is given away can be adopted again`() throws {
        let pair = try Socket.makePair()
        var socket = try pair.first.duplicate()
        let number = socket.number
        for _ in 0..<3 { socket = try Socket(adopting: socket.release()) }
        #expect(socket.number == number)
        try socket.sendAll("same")
        let bytes = try pair.second.receiveNow()
        #expect(bytes?.text == "same")
    }
}

// MARK: - What a service manager says

/// The variables of the environment, as a service manager sets them.
struct Environment: Sendable, CustomTestStringConvertible {
    let processID: String?
    let count: String?
    let names: String?

    init(_ processID: String?, _ count: String?, _ names: String? = nil) {
        self.processID = processID
        self.count = count
        self.names = names
    }

    var testDescription: String { "\(processID ?? "-") \(count ?? "-") \(names ?? "-")" }

    /// What they say to process 77.
    func parsed() throws(SocketError) -> (count: Int, names: [String]) {
        try InheritedSockets.parse(processID: processID, count: count, names: names, own: 77)
    }
}

@Suite(.countingDescriptors)
struct ReadingServiceEnvironments {
    // P17
    @Test(arguments: [
        (Environment("77", "3"), 3, []),
        (Environment("77", "1", "http"), 1, ["http"]),
        (Environment("77", "2", "http:https"), 2, ["http", "https"]),
        (Environment("77", "2", "http:unknown"), 2, ["http", ""]),
        (Environment("77", "3", "a::c"), 3, ["a", "", "c"]),
        (Environment("77", "2", "a:b:c"), 2, ["a", "b"]),
        (Environment("77", "3", "a"), 3, ["a"]),
        (Environment("77", "1", ""), 1, [""]),
        (Environment("77", "0"), 0, []),
        (Environment("77", "0", "a"), 0, []),
        (Environment("77", "4096"), 4_096, []),
        (Environment("00077", "003"), 3, []),
    ])
    func `sockets and their names are read`(
        environment: Environment, count: Int, names: [String]
    ) throws {
        let parsed = try environment.parsed()
        #expect(parsed.count == count)
        #expect(parsed.names == names)
    }

    @Test(arguments: [
        Environment(nil, nil), Environment("77", nil), Environment(nil, "3"),
        Environment(nil, nil, "http"), Environment("78", "3", "a:b:c"), Environment("7", "3"),
        Environment("2147483647", "3"),
    ])
    func `an environment that says nothing to this process gives nothing`(
        environment: Environment
    ) throws {
        let parsed = try environment.parsed()
        #expect(parsed.count == 0)
        #expect(parsed.names == [])
    }

    @Test(arguments: ["many", "", "-1", "4097"])
    func `what is said to another process is not read`(count: String) throws {
        let parsed = try Environment("78", count).parsed()
        #expect(parsed.count == 0)
    }

    @Test(arguments: [
        Environment("", "1"), Environment("self", "1"), Environment("-77", "1"),
        Environment("77 ", "1"), Environment("99999999999", "1"), Environment("77", ""),
        Environment("77", "-1"), Environment("77", "+1"), Environment("77", " 1"),
        Environment("77", "1.0"), Environment("77", "0x1"), Environment("77", "4097"),
        Environment("77", "99999999999999999999"), Environment("77", "\u{663}"),
        Environment("77", "1\u{0}"),
    ])
    func `an environment that can't be read is an error`(environment: Environment) {
        #expect(throws: SocketError(.adopt, .invalidArgument)) { _ = try environment.parsed() }
    }
}

private func openedFile() throws -> CInt {
    let number = Glibc.open("/dev/null", O_RDONLY | O_CLOEXEC)
    try #require(number >= 0)
    return number
}

private func isOpen(_ number: CInt) -> Bool { fcntl(number, F_GETFD, 0) >= 0 }
