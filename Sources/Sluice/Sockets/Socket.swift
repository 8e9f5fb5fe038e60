// SPDX-License-Identifier: Apache-2.0
//
// A non-blocking stream socket with one owner: the BSD calls, and nothing that knows a loop.
// Reactors, channels and listeners stand on it.

import CSystemCalls
import Glibc

/// An open stream socket, closed exactly once: by ``close()``, or when its life ends.
///
/// Every socket made here is non-blocking and closed on exec; an adopted one stays as it is until a
/// channel is made of it. Writing never raises `SIGPIPE`.
public struct Socket: ~Copyable, Sendable {
    let descriptor: Descriptor

    /// Becomes the owner of an open socket.
    public init(adopting descriptor: consuming Descriptor) {
        self.descriptor = descriptor
    }

    /// Opens a stream socket of the family that `address` has.
    ///
    /// - Throws: ``SocketError`` with operation `.create`, such as `.tooManyOpenFiles`. Source:
    ///   socket(2).
    public init(for address: SocketAddress) throws(SocketError) {
        let number = try retrying(.create, at: address) {
            SystemCall.createSocket.made { Glibc.socket(address.family, csystem_stream(), 0) }
        }
        descriptor = Descriptor(adopting: number)
    }

    /// The number that the kernel knows the socket by.
    public var number: CInt { descriptor.number }

    /// Makes an adopted socket non-blocking.
    func stopBlocking() throws(SocketError) {
        let number = number
        let flags = fcntl(number, F_GETFL, 0)
        if flags >= 0, flags & O_NONBLOCK != 0 { return }
        _ = try retrying(.setOption) {
            SystemCall.stopBlocking.made { fcntl(number, F_SETFL, flags | O_NONBLOCK) }
        }
    }

    /// Two sockets that are connected to each other.
    ///
    /// Source: socketpair(2), `AF_UNIX`.
    ///
    /// - Throws: ``SocketError`` with operation `.create`.
    public static func makePair() throws(SocketError) -> Pair {
        var numbers: (CInt, CInt) = (-1, -1)
        _ = try retrying(.create) {
            SystemCall.pair.made {
                // A tuple of two integers is laid out as C's array of two.
                withUnsafeMutableBytes(of: &numbers) {
                    csystem_pair($0.assumingMemoryBound(to: CInt.self).baseAddress)
                }
            }
        }
        return Pair(
            first: Socket(adopting: Descriptor(adopting: numbers.0)),
            second: Socket(adopting: Descriptor(adopting: numbers.1)))
    }

    /// Two connected sockets, each with its own owner.
    @frozen
    public struct Pair: ~Copyable, Sendable {
        /// One end.
        public var first: Socket
        /// The other end.
        public var second: Socket
    }

    /// Closes now, for callers that must know whether it worked.
    ///
    /// The socket is gone even when this throws. Source: close(2).
    ///
    /// - Throws: ``SocketError`` with operation `.close`.
    public consuming func close() throws(SocketError) {
        do throws(ErrorCode) {
            try descriptor.close()
        } catch {
            throw SocketError(.close, error)
        }
    }

    /// Gives the socket away: the caller closes it.
    public consuming func release() -> Descriptor {
        descriptor
    }
}

// MARK: - Connecting and accepting

extension Socket {
    /// How a non-blocking connect(2) began.
    public enum ConnectResult: Hashable, Sendable {
        /// The connection is there.
        case connected
        /// It is under way: the socket becomes writable when it is decided.
        case inProgress
    }

    /// Gives the socket its local address; port 0 lets the kernel choose one.
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

    /// Starts to wait for connections.
    ///
    /// Source: listen(2).
    ///
    /// - Parameter backlog: how many may wait to be accepted; the kernel caps it at
    ///   `/proc/sys/net/core/somaxconn`.
    /// - Throws: ``SocketError`` with operation `.listen`.
    public func listen(backlog: Int) throws(SocketError) {
        _ = try retrying(.listen) {
            SystemCall.listen.made { Glibc.listen(number, CInt(clamping: max(0, backlog))) }
        }
    }

    /// Takes the next waiting connection, or `nil` if none waits.
    ///
    /// Source: accept4(2).
    ///
    /// - Throws: ``SocketError`` with operation `.accept`, such as `.tooManyOpenFiles`.
    public func accept() throws(SocketError) -> Accepted? {
        while true {
            let (result, address) = SocketAddress.filled { form, length in
                SystemCall.accept.made { csystem_accept(number, form, length) }
            }
            if result >= 0 {
                return Accepted(
                    socket: Socket(adopting: Descriptor(adopting: result)),
                    peer: address ?? .unnamed)
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

    /// Starts a connection.
    ///
    /// Source: connect(2).
    ///
    /// - Throws: ``SocketError`` with operation `.connect`, such as `.connectionRefused`.
    public func connect(to address: SocketAddress) throws(SocketError) -> ConnectResult {
        let form = try kernelForm(of: address, for: .connect)
        let result = SystemCall.connect.made {
            form.withPointer { Glibc.connect(number, $0, $1) }
        }
        if result == 0 { return .connected }
        switch ErrorCode.last {
        // An interrupted connect goes on in the background, like one in progress.
        case .inProgress, .interrupted: return .inProgress
        case let code: throw SocketError(.connect, code, at: address)
        }
    }

    private func kernelForm(
        of address: SocketAddress, for operation: SocketError.Operation
    ) throws(SocketError) -> KernelAddress {
        do throws(ErrorCode) {
            return try address.kernelForm()
        } catch {
            throw SocketError(operation, error, at: address)
        }
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

// MARK: - Names and options

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
        guard let address else { throw SocketError(.name, .addressFamilyNotSupported) }
        return address
    }

    /// Changes an option.
    ///
    /// Source: setsockopt(2).
    ///
    /// - Throws: ``SocketError`` with operation `.setOption`, such as `.noProtocolOption`.
    public func set<Value>(_ option: SocketOption<Value>, to value: Value) throws(SocketError) {
        var form = value.kernelForm
        let size = socklen_t(MemoryLayout<Value.KernelForm>.size)
        _ = try retrying(.setOption) {
            SystemCall.setOption.made {
                setsockopt(number, option.level, option.name, &form, size)
            }
        }
    }

    /// Reads an option.
    ///
    /// Source: getsockopt(2).
    ///
    /// - Throws: ``SocketError`` with operation `.getOption`, such as `.noProtocolOption`.
    public func get<Value>(_ option: SocketOption<Value>) throws(SocketError) -> Value {
        var form = Value.emptyKernelForm
        var size = socklen_t(MemoryLayout<Value.KernelForm>.size)
        _ = try retrying(.getOption) {
            SystemCall.getOption.made {
                getsockopt(number, option.level, option.name, &form, &size)
            }
        }
        return Value(kernelForm: form)
    }
}
