// SPDX-License-Identifier: Apache-2.0
//
// The byte of an IP packet's header that tells routers how to treat it.

/// How routers are asked to treat a packet: the type of service of IPv4, the traffic class of IPv6.
///
/// The upper six bits are the code point of RFC 2474, the lower two the marks of RFC 3168.
public struct TrafficClass: RawRepresentable, Hashable, Sendable {
    /// The byte of the packet's header.
    public let rawValue: UInt8

    /// Wraps the byte of a packet's header.
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// A class with a code point of RFC 2474, and no mark of congestion.
    ///
    /// - Parameter codePoint: 0 to 63; of more the lower six bits count.
    public init(codePoint: UInt8) { rawValue = codePoint << 2 }

    /// The upper six bits, 0 to 63.
    public var codePoint: UInt8 { rawValue >> 2 }
    /// The lower two bits: 0 for no support of marks, 3 for congestion (RFC 3168, 5).
    public var congestionMark: UInt8 { rawValue & 3 }

    /// As all others (`CS0`, RFC 2474).
    public static let standard = Self(codePoint: 0)
    /// After all others, for what has time (`LE`, RFC 8622).
    public static let lowerEffort = Self(codePoint: 1)
    /// Little delay and loss, for voice (`EF`, RFC 3246).
    public static let expedited = Self(codePoint: 46)
    /// Little delay for what answers a person (`AF21`, RFC 4594, RFC 2597).
    public static let lowLatency = Self(codePoint: 18)
    /// Much data, of which little is to be lost (`AF11`, RFC 4594, RFC 2597).
    public static let highThroughput = Self(codePoint: 10)
}

extension SocketOptionForm where Value == TrafficClass {
    /// An `int`, of which the lowest byte counts.
    static var trafficClass: Self {
        Self(byteCount: MemoryLayout<CInt>.size) { answer in
            answer.integer.map { TrafficClass(rawValue: UInt8(truncatingIfNeeded: $0)) }
        } write: { value, call throws(ErrorCode) in
            try give(CInt(value.rawValue), to: call)
        }
    }
}
