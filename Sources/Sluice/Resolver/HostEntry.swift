// SPDX-License-Identifier: Apache-2.0
//
// A host with all its names and addresses: what gethostbyname(3) and gethostbyaddr(3) tell.

import CSystemCalls
import Glibc

/// A host: its primary name, its other names, and its addresses.
///
/// Source: gethostbyname(3), hosts(5).
public struct HostEntry: Hashable, Sendable {
    /// Its primary name.
    public let name: String
    /// Its other names; often there are none.
    public let aliases: [String]
    /// Its addresses.
    public let addresses: [IPAddress]

    /// Its name with the domain: the first that has a dot in it, the primary name before the
    /// others; the primary name where none has one.
    public var fullName: String {
        ([name] + aliases).first { $0.utf8.contains(UInt8(ascii: ".")) } ?? name
    }
}

extension HostEntry {
    /// Reads one of C's records.
    ///
    /// - Parameter scope: the interface that link-local addresses belong to, which C does not tell.
    init(_ record: hostent, scope: UInt32) {
        name = record.h_name.map { String(cString: $0) } ?? ""
        aliases = SystemDatabase.texts(of: record.h_aliases)
        addresses = SystemDatabase.elements(of: record.h_addr_list).compactMap { bytes in
            let bytes = UnsafeRawPointer(bytes)
            switch (record.h_addrtype, Int(record.h_length)) {
            case (AF_INET, MemoryLayout<in_addr>.size):
                return .v4(UInt32(bigEndian: bytes.loadUnaligned(as: UInt32.self)))
            case (AF_INET6, MemoryLayout<in6_addr>.size):
                return IPAddress(bytes.loadUnaligned(as: in6_addr.self), scope: scope)
            default: return nil
            }
        }
    }
}
