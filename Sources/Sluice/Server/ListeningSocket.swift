// SPDX-License-Identifier: Apache-2.0
//
// A socket that listens, and the file that it has where it is a Unix socket's.
// Listeners on a reactor and those that wait for clients stand on it.

import CSystemCalls
import Glibc

/// A socket that listens; its file goes with it.
struct ListeningSocket: ~Copyable {
    // Removed before the socket is closed: once that is, another server may take the path.
    private var file: UnixFile?
    let socket: Socket
    /// Where it listens, with the real port in place of 0.
    let address: SocketAddress

    init(at address: SocketAddress, _ options: ListenerOptions) throws(SocketError) {
        let socket = try Socket(for: address)
        try Self.prepare(socket, address, options)
        // The file that bind(2) has made belongs to this socket, also when what follows fails.
        var binding = try socket.bind(to: address, options.unixPath)
        do throws(SocketError) {
            try socket.listen(backlog: options.backlog)
        } catch {
            throw SocketError(.listen, error.code, at: address)
        }
        self.address = try socket.localAddress
        binding.lock = nil
        self.socket = socket
        file = binding.takeFile()
    }

    /// Takes a socket over that somebody else has opened, and listens where it does not yet.
    ///
    /// The file of a Unix socket stays: it belongs to whoever made it.
    init(adopting socket: consuming Socket, _ options: ListenerOptions) throws(SocketError) {
        let address = try socket.localAddress
        // Packets in sequence have bounds, and a channel has none.
        guard try socket.kind == .stream else {
            throw SocketError(.adopt, .wrongProtocolKind, at: address)
        }
        try socket.stopBlocking()
        if try !socket.get(.isListening) {
            do throws(SocketError) {
                try socket.listen(backlog: options.backlog)
            } catch {
                throw SocketError(.listen, error.code, at: address)
            }
        }
        // What is accepted inherits it.
        if options.noDelay, address.ipAddress != nil { try socket.set(.noDelay, to: true) }
        // One that nobody has bound has got a port by listening.
        self.address = try socket.localAddress
        self.socket = socket
        file = nil
    }

    private static func prepare(
        _ socket: borrowing Socket, _ address: SocketAddress, _ options: ListenerOptions
    ) throws(SocketError) {
        guard let ip = address.ipAddress else { return }
        try socket.set(.reuseAddress, to: true)
        if options.reusePort { try socket.set(.reusePort, to: true) }
        if ip.isIPv6 { try socket.set(.ipv6Only, to: !options.acceptsBothFamilies) }
        // What is accepted inherits it.
        if options.noDelay { try socket.set(.noDelay, to: true) }
    }

    /// Whether nobody listens at an IP address, also nobody who shares its port.
    ///
    /// Nobody has to be told of port 0, for which the kernel chooses one that is free.
    ///
    /// - Throws: ``SocketError`` with operation `.bind`, such as `.addressInUse`.
    static func checkIsFree(
        _ address: SocketAddress, _ options: ListenerOptions
    ) throws(SocketError) {
        if address.port == 0 { return }
        let socket = try Socket(for: address)
        try prepare(socket, address, options)
        // It listens never, so that no client gets to it.
        try socket.bind(to: address)
    }

    /// Leaves the file where it is at the end.
    mutating func leaveFile() { file?.leave() }

    /// Takes the next waiting client, or `nil` if none waits; an IPv4 client's address is told as
    /// IPv4.
    func accept() throws(SocketError) -> Socket.Accepted? {
        guard let accepted = try socket.accept() else { return nil }
        let peer = accepted.peer.unmapped
        return Socket.Accepted(socket: accepted.intoSocket(), peer: peer)
    }

    /// Whether the client, or its network, was gone before it was accepted, so that the next one is
    /// asked for.
    ///
    /// Source: accept(2), "Error handling".
    static func isClientsFailure(_ code: ErrorCode) -> Bool {
        switch code {
        case .connectionAborted, .hostUnreachable, .networkUnreachable, .notPermitted, .timedOut,
            ErrorCode(rawValue: EPROTO), ErrorCode(rawValue: ENETDOWN),
            ErrorCode(rawValue: EHOSTDOWN), ErrorCode(rawValue: ENONET),
            ErrorCode(rawValue: ENOPROTOOPT):
            true
        default: false
        }
    }
}

extension Socket.Accepted {
    consuming func intoSocket() -> Socket { socket }
}
