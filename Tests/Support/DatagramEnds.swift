// SPDX-License-Identifier: Apache-2.0
//
// Two bare UDP sockets, and messages as values that tests compare.

public import Sluice
import Testing

/// Two UDP sockets on loopback, each with a port of its own.
public struct DatagramEnds: ~Copyable {
    /// The one that sends.
    public let sender: Socket
    /// The one that receives.
    public let receiver: Socket
    /// Where the receiver is.
    public let address: SocketAddress
    /// Where the sender is.
    public let origin: SocketAddress

    /// Binds the two.
    public init(_ loopback: IPAddress = .loopback) throws {
        let any = SocketAddress.ip(loopback, port: 0)
        let sender = try Socket(for: any, kind: .datagram)
        try sender.bind(to: any)
        let receiver = try Socket(for: any, kind: .datagram)
        try receiver.bind(to: any)
        let names = (address: try receiver.localAddress, origin: try sender.localAddress)
        address = names.address
        origin = names.origin
        self.sender = sender
        self.receiver = receiver
    }

    /// Sends a text; the test fails where the kernel does not take it whole.
    public func send(_ text: String, flags: MessageFlags = []) throws {
        let bytes = Array(text.utf8)
        let result = try sender.send(bytes.span.bytes, to: address, flags: flags)
        #expect(result == .bytes(bytes.count))
    }
}

/// A message that has come, but for its descriptors.
public struct ArrivedMessage: Equatable, Sendable {
    /// Its bytes as text, as far as there was room for them.
    public let text: String
    /// How many bytes it says that it has.
    public let byteCount: Int
    /// Who sent it, where that is told.
    public let sender: SocketAddress?
    /// What the kernel says of it.
    public let flags: MessageFlags
    /// What came beside the bytes.
    public let items: [AncillaryItem]

    /// A message with these parts.
    public init(
        text: String, byteCount: Int, sender: SocketAddress?, flags: MessageFlags = [],
        items: [AncillaryItem] = []
    ) {
        self.text = text
        self.byteCount = byteCount
        self.sender = sender
        self.flags = flags
        self.items = items
    }
}

extension Socket {
    /// Waits for a message, at most 20 s; descriptors that come with it are closed.
    @available(*, noasync)
    public func arrived(
        room: Int = 100, ancillaryByteCount: Int = 0, flags: MessageFlags = []
    ) throws(SocketError) -> ArrivedMessage {
        var storage = [UInt8](repeating: 0, count: room)
        var span = storage.mutableSpan
        var bytes = span.mutableBytes
        let message = try receiveMessage(
            into: &bytes, ancillaryByteCount: ancillaryByteCount, flags: flags,
            within: .seconds(20))
        return ArrivedMessage(
            text: Array(storage[..<min(message.byteCount, room)]).text,
            byteCount: message.byteCount, sender: message.sender, flags: message.flags,
            items: message.items)
    }
}
