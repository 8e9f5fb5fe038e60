// SPDX-License-Identifier: Apache-2.0
//
// A client that uses nothing of this package: blocking calls of the C library.

import Glibc
import Sluice
import Testing

/// A connection to a port of this machine, which ends with it.
final class PlainClient {
    private let descriptor: CInt
    /// Why the last receiving ended before there were as many bytes; `nil` at the peer's end.
    private(set) var failure: ErrorCode?

    /// Connects; `nil` where nobody listens.
    init?(port: UInt16) {
        let number = socket(AF_INET, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        var place = sockaddr_in()
        place.sin_family = sa_family_t(AF_INET)
        place.sin_port = port.bigEndian
        place.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let failed = withUnsafePointer(to: &place) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(number, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) != 0
            }
        }
        descriptor = number
        // A peer that says nothing must not hold the test for ever.
        var limit = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(number, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        if failed { return nil }
    }

    deinit { close(descriptor) }

    /// A client that a server of echo serves.
    @discardableResult
    static func served(at port: UInt16) throws -> PlainClient {
        let client = try #require(PlainClient(port: port))
        client.send([1])
        #expect(client.receive(1) == [1])
        return client
    }

    /// Sends bytes; the test fails, and the run goes on, where the peer is gone.
    func send(_ bytes: [UInt8]) {
        let count = Glibc.send(descriptor, bytes, bytes.count, CInt(MSG_NOSIGNAL))
        #expect(count == bytes.count)
    }

    /// Ends the writing side.
    func endWriting() { shutdown(descriptor, CInt(SHUT_WR)) }

    /// Reads so many bytes, or up to the peer's end.
    func receive(_ count: Int = .max) -> [UInt8] {
        var received: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while received.count < count {
            let size = recv(descriptor, &buffer, min(buffer.count, count - received.count), 0)
            if size <= 0 {
                failure = size < 0 ? ErrorCode(rawValue: errno) : nil
                break
            }
            received += buffer[..<size]
        }
        return received
    }
}
