// SPDX-License-Identifier: Apache-2.0
//
// The options that only Unix sockets have: who the peer is, and what is told of each sender.
// Each key says its effect, unit, initial value, C name and manual page.

import CSystemCalls
import Glibc

extension ReadOnlySocketOption where Value == PeerCredentials {
    /// Who was at the other end when the socket was connected.
    ///
    /// Read-only. For connected stream sockets and for pairs. Source: `SO_PEERCRED`, unix(7).
    public static var peerCredentials: Self { Self(SOL_SOCKET, SO_PEERCRED, .credentials) }
}

extension ReadOnlySocketOption where Value == [UInt32] {
    /// The supplementary groups of who was at the other end when the socket was connected.
    ///
    /// Read-only. `.noData` where there is no peer. Linux 4.13. Source: `SO_PEERGROUPS`,
    /// asm-generic/socket.h.
    public static var peerGroups: Self { Self(SOL_SOCKET, SO_PEERGROUPS, .numbers) }
}

extension ReadOnlySocketOption where Value == String {
    /// The peer's security context, as a module such as SELinux has it.
    ///
    /// Read-only. `.noProtocolOption` where no module gives contexts. Also of TCP sockets, where
    /// IPsec or NetLabel carries it. Source: `SO_PEERSEC`, unix(7), ip(7).
    public static var peerSecurityContext: Self {
        Self(SOL_SOCKET, SO_PEERSEC, .text(upTo: 256))
    }
}

extension SocketOption where Value == Bool {
    /// Tells with each message the sender's process, user and group.
    ///
    /// Initially off. Gives a socket without a name one. Ancillary data `SCM_CREDENTIALS`. Source:
    /// `SO_PASSCRED`, unix(7).
    public static var receivesCredentials: Self { Self(SOL_SOCKET, SO_PASSCRED, .flag) }

    /// Tells with each message the sender's security context.
    ///
    /// Initially off. Ancillary data `SCM_SECURITY`. Source: `SO_PASSSEC`, unix(7).
    public static var receivesSecurityContext: Self { Self(SOL_SOCKET, SO_PASSSEC, .flag) }
}

extension SocketOptionForm where Value == [UInt32] {
    /// An array of `unsigned int`, as long as the answer is.
    static var numbers: Self {
        let width = MemoryLayout<UInt32>.size
        return Self(byteCount: 64 * width) { answer in
            stride(from: 0, through: answer.byteCount - width, by: width).compactMap {
                answer.number(at: $0)
            }
        }
    }
}
