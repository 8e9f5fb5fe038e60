// SPDX-License-Identifier: Apache-2.0
//
// A TCP connection of two bare sockets, without a reactor, and the listener that it takes.

public import Sluice

/// Both ends of one TCP connection.
public struct TCPEnds: ~Copyable {
    /// The end that connected.
    public private(set) var client: Socket
    /// The end that was accepted.
    public var server: Socket

    /// Connects the two, on loopback.
    public init() throws {
        let listener = try Socket.listening()
        let client = try Socket.connecting(to: try listener.localAddress)
        guard var accepted = try listener.accept() else {
            throw SocketError(.accept, .wouldBlock)
        }
        server = try Socket.taken(from: &accepted.socket)
        self.client = client
    }

    /// Closes the client's end.
    public mutating func closeClient() throws {
        try Socket.taken(from: &client).close()
    }

    /// Closes the client's end and leaves the server's.
    public consuming func closingClient() throws -> Socket {
        try client.close()
        return server
    }
}

extension Socket {
    /// A bare socket that listens on a port of loopback, with room for 4 that wait.
    public static func listening() throws(SocketError) -> Socket {
        let listener = try Socket(for: .loopback(port: 0))
        try listener.bind(to: .loopback(port: 0))
        try listener.listen(backlog: 4)
        return listener
    }
}
