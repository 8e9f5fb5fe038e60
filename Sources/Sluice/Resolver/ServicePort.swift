// SPDX-License-Identifier: Apache-2.0
//
// Ports as people write them: a number, in decimal or hexadecimal, or a service's name; and the
// services that the system knows.

import CSystemCalls
import Glibc

/// Why a text is no port.
public enum PortError: Error, Hashable, Sendable, CustomStringConvertible {
    /// It is no number, and the system knows no service of this name.
    case unknownService(String)
    /// The number is above 65,535 or below 0.
    case outOfRange(String)

    /// One sentence.
    public var description: String {
        switch self {
        case .unknownService(let text):
            "expected integer but got \"\(text)\", which is no service's name either"
        case .outOfRange(let text): "port number \(text) too high"
        }
    }
}

/// Ports by the names of services, and services by their ports, as the system knows them.
public enum ServicePort {
    /// The port that a text names: `80`, `0x50`, or `http` where the system knows it.
    ///
    /// Source: Tcl's socket(n), getservbyname(3).
    ///
    /// `transport`: the protocol of a service that is named, `nil` for any.
    ///
    /// - Throws: ``PortError``.
    public static func number(
        of text: String, _ transport: String? = "tcp"
    ) throws(PortError) -> UInt16 {
        if let number = integer(text) {
            guard let port = UInt16(exactly: number) else { throw .outOfRange(text) }
            return port
        }
        guard let entry = entry(of: text, transport) else { throw .unknownService(text) }
        return entry.port
    }

    /// The official name of the service at a port; `nil` where the system knows none.
    ///
    /// `transport`: the protocol, `nil` for any.
    public static func name(of port: UInt16, _ transport: String? = "tcp") -> String? {
        entry(of: port, transport)?.name
    }

    /// The service of a name or an alias; `nil` where the system knows none.
    ///
    /// Source: getservbyname_r(3).
    ///
    /// `transport`: the protocol, `nil` for any.
    public static func entry(
        of name: String, _ transport: String? = "tcp"
    ) -> ServiceTable.Entry? {
        guard !name.isEmpty, SystemDatabase.canAsk(for: name),
            SystemDatabase.canAsk(for: transport)
        else { return nil }
        return ask { entry, memory, found in
            getservbyname_r(name, transport, entry, memory.baseAddress, memory.count, &found)
        }
    }

    /// The service at a port; `nil` where the system knows none.
    ///
    /// Source: getservbyport_r(3).
    ///
    /// `transport`: the protocol, `nil` for any.
    public static func entry(
        of port: UInt16, _ transport: String? = "tcp"
    ) -> ServiceTable.Entry? {
        guard SystemDatabase.canAsk(for: transport) else { return nil }
        let number = CInt(port.bigEndian)
        return ask { entry, memory, found in
            getservbyport_r(number, transport, entry, memory.baseAddress, memory.count, &found)
        }
    }

    private typealias Record = UnsafeMutablePointer<servent>

    private static func ask(
        _ question: (Record, UnsafeMutableBufferPointer<CChar>, inout Record?) -> CInt
    ) -> ServiceTable.Entry? {
        let (_, entry) = SystemDatabase.ask(for: servent(), question) { record in
            ServiceTable.Entry(
                name: record.s_name.map { String(cString: $0) } ?? "",
                port: UInt16(bigEndian: UInt16(truncatingIfNeeded: record.s_port)),
                transport: record.s_proto.map { String(cString: $0) } ?? "",
                aliases: SystemDatabase.texts(of: record.s_aliases))
        }
        return entry
    }

    /// The number that a text is, or `nil` where it is none; one beyond all bounds is the largest.
    private static func integer(_ text: String) -> Int? {
        var digits = text.utf8[...]
        if text.lowercased().hasPrefix("0x") {
            digits = digits.dropFirst(2)
            guard !digits.isEmpty, digits.allSatisfy(isHexDigit) else { return nil }
            return Int(String(text.dropFirst(2)), radix: 16) ?? .max
        }
        if digits.first == UInt8(ascii: "-") || digits.first == UInt8(ascii: "+") {
            digits = digits.dropFirst()
        }
        guard !digits.isEmpty, digits.allSatisfy(isDigit) else { return nil }
        return Int(text) ?? .max
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        isDigit(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte | 0x20)
    }
}
