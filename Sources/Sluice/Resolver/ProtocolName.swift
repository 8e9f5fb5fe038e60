// SPDX-License-Identifier: Apache-2.0
//
// Protocols by name and number, as the system knows them.

import CSystemCalls
import Glibc

/// Protocols by their names, for sockets that are opened with one, and names by their numbers.
public enum ProtocolName {
    /// The protocol of a name or an alias, such as `icmp`, to open a ``Socket`` with; `nil` where
    /// the system knows none.
    public static func number(of name: String) -> SocketProtocol? { entry(of: name)?.number }

    /// The official name of a protocol; `nil` where the system knows none.
    public static func name(of number: SocketProtocol) -> String? { entry(of: number)?.name }

    /// The protocol of a name or an alias, with all its names; `nil` where the system knows none.
    ///
    /// Source: getprotobyname_r(3).
    public static func entry(of name: String) -> ProtocolTable.Entry? {
        guard !name.isEmpty, SystemDatabase.canAsk(for: name) else { return nil }
        return ask { entry, memory, found in
            getprotobyname_r(name, entry, memory.baseAddress, memory.count, &found)
        }
    }

    /// The protocol of a number, with all its names; `nil` where the system knows none.
    ///
    /// Source: getprotobynumber_r(3).
    public static func entry(of number: SocketProtocol) -> ProtocolTable.Entry? {
        ask { entry, memory, found in
            getprotobynumber_r(number.rawValue, entry, memory.baseAddress, memory.count, &found)
        }
    }

    private typealias Record = UnsafeMutablePointer<protoent>

    private static func ask(
        _ question: (Record, UnsafeMutableBufferPointer<CChar>, inout Record?) -> CInt
    ) -> ProtocolTable.Entry? {
        let (_, entry) = SystemDatabase.ask(for: protoent(), question) { record in
            ProtocolTable.Entry(
                name: record.p_name.map { String(cString: $0) } ?? "",
                number: SocketProtocol(rawValue: record.p_proto),
                aliases: SystemDatabase.texts(of: record.p_aliases))
        }
        return entry
    }
}
