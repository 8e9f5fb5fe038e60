// SPDX-License-Identifier: Apache-2.0
//
// A server without a reactor: it waits for one client after the other.
// For programs and threads that do one thing at a time.

/// A listening socket that waits for its clients.
///
/// It may be used on any one thread; ``Server`` serves many clients at once.
public struct ServerSocket: ~Copyable, Sendable {
    private var socket: ListeningSocket?
    /// Where it listens, with the real port in place of 0.
    public let address: SocketAddress

    /// Listens at an address.
    ///
    /// The address of a server that has just ended may be taken at once (`SO_REUSEADDR`), that of
    /// one that listens may not.
    ///
    /// - Throws: ``SocketError`` with operation `.create`, `.setOption`, `.bind`, such as
    ///   `.addressInUse`, `.listen` or `.name`.
    public init(
        at address: SocketAddress, options: ListenerOptions = .init()
    ) throws(SocketError) {
        let socket = try ListeningSocket(at: address, options)
        self.address = socket.address
        self.socket = consume socket
    }

    /// Waits for the next client.
    ///
    /// Clients that are gone before they were accepted are passed over.
    ///
    /// - Parameter options: what the channel is like; it blocks in any case.
    /// - Throws: ``SocketError`` with operation `.accept`, such as `.tooManyOpenFiles`, or
    ///   `.badDescriptor` after ``close()``.
    @available(*, noasync, message: "it blocks the thread: 'ServerGroup' accepts for tasks")
    public func accept(options: ChannelOptions = .init()) throws(SocketError) -> Channel {
        while true {
            if let channel = try acceptNow(options) { return channel }
            try waitForClient()
        }
    }

    private func acceptNow(_ options: ChannelOptions) throws(SocketError) -> Channel? {
        do throws(SocketError) {
            switch socket {
            case .none: throw SocketError(.accept, .badDescriptor, at: address)
            case .some(let socket):
                guard let accepted = try socket.accept() else { return nil }
                let peer = accepted.peer
                return Channel(alone: accepted.intoSocket(), peer, options)
            }
        } catch {
            if ListeningSocket.isClientsFailure(error.code) { return nil }
            throw SocketError(.accept, error.code, at: address)
        }
    }

    private func waitForClient() throws(SocketError) {
        switch socket {
        case .none: break
        case .some(let socket): _ = try socket.socket.wait(until: .readable)
        }
    }

    /// Stops listening; channels that were accepted live on.
    ///
    /// Closing again does nothing.
    public mutating func close() { socket = nil }
}
