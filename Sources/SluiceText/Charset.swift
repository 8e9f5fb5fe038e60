// SPDX-License-Identifier: Apache-2.0
//
// What is known about a charset of the system: that it exists, and its table when each byte of
// it is a character. It is found out once for each name and shared.

/// A charset that iconv(3) converts both ways.
final class Charset: Sendable {
    /// The system's name.
    let name: String
    /// The character of each byte where a byte is always one; `nil` for other charsets.
    let characters: [Unicode.Scalar?]?
    /// The byte of each character; `nil` where encoding takes more than a look.
    let bytes: [Unicode.Scalar: UInt8]?

    /// Whether bytes below 128, and they alone, are the characters of ASCII, and no other
    /// character is above U+FFFF.
    let keepsASCII: Bool
    /// The least bytes of a character: 1, 2 or 4.
    let unitByteCount: Int

    /// A charset that was found out about, or is claimed to be.
    init(name: String, characters: [Unicode.Scalar?]?, holdsBack: Bool, unitByteCount: Int) {
        self.name = name
        self.characters = characters
        self.unitByteCount = unitByteCount
        var bytes: [Unicode.Scalar: UInt8] = [:]
        for (byte, scalar) in (characters ?? []).enumerated() {
            // Of two bytes for one character the lower one is written.
            if let scalar, bytes[scalar] == nil { bytes[scalar] = UInt8(byte) }
        }
        self.bytes = characters == nil || holdsBack ? nil : bytes
        keepsASCII = characters.map(Self.keepASCII) ?? false
    }

    private static func keepASCII(_ characters: [Unicode.Scalar?]) -> Bool {
        characters.enumerated().allSatisfy { byte, scalar in
            if byte < 0x80 { return scalar?.value == UInt32(byte) }
            return scalar.map { (0x80..<0x1_0000).contains($0.value) } ?? true
        }
    }

    private static func probing(_ name: String) -> Charset? {
        guard var decoding = IconvDescriptor(decoding: name),
            IconvDescriptor(encoding: name) != nil
        else { return nil }
        let unitByteCount = unitByteCount(&decoding)
        let probe = probe(&decoding)
        return Charset(
            name: name, characters: probe?.characters, holdsBack: probe?.holdsBack ?? false,
            unitByteCount: unitByteCount)
    }

    /// The charsets found so far, by name: no more than the system has names.
    private static let known = Locked<[String: Charset]>([:])

    /// The charset of this name, or `nil`; never one that the name only resembles.
    static func named(_ name: String) -> Charset? {
        // iconv_open(3) would skip other characters, take what is behind a slash for options,
        // and an empty name for the locale's charset.
        // Behind two slashes iconv has instructions of its own, such as `//TRANSLIT`.
        guard let first = name.utf8.first, first != UInt8(ascii: "/"), !name.contains("//"),
            name.utf8.allSatisfy(isNameByte)
        else { return nil }
        return known.withLock { known in
            if let charset = known[name] { return charset }
            let charset = probing(name)
            known[name] = charset
            return charset
        }
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "-"), UInt8(ascii: "_"),
            UInt8(ascii: "."), UInt8(ascii: ":"), UInt8(ascii: "("), UInt8(ascii: ")"),
            UInt8(ascii: "/"):
            true
        default: false
        }
    }

    /// What the system makes of each byte alone.
    private struct Probe {
        var characters: [Unicode.Scalar?] = []
        /// Some characters wait for what follows, to be joined with it.
        var holdsBack = false
    }

    /// Asks about every byte; `nil` unless each is a character, or no character, by itself.
    ///
    /// A charset that joins a letter and the accent behind it gives both as they came, as Tcl
    /// does: so its text does not depend on how its bytes were cut.
    private static func probe(_ descriptor: inout IconvDescriptor) -> Probe? {
        var probe = Probe()
        var room: [UInt32] = [0, 0, 0, 0]
        for byte in UInt8.min...UInt8.max {
            let (first, produced) = withUnsafeBytes(of: byte) { input in
                room.withUnsafeMutableBytes { output in
                    let first = descriptor.convert(input, into: output)
                    let rest = UnsafeMutableRawBufferPointer(rebasing: output[first.produced...])
                    return (first, first.produced + descriptor.reset(into: rest))
                }
            }
            switch first.stop {
            case .incomplete, .full: return nil
            case .invalid:
                guard produced == 0 else { return nil }
                probe.characters.append(nil)
            case .finished:
                guard produced == 4 else { return nil }
                if first.produced == 0 { probe.holdsBack = true }
                probe.characters.append(Unicode.Scalar(room[0]))
            }
        }
        return probe
    }

    /// How many bytes of zero it takes for a character, or for none.
    private static func unitByteCount(_ descriptor: inout IconvDescriptor) -> Int {
        let zeroes: [UInt8] = [0, 0, 0, 0]
        var room: [UInt32] = [0, 0, 0, 0]
        for length in [1, 2] {
            let stop = zeroes[..<length].withUnsafeBytes { input in
                room.withUnsafeMutableBytes { output in
                    let stop = descriptor.convert(input, into: output).stop
                    _ = descriptor.reset(into: output)
                    return stop
                }
            }
            if stop != .incomplete { return length }
        }
        return 4
    }
}
