// SPDX-License-Identifier: Apache-2.0
//
// The network interfaces of this machine: number, name, state and addresses.
// Link-local addresses and groups need one of them to be told apart.

import CSystemCalls
import Glibc

/// A network interface of this machine, as it was when it was asked for.
public struct NetworkInterface: Hashable, Sendable {
    /// What an interface can do, and whether it does.
    ///
    /// Source: netdevice(7), `SIOCGIFFLAGS`.
    public struct Flags: OptionSet, Hashable, Sendable {
        /// The bits, as in C.
        public let rawValue: UInt32

        /// Wraps the bits that C calls an interface's flags.
        public init(rawValue: UInt32) { self.rawValue = rawValue }

        /// Switched on by the administrator (`IFF_UP`).
        public static let up = Self(rawValue: UInt32(IFF_UP))
        /// Has an address for all machines of the link (`IFF_BROADCAST`).
        public static let broadcast = Self(rawValue: UInt32(IFF_BROADCAST))
        /// Leads back to this machine (`IFF_LOOPBACK`).
        public static let loopback = Self(rawValue: UInt32(IFF_LOOPBACK))
        /// Leads to one other machine (`IFF_POINTOPOINT`).
        public static let pointToPoint = Self(rawValue: UInt32(IFF_POINTOPOINT))
        /// Can send now, with a link to send on (`IFF_RUNNING`).
        public static let running = Self(rawValue: UInt32(IFF_RUNNING))
        /// Knows groups of machines (`IFF_MULTICAST`).
        public static let multicast = Self(rawValue: UInt32(IFF_MULTICAST))
    }

    /// An address of an interface, and the block of addresses that its link has.
    public struct Address: Hashable, Sendable {
        /// The address; one of IPv6's link-local ones has the interface's number in it.
        public let ip: IPAddress
        /// How many leading bits all addresses of the link share.
        public let prefixLength: Int
        /// The address of all machines of the link; IPv4 alone has such.
        public let broadcast: IPAddress?
        /// The address at the other end of a link between two machines.
        public let peer: IPAddress?

        /// The block of addresses that the link has.
        public var range: AddressRange { AddressRange(ip, prefixLength: prefixLength) }
    }

    /// The number that the kernel knows it by, 1 or more.
    public let index: UInt32
    /// The name, such as `eth0`, of at most 15 bytes; what is not UTF-8 is U+FFFD.
    public let name: String
    /// What it can do, and whether it does.
    public let flags: Flags
    /// Its IPv4 and IPv6 addresses, in the kernel's order.
    public let addresses: [Address]
}

// MARK: - Asking

extension NetworkInterface {
    /// All interfaces of this machine, in the kernel's order, those that are off too.
    ///
    /// One that comes or goes meanwhile may be missing, or have no flags and addresses. Source:
    /// if_nameindex(3), getifaddrs(3).
    ///
    /// - Throws: ``InterfaceError/system(_:)``.
    public static func all() throws(InterfaceError) -> [NetworkInterface] {
        let names = try names()
        let details = try details()
        return names.map { index, name in
            let detail = details[name] ?? Detail()
            return NetworkInterface(
                index: index, name: name, flags: detail.flags, addresses: detail.addresses)
        }
    }

    /// The number of the interface that has a name, or an alternative name.
    ///
    /// Source: if_nametoindex(3).
    ///
    /// - Throws: ``InterfaceError/unknownName(_:)``, also for a text that is no name, such as one with
    ///   more than 15 bytes, or ``InterfaceError/system(_:)``.
    public static func index(of name: String) throws(InterfaceError) -> UInt32 {
        // C would take a name up to a zero for the whole, and the kernel one up to a colon.
        let isCut = name.utf8.contains { $0 == 0 || $0 == UInt8(ascii: ":") }
        if isCut || name.utf8.count >= Int(IF_NAMESIZE) { throw .unknownName(name) }
        var index: UInt32 = 0
        try asking { () -> Bool in
            index = if_nametoindex(name)
            return index != 0
        } unless: { (code) -> InterfaceError? in
            code.rawValue == ENODEV ? .unknownName(name) : nil
        }
        return index
    }

    /// The name of the interface that has a number.
    ///
    /// Source: if_indextoname(3).
    ///
    /// - Throws: ``InterfaceError/unknownIndex(_:)`` or ``InterfaceError/system(_:)``.
    public static func name(of index: UInt32) throws(InterfaceError) -> String {
        var name = [CChar](repeating: 0, count: Int(IF_NAMESIZE))
        try asking { () -> Bool in
            if_indextoname(index, &name) != nil
        } unless: { (code) -> InterfaceError? in
            code.rawValue == ENXIO ? .unknownIndex(index) : nil
        }
        return String(
            decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Asks the kernel, for which C opens a socket.
    private static func asking(
        _ call: () -> Bool, unless known: (ErrorCode) -> InterfaceError? = { _ in nil }
    ) throws(InterfaceError) {
        let result = SystemCall.createSocket.made { call() ? 0 : -1 }
        if result == 0 { return }
        let code = ErrorCode.last
        throw known(code) ?? .system(code)
    }
}

// MARK: - The kernel's lists

extension NetworkInterface {
    /// What one list of the kernel's has for an interface.
    private struct Detail {
        var flags: Flags = []
        var addresses: [Address] = []
    }

    private static func names() throws(InterfaceError) -> [(index: UInt32, name: String)] {
        var list: UnsafeMutablePointer<if_nameindex>?
        try asking {
            list = if_nameindex()
            return list != nil
        }
        defer { if_freenameindex(list) }
        var names: [(index: UInt32, name: String)] = []
        var next = list
        // The last entry has neither number nor name.
        while let entry = next?.pointee, entry.if_index != 0, let name = entry.if_name {
            names.append((entry.if_index, String(cString: name)))
            next = next?.successor()
        }
        return names
    }

    private static func details() throws(InterfaceError) -> [String: Detail] {
        var list: UnsafeMutablePointer<ifaddrs>?
        try asking { getifaddrs(&list) == 0 }
        defer { freeifaddrs(list) }
        var details: [String: Detail] = [:]
        var next = list
        while let entry = next?.pointee {
            // An address may have a label of its own: the interface's name, a colon and anything.
            let name = String(cString: entry.ifa_name).prefix { $0 != ":" }
            var detail = details[String(name)] ?? Detail()
            detail.flags.formUnion(Flags(rawValue: entry.ifa_flags))
            if let address = Address(entry) { detail.addresses.append(address) }
            details[String(name)] = detail
            next = entry.ifa_next
        }
        return details
    }
}

extension NetworkInterface.Address {
    /// `nil` for an address that is not IP.
    fileprivate init?(_ entry: ifaddrs) {
        guard let ip = IPAddress(entry.ifa_addr), let mask = IPAddress(entry.ifa_netmask) else {
            return nil
        }
        self.ip = ip
        prefixLength = mask.packed.reduce(0) { $0 + $1.nonzeroBitCount }
        let flags = NetworkInterface.Flags(rawValue: entry.ifa_flags)
        // Both are one field, and the flags say which; where there is neither, C gives `ip` again.
        var other = IPAddress(entry.ifa_ifu.ifu_broadaddr)
        if other == ip { other = nil }
        broadcast = flags.contains(.broadcast) ? other : nil
        peer = flags.contains(.pointToPoint) && !flags.contains(.broadcast) ? other : nil
    }
}

extension IPAddress {
    /// The address in the kernel's form; `nil` for one that is not IP.
    fileprivate init?(_ form: UnsafeMutablePointer<sockaddr>?) {
        guard let form else { return nil }
        switch CInt(form.pointee.sa_family) {
        case AF_INET:
            let four = UnsafeRawPointer(form).loadUnaligned(as: sockaddr_in.self)
            self = .v4(UInt32(bigEndian: four.sin_addr.s_addr))
        case AF_INET6:
            let six = UnsafeRawPointer(form).loadUnaligned(as: sockaddr_in6.self)
            self.init(six.sin6_addr, scope: six.sin6_scope_id)
        default: return nil
        }
    }
}

// MARK: - Errors

/// Why an interface could not be told; prints as `interface eth9: No such device`.
public enum InterfaceError: Error, Hashable, Sendable {
    /// No interface has this name (`ENODEV`).
    case unknownName(String)
    /// No interface has this number (`ENXIO`).
    case unknownIndex(UInt32)
    /// The kernel could not be asked, such as for lack of descriptors.
    case system(ErrorCode)
}

extension InterfaceError: CustomStringConvertible {
    /// One sentence: the interface and the system's text.
    public var description: String {
        switch self {
        case .unknownName(let name): "interface \(name): \(ErrorCode(rawValue: ENODEV))"
        case .unknownIndex(let index): "interface \(index): \(ErrorCode(rawValue: ENXIO))"
        case .system(let code): "interfaces: \(code)"
        }
    }
}

extension NetworkInterface.Flags: CustomStringConvertible {
    /// The members by name, such as `up, loopback`; others are left out.
    public var description: String {
        let names: [(Self, String)] = [
            (.up, "up"), (.broadcast, "broadcast"), (.loopback, "loopback"),
            (.pointToPoint, "pointToPoint"), (.running, "running"), (.multicast, "multicast"),
        ]
        return names.filter { contains($0.0) }.map(\.1).joined(separator: ", ")
    }
}
