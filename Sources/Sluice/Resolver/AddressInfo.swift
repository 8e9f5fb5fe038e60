// SPDX-License-Identifier: Apache-2.0
//
// A host and a service, as everything that opening a socket to them takes: getaddrinfo(3).

import CSystemCalls
import Glibc

/// One way to reach a host's service, or to offer one: what to open a socket with, and its address.
///
/// Source: getaddrinfo(3).
public struct AddressInfo: Hashable, Sendable {
    /// The family of the socket.
    public let family: AddressFamily
    /// The kind of the socket.
    public let kind: SocketKind
    /// The protocol of the socket; `.usual` for raw sockets, unless one was asked for.
    public let `protocol`: SocketProtocol
    /// Where to connect or to bind it.
    public let address: SocketAddress
    /// The host's official name: in the first answer, where ``Flags/canonicalName`` asks for it.
    public let canonicalName: String?

    /// How to ask.
    public struct Flags: OptionSet, Hashable, Sendable {
        /// The flags, as in C.
        public let rawValue: CInt

        /// Wraps flags as in C.
        public init(rawValue: CInt) { self.rawValue = rawValue }

        /// Without a host, the addresses to listen at, 0.0.0.0 and ::, in place of those of this
        /// machine to itself (`AI_PASSIVE`).
        public static let passive = Self(rawValue: AI_PASSIVE)
        /// The host's official name as well (`AI_CANONNAME`).
        public static let canonicalName = Self(rawValue: AI_CANONNAME)
        /// The host has to be a number (`AI_NUMERICHOST`).
        public static let numericHost = Self(rawValue: AI_NUMERICHOST)
        /// The service has to be a number (`AI_NUMERICSERV`).
        public static let numericService = Self(rawValue: AI_NUMERICSERV)
        /// Where IPv6 is asked for and there is no address of it, those of IPv4 inside IPv6, such
        /// as ::ffff:192.0.2.1 (`AI_V4MAPPED`).
        public static let ipv4Mapped = Self(rawValue: AI_V4MAPPED)
        /// With ``ipv4Mapped``, those of IPv4 besides the others (`AI_ALL`).
        public static let ipv6AndMapped = Self(rawValue: AI_ALL)
        /// Only addresses of families that this machine has addresses of, the loopback interface
        /// left aside (`AI_ADDRCONFIG`).
        public static let configuredFamilies = Self(rawValue: AI_ADDRCONFIG)
        // The two that follow are declared by the headers only for GNU programs.
        /// The host may have letters beyond ASCII (`AI_IDN`).
        ///
        /// Source: RFC 5891.
        public static let internationalName = Self(rawValue: 0x40)
        /// The official name is told with letters beyond ASCII, where it has some (`AI_CANONIDN`).
        public static let internationalCanonicalName = Self(rawValue: 0x80)
    }
}

extension HostName {
    /// All ways to reach a service of a host, in the order in which they should be tried.
    ///
    /// A host or a service may be absent, but not both: without a host the addresses are those of
    /// this machine to itself, without a service the port is 0. A host that is a number is asked of
    /// nobody. Initially every family that the host has addresses of, and every kind of socket.
    /// Source: getaddrinfo(3).
    ///
    /// The service is a name, such as `http`, or a port in decimal; the family `.ipv4`, `.ipv6`, or
    /// `.unspecified` for both. A service's name may be known for some kinds alone; `nil` is any kind,
    /// and `.usual` any protocol.
    ///
    /// - Throws: ``ResolverError``, such as `.unknownName` or `.unknownService`; its name is the
    ///   service's where that is to blame.
    @available(*, noasync, message: "it blocks the thread: it waits for the name service")
    public static func addressInfo(
        of host: String?, service: String? = nil, family: AddressFamily = .unspecified,
        kind: SocketKind? = nil, protocol number: SocketProtocol = .usual,
        flags: AddressInfo.Flags = []
    ) throws(ResolverError) -> [AddressInfo] {
        if let host, !canAsk(for: host) { throw ResolverError(host, .unknownName) }
        if let service, !isService(service, isNumber: flags.contains(.numericService)) {
            throw ResolverError(service, .unknownService)
        }
        var hints = addrinfo()
        hints.ai_family = family.rawValue
        hints.ai_socktype = kind?.rawValue ?? 0
        hints.ai_protocol = number.rawValue
        hints.ai_flags = flags.rawValue
        if let host, IPAddress(host) != nil { hints.ai_flags |= AI_NUMERICHOST }
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, service, &hints, &list)
        let system = ErrorCode.last
        guard code == 0 else {
            let reason = ResolverError.Reason(code: code, system: system)
            let name = reason == .unknownService ? service ?? host : host ?? service
            throw ResolverError(name ?? "", reason)
        }
        defer { freeaddrinfo(list) }
        return AddressInfo.all(in: list)
    }

    /// Whether a text may be a service: C takes the empty text and `*` for no service at all, and a
    /// number with a sign or above 65,535 for another port.
    private static func isService(_ text: String, isNumber: Bool) -> Bool {
        if text == "*" || !SystemDatabase.canAsk(for: text) { return false }
        guard let first = text.utf8.first else { return false }
        if text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) { return UInt16(text) != nil }
        return !isNumber && !" \t\n\u{B}\u{C}\r+-".utf8.contains(first)
    }
}

extension AddressInfo {
    /// The answers in a list of C's.
    fileprivate static func all(in list: UnsafeMutablePointer<addrinfo>?) -> [AddressInfo] {
        var answers: [AddressInfo] = []
        var next = list
        while let entry = next?.pointee {
            if let answer = AddressInfo(entry) { answers.append(answer) }
            next = entry.ai_next
        }
        return answers
    }

    private init?(_ entry: addrinfo) {
        guard let form = entry.ai_addr else { return nil }
        family = AddressFamily(rawValue: entry.ai_family)
        kind = SocketKind(rawValue: entry.ai_socktype)
        `protocol` = SocketProtocol(rawValue: entry.ai_protocol)
        address = .read(UnsafeRawBufferPointer(start: form, count: Int(entry.ai_addrlen)))
        canonicalName = entry.ai_canonname.map { String(cString: $0) }
    }
}
