// SPDX-License-Identifier: Apache-2.0
//
// Addresses as the kernel takes and gives them: C's structures, laid into `sockaddr_storage`.
// What the kernel gives is read by its length, and never beyond.

import CSystemCalls
import Glibc

/// An address as the kernel takes it.
struct KernelAddress {
    private(set) var storage = sockaddr_storage()
    private(set) var length: socklen_t = 0

    init<Form>(_ form: Form) {
        length = socklen_t(MemoryLayout<Form>.size)
        withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: form, as: Form.self) }
    }

    /// The bytes that follow the family.
    ///
    /// - Throws: `.nameTooLong` for more than `limit` of them.
    init(
        family: AddressFamily, _ bytes: [UInt8],
        upTo limit: Int = MemoryLayout<sockaddr_storage>.size - MemoryLayout<sa_family_t>.size
    ) throws(ErrorCode) {
        let start = MemoryLayout<sa_family_t>.size
        if bytes.count > limit { throw .nameTooLong }
        length = socklen_t(start + bytes.count)
        storage.ss_family = sa_family_t(truncatingIfNeeded: family.rawValue)
        withUnsafeMutableBytes(of: &storage) { storage in
            UnsafeMutableRawBufferPointer(rebasing: storage[start...]).copyBytes(from: bytes)
        }
    }

    /// - Throws: `.nameTooLong` for a name that does not fit into `sockaddr_un`.
    init(unixName name: [UInt8]) throws(ErrorCode) {
        try self.init(
            family: .unix, name,
            upTo: MemoryLayout<sockaddr_un>.size - MemoryLayout<sa_family_t>.size)
    }

    func withPointer<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        withUnsafePointer(to: storage) { pointer in
            // `sockaddr_storage` is made to be read as any other kind of address.
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
        }
    }
}

extension SocketAddress {
    /// The address as the kernel takes it.
    ///
    /// - Throws: `.nameTooLong` for a name or bytes that do not fit, `.invalidArgument` for a path
    ///   that is none.
    func kernelForm() throws(ErrorCode) -> KernelAddress {
        switch self {
        case .ip(.v4(let value), let port):
            return KernelAddress(sockaddr_in(value, port))
        case .ip(let address, let port): return Self.ipv6Form(address, port, 0)
        case .flow(let address, let port, let information):
            return Self.ipv6Form(address, port, information)
        case .unix(let path):
            if path.isEmpty || path.utf8.contains(0) { throw .invalidArgument }
            return try KernelAddress(unixName: Array(path.utf8) + [0])
        case .abstract(let name): return try KernelAddress(unixName: [0] + name)
        case .unnamed: return try KernelAddress(unixName: [])
        case .netlink(let port, let groups):
            return KernelAddress(
                sockaddr_nl(
                    nl_family: sa_family_t(AF_NETLINK), nl_pad: 0, nl_pid: port, nl_groups: groups))
        case .vsock(let contextID, let port):
            var form = sockaddr_vm()
            form.svm_family = sa_family_t(AF_VSOCK)
            form.svm_cid = contextID
            form.svm_port = port
            return KernelAddress(form)
        case .packet(let link): return KernelAddress(try link.kernelForm())
        case .other(let family, let bytes): return try KernelAddress(family: family, bytes)
        }
    }

    private static func ipv6Form(
        _ address: IPAddress, _ port: UInt16, _ information: UInt32
    ) -> KernelAddress {
        var scope: UInt32 = 0
        if case .v6(_, _, let number) = address { scope = number }
        return KernelAddress(
            sockaddr_in6(
                sin6_family: sa_family_t(AF_INET6), sin6_port: port.bigEndian,
                sin6_flowinfo: information.bigEndian, sin6_addr: address.in6, sin6_scope_id: scope))
    }

    /// Reads what the kernel wrote.
    init(_ storage: borrowing sockaddr_storage, length: socklen_t) {
        let length = min(Int(length), MemoryLayout<sockaddr_storage>.size)
        self = withUnsafeBytes(of: storage) {
            Self.read(UnsafeRawBufferPointer(rebasing: $0[..<length]))
        }
    }

    /// Reads what the kernel wrote; an address that is cut off is one of bytes.
    static func read(_ bytes: UnsafeRawBufferPointer) -> SocketAddress {
        let start = MemoryLayout<sa_family_t>.size
        guard bytes.count >= start else { return .unnamed }
        let family = CInt(bytes.loadUnaligned(as: sa_family_t.self))
        switch family {
        case AF_INET where bytes.count >= MemoryLayout<sockaddr_in>.size:
            let form = bytes.loadUnaligned(as: sockaddr_in.self)
            return .ip(
                .v4(UInt32(bigEndian: form.sin_addr.s_addr)), port: UInt16(bigEndian: form.sin_port)
            )
        case AF_INET6 where bytes.count >= MemoryLayout<sockaddr_in6>.size:
            let form = bytes.loadUnaligned(as: sockaddr_in6.self)
            let address = IPAddress(form.sin6_addr, scope: form.sin6_scope_id)
            let port = UInt16(bigEndian: form.sin6_port)
            let information = UInt32(bigEndian: form.sin6_flowinfo)
            if information == 0 { return .ip(address, port: port) }
            return .flow(address, port: port, information: information)
        case AF_UNIX: return unixName(bytes[start...])
        case AF_NETLINK where bytes.count >= MemoryLayout<sockaddr_nl>.size:
            let form = bytes.loadUnaligned(as: sockaddr_nl.self)
            return .netlink(port: form.nl_pid, groups: form.nl_groups)
        case AF_VSOCK where bytes.count >= MemoryLayout<sockaddr_vm>.size:
            let form = bytes.loadUnaligned(as: sockaddr_vm.self)
            return .vsock(contextID: form.svm_cid, port: form.svm_port)
        // The hardware's address may be longer, or cut off behind its own length.
        case AF_PACKET where bytes.count >= 12:
            return .packet(LinkAddress(bytes))
        default:
            return .other(family: AddressFamily(rawValue: family), bytes: Array(bytes[start...]))
        }
    }

    private static func unixName(_ name: Slice<UnsafeRawBufferPointer>) -> SocketAddress {
        guard let first = name.first else { return .unnamed }
        if first == 0 { return .abstract(name: Array(name.dropFirst())) }
        let path = name.prefix { $0 != 0 }
        guard let text = String(validating: path, as: UTF8.self) else {
            return .other(family: .unix, bytes: Array(path) + [0])
        }
        return .unix(path: text)
    }

    /// Has the kernel fill an address in and reads it, where the call succeeds.
    static func filled(
        by call: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> CInt
    ) -> (result: CInt, address: SocketAddress) {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = withUnsafeMutablePointer(to: &storage) { pointer in
            // `sockaddr_storage` is made to be written as any other kind of address.
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { call($0, &length) }
        }
        return (result, result < 0 ? .unnamed : SocketAddress(storage, length: length))
    }
}

extension sockaddr_in {
    init(_ address: UInt32, _ port: UInt16) {
        self.init(
            sin_family: sa_family_t(AF_INET), sin_port: port.bigEndian,
            sin_addr: in_addr(s_addr: address.bigEndian), sin_zero: (0, 0, 0, 0, 0, 0, 0, 0))
    }
}

extension LinkAddress {
    /// - Throws: `.nameTooLong` for a hardware address of more than 8 bytes.
    fileprivate func kernelForm() throws(ErrorCode) -> sockaddr_ll {
        var form = sockaddr_ll()
        if hardwareAddress.count > MemoryLayout.size(ofValue: form.sll_addr) { throw .nameTooLong }
        form.sll_family = sa_family_t(AF_PACKET)
        form.sll_protocol = protocolNumber.bigEndian
        form.sll_ifindex = CInt(truncatingIfNeeded: interface)
        form.sll_hatype = hardwareType
        form.sll_pkttype = packetType.rawValue
        form.sll_halen = UInt8(hardwareAddress.count)
        withUnsafeMutableBytes(of: &form.sll_addr) { $0.copyBytes(from: hardwareAddress) }
        return form
    }

    /// Reads a `sockaddr_ll` of which at least what stands before the hardware's address is there.
    fileprivate init(_ bytes: UnsafeRawBufferPointer) {
        let length = min(Int(bytes[11]), bytes.count - 12)
        self.init(
            protocolNumber: UInt16(
                bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self)),
            interface: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self),
            hardwareAddress: Array(bytes[12..<12 + length]),
            hardwareType: bytes.loadUnaligned(fromByteOffset: 8, as: UInt16.self),
            packetType: PacketType(rawValue: bytes[10]) ?? .other)
    }
}

extension SocketAddress {
    /// An address as the kernel writes it, the family before all.
    package init(kernelBytes bytes: [UInt8]) { self = bytes.withUnsafeBytes { Self.read($0) } }

    /// The address as the kernel takes it; `nil` for one that it does not take.
    package var kernelBytes: [UInt8]? {
        // Why it is none is of no interest here.
        guard let form = try? kernelForm() else { return nil }
        return withUnsafeBytes(of: form.storage) { Array($0.prefix(Int(form.length))) }
    }
}
