// SPDX-License-Identifier: Apache-2.0
//
// How a socket gets its addresses: bound, listening, accepted, connected, shut down.
// Nothing here waits, but for sockets that were made blocking.

import CSystemCalls
import Glibc

extension Socket {
    /// How a non-blocking connect(2) began.
    public enum ConnectResult: Hashable, Sendable {
        /// The connection is there.
        case connected
        /// It is under way: the socket becomes writable when it is decided.
        case inProgress
    }

    /// Gives the socket its local address; port 0 lets the kernel choose one, as does
    /// ``SocketAddress/unnamed`` for a name.
    ///
    /// The file of a Unix socket is the program's own to remove; that of a ``ServerSocket``, a
    /// ``Listener`` or a ``DatagramChannel`` goes with it.
    ///
    /// Source: bind(2).
    ///
    /// - Throws: ``SocketError`` with operation `.bind`, such as `.addressInUse`.
    public func bind(to address: SocketAddress) throws(SocketError) {
        let form = try kernelForm(of: address, for: .bind)
        _ = try retrying(.bind, at: address) {
            SystemCall.bind.made { form.withPointer { Glibc.bind(number, $0, $1) } }
        }
    }

    /// Gives the socket its local address, as host and port; nothing is looked up.
    ///
    /// `host`: a number, or as ``SocketAddress/init(host:port:)`` has it.
    ///
    /// - Throws: ``SocketError`` with operation `.bind`: `.invalidArgument` for a host that is no
    ///   number, else as ``bind(to:)``.
    public func bind(to host: String, port: UInt16) throws(SocketError) {
        // Any address is one of the socket's own family.
        if host.isEmpty, try family == .ipv6 { return try bind(to: .ip(.any6, port: port)) }
        try bind(to: try Self.address(host, port, for: .bind))
    }

    /// Starts to wait for connections.
    ///
    /// Source: listen(2).
    ///
    /// - Parameter backlog: how many may wait to be accepted; the kernel caps it at
    ///   `/proc/sys/net/core/somaxconn`. Less than 0 counts as 0.
    /// - Throws: ``SocketError`` with operation `.listen`.
    public func listen(backlog: Int = 4_096) throws(SocketError) {
        _ = try retrying(.listen) {
            SystemCall.listen.made { Glibc.listen(number, CInt(clamping: max(0, backlog))) }
        }
    }

    /// Takes the next waiting connection, or `nil` if none waits.
    ///
    /// The connection is non-blocking and closed on exec, whatever the listening socket is. Source:
    /// accept4(2).
    ///
    /// - Throws: ``SocketError`` with operation `.accept`, such as `.tooManyOpenFiles`.
    public func accept() throws(SocketError) -> Accepted? {
        while true {
            let (result, address) = SocketAddress.filled { form, length in
                SystemCall.accept.made { csystem_accept(number, form, length) }
            }
            if result >= 0 {
                return Accepted(
                    socket: Socket(unverified: Descriptor(adopting: result)), peer: address)
            }
            let code = ErrorCode.last
            if code == .interrupted { continue }
            if code == .wouldBlock { return nil }
            throw SocketError(.accept, code)
        }
    }

    /// A connection that was accepted, and who is at its other end.
    @frozen
    public struct Accepted: ~Copyable, Sendable {
        /// The connection.
        public var socket: Socket
        /// The peer's address.
        public let peer: SocketAddress
    }

    /// Starts a connection; gives a datagram socket the one peer that it sends to and hears.
    ///
    /// Source: connect(2).
    ///
    /// - Throws: ``SocketError`` with operation `.connect`, such as `.connectionRefused`.
    public func connect(to address: SocketAddress) throws(SocketError) -> ConnectResult {
        let form = try kernelForm(of: address, for: .connect)
        let code = connect(form)
        switch code {
        case .success: return .connected
        // An interrupted connect goes on in the background, like one in progress.
        case .inProgress, .interrupted: return .inProgress
        default: throw SocketError(.connect, code, at: address)
        }
    }

    /// Starts a connection to a host and port, as ``connect(to:)``; nothing is looked up.
    ///
    /// - Throws: ``SocketError`` with operation `.connect`: `.invalidArgument` for a host that is no
    ///   number, else as ``connect(to:)``.
    public func connect(to host: String, port: UInt16) throws(SocketError) -> ConnectResult {
        try connect(to: try Self.address(host, port, for: .connect))
    }

    /// Starts a connection and gives the kernel's bare answer: ``ErrorCode/success``, `.inProgress`
    /// while it is under way, and `.isConnected` or the failure when it is asked again.
    ///
    /// Source: connect(2).
    public func connectCode(to address: SocketAddress) -> ErrorCode {
        do throws(ErrorCode) {
            return connect(try address.kernelForm())
        } catch {
            return error
        }
    }

    private func connect(_ form: KernelAddress) -> ErrorCode {
        let result = SystemCall.connect.made {
            form.withPointer { Glibc.connect(number, $0, $1) }
        }
        return result == 0 ? .success : .last
    }

    /// Takes a datagram socket's peer away: it sends to and hears anybody again, at the same port.
    ///
    /// Source: connect(2), `AF_UNSPEC`.
    ///
    /// - Throws: ``SocketError`` with operation `.connect`; with `.bind` and `.addressInUse` where
    ///   somebody else has taken the port at this very moment.
    public func disconnect() throws(SocketError) {
        let nobody = sockaddr(sa_family: sa_family_t(AF_UNSPEC), sa_data: sockaddr().sa_data)
        let before = try localAddress
        let code = connect(KernelAddress(nobody))
        if code != .success { throw SocketError(.connect, code) }
        // The kernel forgets a port that it had chosen by itself.
        guard let port = before.port, port != 0 else { return }
        let now = try localAddress
        if now.port == 0 { try bind(to: now.with(port: port)) }
    }

    func kernelForm(
        of address: SocketAddress, for operation: SocketError.Operation
    ) throws(SocketError) -> KernelAddress {
        do throws(ErrorCode) {
            return try address.kernelForm()
        } catch {
            throw SocketError(operation, error, at: address)
        }
    }

    private static func address(
        _ host: String, _ port: UInt16, for operation: SocketError.Operation
    ) throws(SocketError) -> SocketAddress {
        guard let address = SocketAddress(host: host, port: port) else {
            throw SocketError(operation, .invalidArgument)
        }
        return address
    }

    /// Which direction ``shutDown(_:)`` ends.
    public enum Direction: Hashable, Sendable {
        /// Nothing more is read.
        case reading
        /// Nothing more is written: the peer meets the end of its input.
        case writing
        /// Both.
        case both
    }

    /// Ends one direction or both; the descriptor stays.
    ///
    /// Source: shutdown(2).
    ///
    /// - Throws: ``SocketError`` with operation `.shutDown`, such as `.notConnected`.
    public func shutDown(_ direction: Direction) throws(SocketError) {
        let how =
            switch direction {
            case .reading: SHUT_RD
            case .writing: SHUT_WR
            case .both: SHUT_RDWR
            }
        _ = try retrying(.shutDown) {
            SystemCall.shutdown.made { Glibc.shutdown(number, CInt(how)) }
        }
    }
}

// MARK: - Names

extension Socket {
    /// The socket's own address.
    ///
    /// Source: getsockname(2).
    ///
    /// - Throws: ``SocketError`` with operation `.name`.
    public var localAddress: SocketAddress {
        get throws(SocketError) {
            try name { form, length in
                SystemCall.localName.made { getsockname(number, form, length) }
            }
        }
    }

    /// The peer's address.
    ///
    /// Source: getpeername(2).
    ///
    /// - Throws: ``SocketError`` with operation `.name`, such as `.notConnected`.
    public var peerAddress: SocketAddress {
        get throws(SocketError) {
            try name { form, length in
                SystemCall.peerName.made { getpeername(number, form, length) }
            }
        }
    }

    private func name(
        _ call: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> CInt
    ) throws(SocketError) -> SocketAddress {
        let (result, address) = SocketAddress.filled(by: call)
        if result < 0 { throw SocketError(.name, .last) }
        return address
    }

    /// What the socket is, for people: number, family, kind, addresses, such as
    /// `socket 7, ipv4 stream, 127.0.0.1:80 to 127.0.0.1:4711`.
    ///
    /// A part that the kernel does not tell, as the peer of a socket that has failed, is left out.
    public var description: String {
        // Each failure only means that there is no such part.
        var text = "socket \(number)"
        if let family = try? family, let kind = try? kind { text += ", \(family) \(kind)" }
        if let local = try? localAddress { text += ", \(local)" }
        if let peer = try? peerAddress { text += " to \(peer)" }
        return text
    }
}
