// SPDX-License-Identifier: Apache-2.0
//
// A resolved address: what bind(2) and connect(2) take and what getsockname(2) gives.
// Nothing here asks a name service.

/// Where a socket is, or connects to: an IP address and port, or a name of a Unix socket.
public enum SocketAddress: Hashable, Sendable {
    /// An IPv4 or IPv6 address and a port. Source: ip(7), ipv6(7).
    case ip(IPAddress, port: UInt16)
    /// An IPv6 address and a port with flow information other than 0: the flow label, below the
    /// traffic class. The kernel tells it only where it was asked to. Source: RFC 3542, ipv6(7).
    indirect case flow(IPAddress, port: UInt16, information: UInt32)
    /// A Unix socket in the file system: at most 107 bytes of UTF-8. Source: unix(7).
    case unix(path: String)
    /// A Unix socket outside the file system: at most 107 bytes, of which any may be zero. Source:
    /// unix(7).
    case abstract(name: [UInt8])
    /// A Unix socket that nobody gave a name, such as the client's end; to bind to it has the kernel
    /// choose an abstract name.
    case unnamed
    /// A party of netlink: the port of its socket, 0 for the kernel, and a mask of the groups that
    /// it hears. Source: netlink(7).
    case netlink(port: UInt32, groups: UInt32)
    /// A virtual machine or its host, and a port there. Source: vsock(7).
    case vsock(contextID: UInt32, port: UInt32)
    /// An interface and a protocol of frames. Source: packet(7).
    case packet(LinkAddress)
    /// An address of any other family, as the bytes that follow the family in its C structure; of a
    /// Unix socket, a path that is not UTF-8.
    case other(family: AddressFamily, bytes: [UInt8])

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

    /// An address of a host that is written as a number, and a port.
    ///
    /// The empty text is every IPv4 address of the machine, and `<broadcast>` is 255.255.255.255, as
    /// in Python; a name gives `nil`, for nothing is looked up.
    public init?(host: String, port: UInt16) {
        switch host {
        case "": self = .any(port: port)
        case "<broadcast>": self = .broadcast(port: port)
        default:
            guard let address = IPAddress(host) else { return nil }
            self = .ip(address, port: port)
        }
    }

    /// 255.255.255.255 and a port: every machine of the local network.
    public static func broadcast(port: UInt16) -> SocketAddress { .ip(.broadcast, port: port) }

    /// The IP address, where there is one.
    public var ipAddress: IPAddress? {
        switch self {
        case .ip(let address, _), .flow(let address, _, _): address
        default: nil
        }
    }

    /// The port of an IP address, where there is one.
    public var port: UInt16? {
        switch self {
        case .ip(_, let port), .flow(_, let port, _): port
        default: nil
        }
    }

    /// The same address with another port; addresses without one stay as they are.
    public func with(port: UInt16) -> SocketAddress {
        switch self {
        case .ip(let address, _): .ip(address, port: port)
        case .flow(let address, _, let information):
            .flow(address, port: port, information: information)
        default: self
        }
    }

    /// The address with an IPv4-mapped IP told as IPv4.
    var unmapped: SocketAddress {
        if case .ip(let ip, let port) = self, ip.isIPv4Mapped {
            return .ip(ip.unmapped, port: port)
        }
        return self
    }

    /// The family that the address is of.
    public var family: AddressFamily {
        switch self {
        case .ip(let address, _): address.isIPv6 ? .ipv6 : .ipv4
        case .flow: .ipv6
        case .unix, .abstract, .unnamed: .unix
        case .netlink: .netlink
        case .vsock: .vsock
        case .packet: .packet
        case .other(let family, _): family
        }
    }
}

extension SocketAddress: CustomStringConvertible {
    /// `127.0.0.1:80`, `[::1]:80`, `/run/socket`, `@name`, `unnamed`, `netlink:0`, `vsock:2:80`,
    /// `packet:1`, or the family and the bytes.
    public var description: String {
        switch self {
        case .ip(let address, let port):
            return address.isIPv6 ? "[\(address)]:\(port)" : "\(address):\(port)"
        case .flow(let address, let port, let information):
            return "[\(address)]:\(port)/\(information)"
        case .unix(let path): return path
        case .abstract(let name): return "@" + String(decoding: name, as: UTF8.self)
        case .unnamed: return "unnamed"
        case .netlink(let port, let groups):
            return "netlink:\(port)" + (groups == 0 ? "" : "/\(groups)")
        case .vsock(let contextID, let port): return "vsock:\(contextID):\(port)"
        case .packet(let link): return "packet:\(link.interface)"
        case .other(let family, let bytes):
            return "\(family):"
                + bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        }
    }
}
