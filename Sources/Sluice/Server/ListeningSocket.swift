// SPDX-License-Identifier: Apache-2.0
//
// A socket that listens, and the file that it has where it is a Unix socket's.
// Listeners on a reactor and those that wait for clients stand on it.

import CSystemCalls
import Glibc

/// A socket that listens; its file goes with it.
struct ListeningSocket: ~Copyable {
    let socket: Socket
    let file: SocketFile?
    /// Where it listens, with the real port in place of 0.
    let address: SocketAddress

    init(at address: SocketAddress, _ options: ListenerOptions) throws(SocketError) {
        let socket = try Socket(for: address)
        try Self.prepare(socket, address, options)
        try socket.bind(to: address)
        // The file that bind(2) has made belongs to this socket, also when what follows fails.
        let file: SocketFile?
        if case .unix(let path) = address { file = SocketFile(path: path) } else { file = nil }
        do throws(SocketError) {
            try socket.listen(backlog: options.backlog)
        } catch {
            throw SocketError(.listen, error.code, at: address)
        }
        self.address = try socket.localAddress
        self.socket = socket
        self.file = file
    }

    private static func prepare(
        _ socket: borrowing Socket, _ address: SocketAddress, _ options: ListenerOptions
    ) throws(SocketError) {
        guard case .ip(let ip, _) = address else { return }
        try socket.set(.reuseAddress, to: true)
        if options.reusePort { try socket.set(.reusePort, to: true) }
        if ip.isIPv6 { try socket.set(.ipv6Only, to: !options.acceptsBothFamilies) }
        // What is accepted inherits it.
        if options.noDelay { try socket.set(.noDelay, to: true) }
    }

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

/// The file of a Unix socket, removed when the life of its socket ends.
struct SocketFile: ~Copyable {
    let path: String

    // Somebody else may have removed it already.
    deinit { unlink(path) }
}

extension Socket.Accepted {
    consuming func intoSocket() -> Socket { socket }
}

extension SocketAddress {
    /// The address with an IPv4-mapped IP told as IPv4.
    fileprivate var unmapped: SocketAddress {
        if case .ip(let ip, let port) = self, ip.isIPv4Mapped {
            return .ip(ip.unmapped, port: port)
        }
        return self
    }
}
