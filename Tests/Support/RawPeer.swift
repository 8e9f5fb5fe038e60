// SPDX-License-Identifier: Apache-2.0
//
// The other end of a connection, driven by hand: a bare socket without a reactor.

public import Sluice
import Testing

extension Socket {
    /// A bare socket that is connected, or connecting, to a listener of the same process.
    public static func connecting(to address: SocketAddress) throws(SocketError) -> Socket {
        let socket = try Socket(for: address)
        _ = try socket.connect(to: address)
        return socket
    }

    /// Sends all of a text; the test fails where the kernel takes only a part.
    public func sendAll(_ text: String) throws {
        let bytes = Array(text.utf8)
        #expect(try send(bytes.span.bytes) == .bytes(bytes.count))
    }

    /// Reads what is there now, up to 64 KiB; `nil` at the end of the input, empty where nothing
    /// waits.
    public func receiveNow() throws -> [UInt8]? {
        var storage = [UInt8](repeating: 0, count: 65_536)
        var span = storage.mutableSpan
        var bytes = span.mutableBytes
        switch try receive(into: &bytes) {
        case .bytes(let count): return Array(storage[..<count])
        case .wouldBlock: return []
        case .endOfStream: return nil
        }
    }

    /// Cuts the connection with a reset when the socket is closed.
    public func resetOnClose() throws(SocketError) {
        try set(.linger, to: .on(.zero))
    }
}

extension [UInt8] {
    /// The bytes as UTF-8 text.
    public var text: String { String(decoding: self, as: UTF8.self) }
}
