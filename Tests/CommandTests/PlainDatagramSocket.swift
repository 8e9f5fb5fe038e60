// SPDX-License-Identifier: Apache-2.0
//
// UDP sockets that use nothing of this package: blocking calls of the C library, and a peer on a
// thread of its own that answers as a test wants it.

import Glibc
import Sluice
import TestSupport
import Testing

/// A UDP socket of this machine, which ends with its life.
final class PlainDatagramSocket: Sendable {
    /// A datagram, and the port of this machine's that it came from.
    struct Received {
        let bytes: [UInt8]
        let port: UInt16
    }

    private let descriptor: CInt
    /// Where it is.
    let port: UInt16

    /// Binds to 127.0.0.1, or another address of the loopback interface; port 0 is any.
    init(lastByte: UInt32 = 1, port: UInt16 = 0) throws {
        descriptor = socket(AF_INET, CInt(SOCK_DGRAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        var place = sockaddr_in(lastByte: lastByte, port: port)
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let number = descriptor
        let failed = place.withPointer { pointer in
            bind(number, pointer, size) != 0 || getsockname(number, pointer, &size) != 0
        }
        self.port = UInt16(bigEndian: place.sin_port)
        // A peer that says nothing must not hold the test for ever.
        var limit = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(number, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        if failed { throw SocketError(.bind, ErrorCode(rawValue: errno)) }
    }

    deinit { close(descriptor) }

    /// Sends a datagram to a port of this machine's.
    func send(_ bytes: [UInt8], to port: UInt16, lastByte: UInt32 = 1) {
        var place = sockaddr_in(lastByte: lastByte, port: port)
        let count = place.withPointer {
            sendto(descriptor, bytes, bytes.count, 0, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
        #expect(count == bytes.count)
    }

    /// Waits for a datagram; `nil` where none comes in 10 s.
    func receive() -> Received? { receive(flags: 0) }

    /// What is there already; `nil` where nothing is.
    func receiveNow() -> Received? { receive(flags: CInt(MSG_DONTWAIT)) }

    private func receive(flags: CInt) -> Received? {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        var place = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let count = place.withPointer {
            recvfrom(descriptor, &buffer, buffer.count, flags, $0, &size)
        }
        if count < 0 { return nil }
        return Received(bytes: Array(buffer[..<count]), port: UInt16(bigEndian: place.sin_port))
    }
}

extension sockaddr_in {
    /// 127.0.0.x and a port.
    fileprivate init(lastByte: UInt32, port: UInt16) {
        self.init()
        sin_family = sa_family_t(AF_INET)
        sin_port = port.bigEndian
        sin_addr.s_addr = (UInt32(0x7F00_0000) + lastByte).bigEndian
    }

    fileprivate mutating func withPointer<Result>(
        _ body: (UnsafeMutablePointer<sockaddr>) -> Result
    ) -> Result {
        withUnsafeMutablePointer(to: &self) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1, body)
        }
    }
}

/// A peer that answers each datagram with what a test makes of it, on a thread of its own.
final class OddPeer {
    private let socket: PlainDatagramSocket
    private let thread: OtherThread

    /// What `sluice load` calls it.
    var target: String { "udp://127.0.0.1:\(socket.port)" }

    /// - Parameter answers: gets each datagram and its number, from 0 on.
    init(_ answers: @escaping @Sendable (_ request: [UInt8], _ number: Int) -> [[UInt8]]) throws {
        let socket = try PlainDatagramSocket()
        self.socket = socket
        thread = OtherThread {
            var number = 0
            // An empty datagram is this object's own: its end.
            while let request = socket.receive(), !request.bytes.isEmpty {
                for answer in answers(request.bytes, number) {
                    socket.send(answer, to: request.port)
                }
                number += 1
            }
        }
    }

    deinit {
        socket.send([], to: socket.port)
        thread.join()
    }
}
