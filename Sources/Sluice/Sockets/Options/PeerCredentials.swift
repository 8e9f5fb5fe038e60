// SPDX-License-Identifier: Apache-2.0
//
// Who is at the other end of a Unix socket, as the kernel vouches for it.

import CSystemCalls
import Glibc

/// Who was at the other end of a Unix socket when it was connected.
///
/// The kernel vouches for it; the process may have ended since, and its number been given to
/// another. Source: `SO_PEERCRED`, unix(7).
public struct PeerCredentials: Hashable, Sendable {
    /// The number of the process; 0 where there is no peer, or none in this namespace, as
    /// pid_namespaces(7) has it.
    public let processID: Int32
    /// The effective user; `UInt32.max` where there is no peer.
    public let userID: UInt32
    /// The effective group; `UInt32.max` where there is no peer.
    public let groupID: UInt32

    /// A process, with the user and the group that it acts for.
    public init(processID: Int32, userID: UInt32, groupID: UInt32) {
        self.processID = processID
        self.userID = userID
        self.groupID = groupID
    }
}

extension SocketOptionForm where Value == PeerCredentials {
    /// C's `struct ucred`.
    static var credentials: Self {
        Self(byteCount: MemoryLayout<csystem_credentials_of_peer>.size) { answer in
            guard let process = answer.number(Int32.self, at: 0),
                let user = answer.number(UInt32.self, at: 4),
                let group = answer.number(UInt32.self, at: 8)
            else { return nil }
            return PeerCredentials(processID: process, userID: user, groupID: group)
        }
    }
}
