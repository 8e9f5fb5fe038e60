// SPDX-License-Identifier: Apache-2.0
//
// By which interface a socket sends to groups of IPv4.

import CSystemCalls
import Glibc

/// The interface by which a socket sends to groups of IPv4.
///
/// Source: `IP_MULTICAST_IF`, ip(7).
public enum MulticastInterface: Hashable, Sendable {
    /// The one that the table of routes names.
    case byRoute
    /// The one that has this IPv4 address.
    case address(IPAddress)
    /// The one that has this index; reads back as ``byRoute``, for the kernel tells addresses only.
    case index(UInt32)
}

extension SocketOptionForm where Value == MulticastInterface {
    /// Set as C's `struct ip_mreqn`, answered as `struct in_addr`.
    static var multicastInterface: Self {
        Self(byteCount: MemoryLayout<in_addr>.size) { answer in
            answer.number(UInt32.self).map {
                $0 == 0 ? .byRoute : .address(.v4(UInt32(bigEndian: $0)))
            }
        } write: { value, call throws(ErrorCode) in
            var request = ip_mreqn()
            switch value {
            case .byRoute: break
            case .address(.v4(let address)): request.imr_address.s_addr = address.bigEndian
            case .address: throw .invalidArgument
            case .index(let index): request.imr_ifindex = CInt(clamping: index)
            }
            try give(request, to: call)
        }
    }
}
