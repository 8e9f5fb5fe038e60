// SPDX-License-Identifier: Apache-2.0
//
// A resolved address: what bind(2) and connect(2) take and what getsockname(2) gives.
// Nothing here asks a name service.

import CSystemCalls
import Glibc

/// Where a socket is, or connects to: an IP address and port, or a name of a Unix socket.
public enum SocketAddress: Hashable, Sendable {
    /// An IPv4 or IPv6 address and a port. Source: ip(7), ipv6(7).
    case ip(IPAddress, port: UInt16)
    /// A Unix socket in the file system: at most 107 bytes of UTF-8. Source: unix(7).
    case unix(path: String)
    /// A Unix socket outside the file system: at most 107 bytes, of which any may be zero. Source:
    /// unix(7).
    case abstract(name: [UInt8])
    /// A Unix socket that nobody gave a name, such as the client's end.
    case unnamed

    /// 127.0.0.1 and a port; 0 lets the kernel choose one.
    public static func loopback(port: UInt16) -> SocketAddress { .ip(.loopback, port: port) }

    /// 0.0.0.0 and a port: every IPv4 address of the machine.
    public static func any(port: UInt16) -> SocketAddress { .ip(.any, port: port) }

    /// Reads `192.0.2.1:80` or `[2001:db8::1]:80`; anything else gives `nil`.
    public init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"),
            let port = UInt16(digits: text[text.index(after: colon)...])
        else { return nil }
        var host = text[..<colon]
        let bracketed = host.first == "[" && host.last == "]" && host.count > 2
        if bracketed { host = host.dropFirst().dropLast() }
        guard let address = IPAddress(String(host)), address.isIPv6 == bracketed else { return nil }
        self = .ip(address, port: port)
    }

    /// The IP address, where there is one.
    public var ipAddress: IPAddress? {
        if case .ip(let address, _) = self { return address }
        return nil
    }

    /// The port, where there is one.
    public var port: UInt16? {
        if case .ip(_, let port) = self { return port }
        return nil
    }

    /// The same address with another port; Unix addresses stay as they are.
    public func with(port: UInt16) -> SocketAddress {
        if case .ip(let address, _) = self { return .ip(address, port: port) }
        return self
    }
}

extension SocketAddress: CustomStringConvertible {
    /// `127.0.0.1:80`, `[::1]:80`, `/run/socket`, `@name` or `unnamed`.
    public var description: String {
        switch self {
        case .ip(let address, let port):
            return address.isIPv6 ? "[\(address)]:\(port)" : "\(address):\(port)"
        case .unix(let path): return path
        case .abstract(let name): return "@" + String(decoding: name, as: UTF8.self)
        case .unnamed: return "unnamed"
        }
    }
}

// MARK: - The kernel's form

extension SocketAddress {
    var family: CInt {
        switch self {
        case .ip(let address, _): address.isIPv6 ? AF_INET6 : AF_INET
        case .unix, .abstract, .unnamed: AF_UNIX
        }
    }

    /// The address as the kernel takes it.
    ///
    /// - Throws: `.nameTooLong` for a Unix name that does not fit, `.invalidArgument` for a path
    ///   that is none.
    func kernelForm() throws(ErrorCode) -> KernelAddress {
        switch self {
        case .ip(.v4(let value), let port):
            return KernelAddress(
                sockaddr_in(
                    sin_family: sa_family_t(AF_INET), sin_port: port.bigEndian,
                    sin_addr: in_addr(s_addr: value.bigEndian), sin_zero: (0, 0, 0, 0, 0, 0, 0, 0)))
        case .ip(let address, let port):
            var scope: UInt32 = 0
            if case .v6(_, _, let number) = address { scope = number }
            return KernelAddress(
                sockaddr_in6(
                    sin6_family: sa_family_t(AF_INET6), sin6_port: port.bigEndian, sin6_flowinfo: 0,
                    sin6_addr: address.in6, sin6_scope_id: scope))
        case .unix(let path):
            if path.isEmpty || path.utf8.contains(0) { throw .invalidArgument }
            return try KernelAddress(unixName: Array(path.utf8) + [0])
        case .abstract(let name): return try KernelAddress(unixName: [0] + name)
        case .unnamed: return try KernelAddress(unixName: [])
        }
    }

    /// Reads what the kernel wrote; `nil` for a family that is neither IP nor Unix.
    init?(_ storage: borrowing sockaddr_storage, length: socklen_t) {
        let length = min(Int(length), MemoryLayout<sockaddr_storage>.size)
        let address = withUnsafeBytes(of: storage) { bytes -> SocketAddress? in
            guard length >= MemoryLayout<sa_family_t>.size else { return .unnamed }
            switch CInt(bytes.loadUnaligned(as: sa_family_t.self)) {
            case AF_INET where length >= MemoryLayout<sockaddr_in>.size:
                let form = bytes.loadUnaligned(as: sockaddr_in.self)
                return .ip(
                    .v4(UInt32(bigEndian: form.sin_addr.s_addr)),
                    port: UInt16(bigEndian: form.sin_port))
            case AF_INET6 where length >= MemoryLayout<sockaddr_in6>.size:
                let form = bytes.loadUnaligned(as: sockaddr_in6.self)
                return .ip(
                    IPAddress(form.sin6_addr, scope: form.sin6_scope_id),
                    port: UInt16(bigEndian: form.sin6_port))
            case AF_UNIX: return Self.unixName(bytes[MemoryLayout<sa_family_t>.size..<length])
            default: return nil
            }
        }
        guard let address else { return nil }
        self = address
    }

    private static func unixName(_ name: Slice<UnsafeRawBufferPointer>) -> SocketAddress {
        guard let first = name.first else { return .unnamed }
        if first == 0 { return .abstract(name: Array(name.dropFirst())) }
        return .unix(path: String(decoding: name.prefix { $0 != 0 }, as: UTF8.self))
    }

    /// Has the kernel fill an address in and reads it; `nil` if the call fails or the family is
    /// foreign.
    static func filled(
        by call: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> CInt
    ) -> (result: CInt, address: SocketAddress?) {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = withUnsafeMutablePointer(to: &storage) { pointer in
            // `sockaddr_storage` is made to be written as any other kind of address.
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { call($0, &length) }
        }
        return (result, result < 0 ? nil : SocketAddress(storage, length: length))
    }
}

/// An address as the kernel takes it.
struct KernelAddress {
    private var storage = sockaddr_storage()
    private var length = 0

    init<Form>(_ form: Form) {
        length = MemoryLayout<Form>.size
        withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: form, as: Form.self) }
    }

    /// - Throws: `.nameTooLong` for a name that does not fit into `sockaddr_un`.
    init(unixName name: [UInt8]) throws(ErrorCode) {
        let start = MemoryLayout<sa_family_t>.size
        if start + name.count > MemoryLayout<sockaddr_un>.size { throw .nameTooLong }
        length = start + name.count
        storage.ss_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &storage) { bytes in
            UnsafeMutableRawBufferPointer(rebasing: bytes[start...]).copyBytes(from: name)
        }
    }

    func withPointer<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        withUnsafePointer(to: storage) { pointer in
            // `sockaddr_storage` is made to be read as any other kind of address.
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(length))
            }
        }
    }
}
