// SPDX-License-Identifier: Apache-2.0
//
// Numbers between the order of this machine and that of the network, under their old names.
// Swift's own `bigEndian` does the same where the number has its type already.

/// The four old calls between the machine's order of bytes and the network's.
///
/// Where the network's order is the machine's own, all of them leave the number as it is. Ports and
/// addresses in this library never need them. Source: byteorder(3), RFC 1700.
public enum ByteOrder {
    /// A 16-bit number, such as a port, for the network.
    ///
    /// For a `UInt16` Swift has `number.bigEndian`.
    ///
    /// - Throws: ``ByteOrderError`` unless the number is 0...65,535.
    public static func htons(_ number: Int) throws(ByteOrderError) -> UInt16 {
        try checked(number, as: UInt16.self).bigEndian
    }

    /// A 16-bit number, such as a port, from the network.
    ///
    /// For a `UInt16` Swift has `UInt16(bigEndian: number)`.
    ///
    /// - Throws: ``ByteOrderError`` unless the number is 0...65,535.
    public static func ntohs(_ number: Int) throws(ByteOrderError) -> UInt16 {
        UInt16(bigEndian: try checked(number, as: UInt16.self))
    }

    /// A 32-bit number, such as an IPv4 address, for the network.
    ///
    /// For a `UInt32` Swift has `number.bigEndian`.
    ///
    /// - Throws: ``ByteOrderError`` unless the number is 0...4,294,967,295.
    public static func htonl(_ number: Int) throws(ByteOrderError) -> UInt32 {
        try checked(number, as: UInt32.self).bigEndian
    }

    /// A 32-bit number, such as an IPv4 address, from the network.
    ///
    /// For a `UInt32` Swift has `UInt32(bigEndian: number)`.
    ///
    /// - Throws: ``ByteOrderError`` unless the number is 0...4,294,967,295.
    public static func ntohl(_ number: Int) throws(ByteOrderError) -> UInt32 {
        UInt32(bigEndian: try checked(number, as: UInt32.self))
    }

    private static func checked<Number: FixedWidthInteger>(
        _ number: Int, as: Number.Type
    ) throws(ByteOrderError) -> Number {
        if number < 0 { throw .negative(number) }
        guard let exact = Number(exactly: number) else {
            throw .tooLarge(number, bitCount: Number.bitWidth)
        }
        return exact
    }
}

/// Why a number has no other order of bytes.
public enum ByteOrderError: Error, Hashable, Sendable {
    /// It is below 0.
    case negative(Int)
    /// It needs more bits than the call takes.
    case tooLarge(Int, bitCount: Int)
}

extension ByteOrderError: CustomStringConvertible {
    /// One sentence.
    public var description: String {
        switch self {
        case .negative(let number): "\(number) is negative"
        case .tooLarge(let number, let bitCount): "\(number) has more than \(bitCount) bits"
        }
    }
}
