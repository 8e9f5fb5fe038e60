// SPDX-License-Identifier: Apache-2.0
//
// Open descriptors that go over bare Unix sockets: the same file at the other end, an owner at
// every moment, and none left open.

import Glibc
import TestSupport
import Testing

@testable import Sluice

/// Bytes of a message.
private let bytes = Array("with files".utf8)

/// Room for the descriptors of any message.
private let room = 1_040

@Suite(.countingDescriptors)
struct HandingDescriptorsOver {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func open(_ name: String = "file") throws -> Descriptor {
        let number = Glibc.open(folder[name], O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        try #require(number >= 0)
        return Descriptor(adopting: number)
    }

    private func list(of count: Int) throws -> DescriptorList {
        var list = DescriptorList()
        let file = try open()
        for _ in 0..<count { list.append(try file.duplicate()) }
        return list
    }

    // MARK: The same file

    // N27
    @Test(arguments: [SocketKind.stream, .datagram, .sequentialPacket])
    func `a descriptor that arrives is of the same open file`(kind: SocketKind) throws {
        let pair = try Socket.makePair(kind)
        let file = try open()
        let result = try pair.first.send(bytes.span.bytes, passing: file)
        #expect(result == .bytes(bytes.count))
        var message = try pair.second.received()
        #expect(message.byteCount == bytes.count)
        #expect(message.descriptors.count == 1)
        let arrived = message.takeNumber()
        defer { close(arrived) }
        #expect(arrived != file.number)
        #expect(write(arrived, "from there", 10) == 10)
        #expect(folder.read().map { $0.text } == "from there")
        // One open file has one place, wherever it is moved.
        #expect(lseek(file.number, 0, SEEK_CUR) == 10)
    }

    // N27
    @Test func `the sender's descriptor stays open`() throws {
        let pair = try Socket.makePair()
        let file = try open()
        _ = try pair.first.send(bytes.span.bytes, passing: file)
        #expect(isOpen(file.number))
        let message = try pair.second.received()
        #expect(message.items.isEmpty)
    }

    // N27, N31
    @Test func `a descriptor that arrives is closed on exec`() throws {
        let pair = try Socket.makePair()
        let file = try open()
        #expect(fcntl(file.number, F_SETFD, 0) == 0)
        _ = try pair.first.send(bytes.span.bytes, passing: file)
        var message = try pair.second.received()
        let arrived = message.takeNumber()
        #expect(fcntl(arrived, F_GETFD, 0) & FD_CLOEXEC != 0)
        close(arrived)
    }

    // N27
    @Test func `descriptors arrive in order`() throws {
        let pair = try Socket.makePair()
        var files = DescriptorList()
        let names = ["a", "b", "c"]
        for name in names {
            let file = try open(name)
            #expect(write(file.number, name, 1) == 1)
            files.append(file)
        }
        #expect(files.count == 3)
        _ = try pair.first.send(bytes.span.bytes, passing: files)
        var message = try pair.second.received()
        var contents: [String] = []
        while let file = message.descriptors.popFirst() {
            var byte: UInt8 = 0
            #expect(pread(file.number, &byte, 1, 0) == 1)
            contents.append([byte].text)
        }
        #expect(contents == names)
        #expect(message.descriptors.count == 0)
    }

    // N27
    @Test func `a socket that arrives goes on with its conversation`() throws {
        let pair = try Socket.makePair()
        let ends = try TCPEnds()
        let server = try ends.server.duplicate().release()
        _ = try pair.first.send(bytes.span.bytes, passing: server)
        var message = try pair.second.received()
        let number = message.takeNumber()
        let socket = try Socket(adoptingNumber: number)
        try ends.client.sendAll("hello")
        let received = try socket.receiveNow()
        #expect(received?.text == "hello")
    }

    // N27
    @Test func `an empty datagram carries descriptors, too`() throws {
        let pair = try Socket.makePair(.datagram)
        let nothing: [UInt8] = []
        _ = try pair.first.send(nothing.span.bytes, passing: try open())
        let message = try pair.second.received()
        #expect(message.byteCount == 0)
        #expect(message.descriptors.count == 1)
    }

    // N26, N27
    @Test func `descriptors that are peeked at are others than those that come`() throws {
        let pair = try Socket.makePair()
        _ = try pair.first.send(bytes.span.bytes, passing: try open())
        let peeked = try pair.second.received(flags: .peek)
        let message = try pair.second.received()
        #expect(peeked.descriptors.count == 1)
        #expect(message.descriptors.count == 1)
        #expect(peeked.descriptors.numbers != message.descriptors.numbers)
    }

    // MARK: None left open

    // N27
    @Test func `what is not taken out is closed with the list`() throws {
        let pair = try Socket.makePair()
        _ = try pair.first.send(bytes.span.bytes, passing: try list(of: 5))
        var numbers: [CInt] = []
        var taken: CInt = -1
        do {
            var message = try pair.second.received()
            numbers = Array(message.descriptors.numbers)
            taken = message.takeNumber()
        }
        #expect(numbers.count == 5)
        #expect(numbers.filter(isOpen) == [taken])
        close(taken)
    }

    // N27
    @Test func `what is received without asking for descriptors keeps none`() throws {
        let pair = try Socket.makePair()
        let before = openDescriptorCount()
        _ = try pair.first.send(bytes.span.bytes, passing: try open())
        let received = try pair.second.receiveNow()
        #expect(received == bytes)
        #expect(openDescriptorCount() == before)
    }

    // N26, N27
    @Test(arguments: [(0, 0), (16, 0), (20, 1), (24, 2), (28, 3), (32, 3), (1_040, 3)])
    func `descriptors for which there is no room are closed, and that is told`(
        byteCount: Int, count: Int
    ) throws {
        let pair = try Socket.makePair()
        _ = try pair.first.send(bytes.span.bytes, passing: try list(of: 3))
        let message = try pair.second.received(ancillaryByteCount: byteCount)
        #expect(message.byteCount == bytes.count)
        #expect(message.descriptors.count == count)
        #expect(message.flags.contains(.controlTruncated) == (count < 3))
    }

    @Test func `descriptors that this process can't have are told as cut off`() throws {
        let pair = try Socket.makePair()
        _ = try pair.first.send(bytes.span.bytes, passing: try list(of: 3))
        let message = try withDescriptors(spare: 2) { try pair.second.received() }
        #expect(message.descriptors.count == 2)
        #expect(message.flags == .controlTruncated)
    }

    // MARK: Limits

    // P5, N27
    @Test func `253 descriptors go with a message, and no more`() throws {
        let pair = try Socket.makePair()
        _ = try pair.first.send(bytes.span.bytes, passing: try list(of: 253))
        let message = try pair.second.received()
        #expect(message.descriptors.count == 253)
        #expect(message.flags == [])
        #expect(throws: SocketError(.write, .invalidArgument)) {
            _ = try pair.first.send(bytes.span.bytes, passing: try list(of: 254))
        }
    }

    @Test func `no descriptors at all are a message as any other`() throws {
        let pair = try Socket.makePair()
        _ = try pair.first.send(bytes.span.bytes, passing: DescriptorList())
        let message = try pair.second.received()
        #expect(message.byteCount == bytes.count)
        #expect(message.descriptors.count == 0)
    }

    // P5, N27
    @Test func `descriptors go over no other sockets`() throws {
        let file = try open()
        let stream = try TCPEnds()
        #expect(throws: SocketError(.write, .invalidArgument)) {
            _ = try stream.client.send(bytes.span.bytes, passing: file)
        }
        let datagram = try DatagramEnds()
        #expect(throws: SocketError(.write, .invalidArgument, at: datagram.address)) {
            _ = try datagram.sender.send(
                bytes.span.bytes, passing: try list(of: 2), to: datagram.address)
        }
    }

    @Test func `a stream takes no descriptors without a byte`() throws {
        let pair = try Socket.makePair()
        let other = try Socket.makePair()
        #expect(throws: SocketError(.write, .invalidArgument)) {
            _ = try pair.first.send(
                [UInt8]().span.bytes, passing: try other.first.duplicate().release())
        }
    }
}

extension Socket {
    fileprivate func received(
        ancillaryByteCount: Int = room, flags: MessageFlags = []
    ) throws -> ReceivedMessage {
        var storage = [UInt8](repeating: 0, count: 100)
        var span = storage.mutableSpan
        var free = span.mutableBytes
        return try receiveMessage(
            into: &free, ancillaryByteCount: ancillaryByteCount, flags: flags,
            within: .seconds(20))
    }
}

extension ReceivedMessage {
    /// Takes a descriptor out as a bare number, for the caller to close; -1 where there is none.
    fileprivate mutating func takeNumber() -> CInt { descriptors.popFirst()?.release() ?? -1 }
}

private func isOpen(_ number: CInt) -> Bool { fcntl(number, F_GETFD, 0) >= 0 }
