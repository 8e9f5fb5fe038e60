// SPDX-License-Identifier: Apache-2.0
//
// Names as name servers write them: labels with their lengths, within the limits of RFC 1035.
// From text and from a message; a host's name as text again, if it is fit to be one.

package import Sluice

/// A name as it stands in a message, without compression.
///
/// Two are the same whatever the case of their ASCII letters. Source: RFC 1035, 3.1, RFC 4343.
package struct DNSName: Hashable, Sendable {
    /// Length and bytes of each label, and a zero at the end; letters as they were written.
    package let bytes: [UInt8]

    /// A name has at most this many bytes.
    static let limit = 255
    /// A label has at most this many bytes.
    static let labelLimit = 63
    /// So many pointers are followed in one name, at most; none that is honest needs half of them.
    static let jumpLimit = 64

    /// The name of no labels.
    static let root = DNSName(bytes: [0])

    private init(bytes: [UInt8]) { self.bytes = bytes }

    /// Reads text: labels between dots; a dot at the end says nothing here.
    ///
    /// Labels that are empty or too long, and names that are, give `nil`.
    package init?(_ text: String) {
        let whole = text.utf8
        let parts = (whole.last == UInt8(ascii: ".") ? whole.dropLast() : whole[...])
            .split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        var bytes: [UInt8] = []
        for part in parts {
            guard (1...Self.labelLimit).contains(part.count) else { return nil }
            bytes.append(UInt8(part.count))
            bytes += part
        }
        bytes.append(0)
        guard bytes.count <= Self.limit else { return nil }
        self.bytes = bytes
    }

    /// The name by which an address is asked for.
    ///
    /// Source: RFC 1035, 3.5; RFC 3596, 2.5.
    package init(ofHostAt address: IPAddress) {
        let packed = address.unmapped.packed.reversed()
        var bytes: [UInt8] = []
        func append(_ label: some StringProtocol) {
            bytes.append(UInt8(label.utf8.count))
            bytes += label.utf8
        }
        for byte in packed {
            if packed.count == 4 {
                append(String(byte))
            } else {
                append(String(byte & 15, radix: 16))
                append(String(byte >> 4, radix: 16))
            }
        }
        append(packed.count == 4 ? "in-addr" : "ip6")
        append("arpa")
        self.bytes = bytes + [0]
    }

    /// Reads a name at a place of a message, and moves the place behind it.
    ///
    /// A pointer leads to a place before all that was read of the name until then, so no name goes
    /// in a circle. Source: RFC 1035, 4.1.4.
    ///
    /// - Returns: `nil` where there is none, or one without end or too long.
    init?(in message: [UInt8], at place: inout Int) {
        var bytes: [UInt8] = []
        var (next, start) = (place, place)
        var end: Int?
        var jumpCount = 0
        while next < message.count {
            let length = Int(message[next])
            if length == 0 {
                place = end ?? next + 1
                self.bytes = bytes + [0]
                return
            }
            if length >= 0xC0 {
                guard next + 1 < message.count else { return nil }
                let target = (length & 0x3F) << 8 | Int(message[next + 1])
                jumpCount += 1
                guard target < start, jumpCount <= Self.jumpLimit else { return nil }
                end = end ?? next + 2
                (next, start) = (target, target)
                continue
            }
            // The two other kinds of labels are out of use. Source: RFC 6891, 5.
            guard length <= Self.labelLimit, next + length < message.count,
                bytes.count + length + 2 <= Self.limit
            else { return nil }
            bytes += message[next...next + length]
            next += length + 1
        }
        return nil
    }
}

extension DNSName {
    package static func == (one: Self, other: Self) -> Bool {
        // Lengths of labels are below the letters.
        one.bytes.elementsEqual(other.bytes) { $0.smallLetter == $1.smallLetter }
    }

    package func hash(into hasher: inout Hasher) {
        for byte in bytes { hasher.combine(byte.smallLetter) }
    }

    /// Whether this is the root, which has no name.
    var isRoot: Bool { bytes.count == 1 }

    /// The labels, without their lengths.
    var labels: [ArraySlice<UInt8>] {
        var labels: [ArraySlice<UInt8>] = []
        var place = 0
        while place < bytes.count, bytes[place] > 0 {
            let end = place + 1 + Int(bytes[place])
            labels.append(bytes[(place + 1)..<end])
            place = end
        }
        return labels
    }

    /// The name as that of a host, without a dot at its end; `nil` for one with other bytes than
    /// letters, digits, `-` and `_`, and for the root.
    ///
    /// A server could hide a line's end or an escape sequence in them. Source: RFC 1123, 2.1.
    var hostText: String? {
        let labels = labels
        guard !labels.isEmpty, labels.allSatisfy({ $0.allSatisfy(isPlain) }) else { return nil }
        return labels.map { String(decoding: $0, as: UTF8.self) }.joined(separator: ".")
    }

    /// Whether this name is `other`, or one within it.
    func isWithin(_ other: DNSName) -> Bool {
        let (mine, theirs) = (labels, other.labels)
        return mine.count >= theirs.count
            && zip(mine.suffix(theirs.count), theirs).allSatisfy { one, other in
                one.elementsEqual(other) { $0.smallLetter == $1.smallLetter }
            }
    }
}

/// Whether a byte may stand in the name of a host.
private func isPlain(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
        true
    default: false
    }
}
