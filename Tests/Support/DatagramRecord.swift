// SPDX-License-Identifier: Apache-2.0
//
// A datagram channel that keeps all that it is told, and bare datagram sockets as its peers.
// The channel is moved by its reactor, the sockets by the test.

public import Sluice
import Testing

/// What one datagram channel was told, in order.
public final class DatagramRecord {
    /// The channel.
    public let channel: DatagramChannel
    /// The bytes of each datagram.
    public private(set) var contents: [[UInt8]] = []
    /// What came with each datagram.
    public private(set) var infos: [DatagramInfo] = []
    /// The errors.
    public private(set) var errors: [DatagramError] = []
    /// How often it was told that the channel is closed.
    public private(set) var closeCount = 0

    /// Keeps what a channel is told from now on: its handlers are replaced.
    public init(_ channel: DatagramChannel) {
        self.channel = channel
        // Weak: a record that a test has let go of is nobody's any more.
        channel.onDatagram { [weak self] _, bytes, info in
            self?.contents.append(bytes.array)
            self?.infos.append(info)
        }
        channel.onError { [weak self] _, error in self?.errors.append(error) }
        channel.onClose { [weak self] _ in self?.closeCount += 1 }
    }

    /// Opens a channel at an address.
    public convenience init(
        on reactor: Reactor, at address: SocketAddress = .loopback(port: 0),
        options: DatagramOptions = .init()
    ) throws(SocketError) {
        self.init(try DatagramChannel(on: reactor, at: address, options: options))
    }

    /// Opens a channel that sends to one peer.
    public convenience init(
        on reactor: Reactor, connectedTo peer: SocketAddress, from local: SocketAddress? = nil,
        options: DatagramOptions = .init()
    ) throws(SocketError) {
        self.init(
            try DatagramChannel(on: reactor, connectedTo: peer, from: local, options: options))
    }

    /// How many datagrams came.
    public var count: Int { contents.count }

    /// The datagrams as text.
    public var texts: [String] { contents.map(\.text) }

    /// Who has sent each of them.
    public var senders: [SocketAddress] { infos.map(\.sender) }

    /// The channel's own address.
    public var address: SocketAddress { get throws(SocketError) { try channel.localAddress } }
}

extension DatagramChannel {
    /// Sends a text.
    @discardableResult
    public func send(
        text: String, to address: SocketAddress? = nil
    ) throws(SocketError) -> DatagramSendResult {
        try send(Array(text.utf8), to: address)
    }
}

extension Socket {
    /// A bare datagram socket at an address.
    public static func datagrams(
        at address: SocketAddress = .loopback(port: 0)
    ) throws(SocketError) -> Socket {
        let socket = try Socket(for: address, kind: .datagram)
        try socket.bind(to: address)
        return socket
    }

    /// Sends a text as one datagram; the test fails where the kernel has no room.
    public func send(_ text: String, to address: SocketAddress) throws {
        let bytes = Array(text.utf8)
        #expect(try send(bytes.span.bytes, to: address) == .bytes(bytes.count))
    }

    /// Receives a datagram that is there, up to 64 KiB of it; `nil` where none is.
    public func receiveDatagram() throws(SocketError) -> (bytes: [UInt8], sender: SocketAddress?)? {
        var storage = [UInt8](repeating: 0, count: 65_536)
        var span = storage.mutableSpan
        var bytes = span.mutableBytes
        guard let message = try receiveMessage(into: &bytes) else { return nil }
        return (Array(storage[..<message.byteCount]), message.sender)
    }

    /// Receives all datagrams that are there, as text.
    public func receiveTexts() throws(SocketError) -> [String] {
        var texts: [String] = []
        while let datagram = try receiveDatagram() { texts.append(datagram.bytes.text) }
        return texts
    }
}

extension SocketAddress {
    /// ::1 and a port; 0 lets the kernel choose one.
    public static func loopback6(port: UInt16) -> SocketAddress { .ip(.loopback6, port: port) }

    /// An address of this machine's where nobody hears datagrams, nor comes to by chance.
    ///
    /// Its port is below those that the kernel gives out by itself.
    public static func deaf(_ ip: IPAddress = .loopback) throws -> SocketAddress {
        for _ in 0..<1_000 {
            let address = SocketAddress.ip(ip, port: .random(in: 10_000..<30_000))
            do throws(SocketError) {
                _ = try Socket.datagrams(at: address)
                return address
            } catch {
                guard error.code == .addressInUse else { throw error }
            }
        }
        throw SocketError(.bind, .addressInUse)
    }

    /// Whether this machine has ::1.
    public static let hasLoopback6: Bool = {
        // What fails here only says that it has not.
        (try? Socket.datagrams(at: .loopback6(port: 0))) != nil
    }()
}
