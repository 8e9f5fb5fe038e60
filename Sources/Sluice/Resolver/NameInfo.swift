// SPDX-License-Identifier: Apache-2.0
//
// The names of an address and a port: getnameinfo(3), the way back from getaddrinfo(3).

import CSystemCalls
import Glibc

/// The names of the host and the service that an address leads to.
///
/// Source: getnameinfo(3).
public struct NameInfo: Hashable, Sendable {
    /// The host: its name, or the number.
    public let host: String
    /// The service: its name, or the port in decimal.
    public let service: String

    /// How to ask.
    public struct Flags: OptionSet, Hashable, Sendable {
        /// The flags, as in C.
        public let rawValue: CInt

        /// Wraps flags as in C.
        public init(rawValue: CInt) { self.rawValue = rawValue }

        /// The host as a number; no name service is asked (`NI_NUMERICHOST`).
        public static let numericHost = Self(rawValue: NI_NUMERICHOST)
        /// The port as a number (`NI_NUMERICSERV`).
        public static let numericService = Self(rawValue: NI_NUMERICSERV)
        /// A host without a name is an error, and not told as a number (`NI_NAMEREQD`).
        public static let nameRequired = Self(rawValue: NI_NAMEREQD)
        /// The service is one of datagrams: that of UDP, and not of TCP (`NI_DGRAM`).
        public static let datagram = Self(rawValue: NI_DGRAM)
        /// The name of a host in this machine's own domain is told without the domain
        /// (`NI_NOFQDN`).
        public static let withoutOwnDomain = Self(rawValue: NI_NOFQDN)
        // Declared by the headers only for GNU programs.
        /// The name is told with letters beyond ASCII, where it has some (`NI_IDN`).
        ///
        /// Source: RFC 5891.
        public static let internationalName = Self(rawValue: 32)
    }
}

extension HostName {
    /// The names of the host and the service that an IP address and port lead to.
    ///
    /// What has no name is told as a number. Source: getnameinfo(3).
    ///
    /// - Throws: ``ResolverError``: `.unknownName` with ``NameInfo/Flags/nameRequired``,
    ///   `.unsupportedFamily` for an address that is none of IP.
    @available(*, noasync, message: "it blocks the thread: it waits for the name service")
    public static func nameInfo(
        of address: SocketAddress, flags: NameInfo.Flags = []
    ) throws(ResolverError) -> NameInfo {
        // An IP address always has a kernel's form.
        guard address.ipAddress != nil, let form = try? address.kernelForm() else {
            throw ResolverError("\(address)", .unsupportedFamily)
        }
        var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        var service = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        let code = form.withPointer { pointer, length in
            getnameinfo(
                pointer, length, &host, socklen_t(host.count), &service, socklen_t(service.count),
                flags.rawValue)
        }
        let system = ErrorCode.last
        guard code == 0 else {
            throw ResolverError("\(address)", ResolverError.Reason(code: code, system: system))
        }
        return NameInfo(host: text(host), service: text(service))
    }
}
