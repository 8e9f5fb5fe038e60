// SPDX-License-Identifier: Apache-2.0
//
// An address as Tcl tells it: number, host's name and port.
// The name is looked up only when it is asked for.

import CSystemCalls
import Glibc

/// An address, its host's name and its port.
///
/// Source: Tcl's socket(n), `-peername` and `-sockname`.
public struct SocketName: Hashable, Sendable {
    /// The address that is named.
    public let address: SocketAddress

    /// The name of an address; nothing is looked up.
    public init(_ address: SocketAddress) { self.address = address }

    /// The numeric address, or the path of a Unix socket.
    public var number: String {
        address.ipAddress.map { "\($0)" } ?? address.description
    }

    /// The host's name, or the numeric address where it has none.
    ///
    /// Asks the system's name service and waits for its answer, which may take seconds; the
    /// unspecified address is never looked up. Source: getnameinfo(3).
    public func hostName() -> String {
        guard let ip = address.ipAddress, !ip.isUnspecified else { return number }
        // Without a name, or without a service that knows it, the number stands for it.
        return (try? HostName.name(of: ip)) ?? number
    }

    /// Number, name and port, separated by blanks; a Unix socket has its path for both and port 0.
    ///
    /// Waits as ``hostName()``.
    public var text: String { "\(number) \(hostName()) \(address.port ?? 0)" }
}
