// SPDX-License-Identifier: Apache-2.0
//
// A place that may still have to be resolved: a host's name and a port, or an address.
// Clients take it; a resolver turns it into addresses.

/// A place to connect to, resolved or not.
public enum Endpoint: Hashable, Sendable {
    /// An address: nothing is looked up.
    case address(SocketAddress)
    /// A host, by name or by number, and a port.
    case host(String, port: UInt16)

    /// The address, where no lookup is needed: also for a host that is written as a number.
    public var numericAddress: SocketAddress? {
        switch self {
        case .address(let address): address
        case .host(let name, let port): IPAddress(name).map { .ip($0, port: port) }
        }
    }
}

extension Endpoint: CustomStringConvertible {
    /// `example.org:80`, or the address.
    public var description: String {
        switch self {
        case .address(let address): address.description
        case .host(let name, let port): numericAddress?.description ?? "\(name):\(port)"
        }
    }
}
