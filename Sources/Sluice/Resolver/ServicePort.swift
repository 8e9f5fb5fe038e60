// SPDX-License-Identifier: Apache-2.0
//
// Ports as people write them: a number, in decimal or hexadecimal, or a service's name.

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

/// Ports by the names of services.
public enum ServicePort {
    /// The port that a text names: `80`, `0x50`, or `http` where the system knows it.
    ///
    /// Source: Tcl's socket(n), getservbyname(3).
    ///
    /// - Throws: ``PortError``.
    public static func number(
        of text: String, _ transport: String = "tcp"
    ) throws(PortError) -> UInt16 {
        if let number = integer(text) {
            guard let port = UInt16(exactly: number) else { throw .outOfRange(text) }
            return port
        }
        // A name with a zero byte would be taken for what stands before it.
        if text.isEmpty || (text + transport).utf8.contains(0) { throw .unknownService(text) }
        let port = lookUp { entry, memory, found in
            getservbyname_r(text, transport, entry, memory.baseAddress, memory.count, &found)
        } reading: {
            UInt16(bigEndian: UInt16(truncatingIfNeeded: $0.s_port))
        }
        guard let port else { throw .unknownService(text) }
        return port
    }

    /// The official name of the service at a port; `nil` where the system knows none.
    ///
    /// Source: getservbyport(3).
    public static func name(of port: UInt16, _ transport: String = "tcp") -> String? {
        if transport.utf8.contains(0) { return nil }
        let number = CInt(port.bigEndian)
        return lookUp { entry, memory, found in
            getservbyport_r(number, transport, entry, memory.baseAddress, memory.count, &found)
        } reading: {
            String(cString: $0.s_name)
        }
    }

    /// Asks the system, with more memory where it has not enough, up to 1 MiB.
    ///
    /// The entry and what it points to are read while both are in place.
    private static func lookUp<Answer>(
        _ ask: (
            UnsafeMutablePointer<servent>, UnsafeMutableBufferPointer<CChar>,
            inout UnsafeMutablePointer<servent>?
        ) -> CInt,
        reading read: (servent) -> Answer
    ) -> Answer? {
        var byteCount = 4_096
        while byteCount <= 1 << 20 {
            var code: CInt = 0
            let answer: Answer? = withUnsafeTemporaryAllocation(
                of: CChar.self, capacity: byteCount
            ) { memory in
                var entry = servent()
                return withUnsafeMutablePointer(to: &entry) { entry in
                    var found: UnsafeMutablePointer<servent>?
                    code = ask(entry, memory, &found)
                    return code == 0 ? found.map { read($0.pointee) } : nil
                }
            }
            if code != ERANGE { return answer }
            byteCount *= 4
        }
        return nil
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
