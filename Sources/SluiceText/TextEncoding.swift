// SPDX-License-Identifier: Apache-2.0
//
// An encoding as a value with a name, and how to get it.
// Unicode's own and two more are built in; the system's iconv(3) knows the others.

import Glibc

/// How characters become bytes.
///
/// Two encodings are equal when they have the same canonical name.
public struct TextEncoding: Hashable, Sendable, CustomStringConvertible {
    /// The canonical name: Tcl's where Tcl has one, else the system's in small letters.
    public let name: String
    let form: Form

    /// How an encoding is decoded and encoded.
    enum Form: Sendable {
        case utf8
        /// One byte a character of the same number, up to `last`.
        case bytes(last: UInt8)
        case utf16(bigEndian: Bool)
        case utf32(bigEndian: Bool)
        /// Known to the system.
        case charset(Charset)
    }

    /// UTF-8, RFC 3629.
    public static let utf8 = TextEncoding(name: "utf-8", form: .utf8)
    /// ASCII: bytes from 128 are no characters.
    public static let ascii = TextEncoding(name: "ascii", form: .bytes(last: 0x7F))
    /// ISO 8859-1: one byte a character, of the same number.
    public static let latin1 = TextEncoding(name: "iso8859-1", form: .bytes(last: 0xFF))
    /// UTF-16, high byte first, without a byte-order mark; RFC 2781.
    public static let utf16BigEndian = TextEncoding(
        name: "utf-16be", form: .utf16(bigEndian: true))
    /// UTF-16, low byte first, without a byte-order mark; RFC 2781.
    public static let utf16LittleEndian = TextEncoding(
        name: "utf-16le", form: .utf16(bigEndian: false))
    /// UTF-32, high byte first, without a byte-order mark.
    public static let utf32BigEndian = TextEncoding(
        name: "utf-32be", form: .utf32(bigEndian: true))
    /// UTF-32, low byte first, without a byte-order mark.
    public static let utf32LittleEndian = TextEncoding(
        name: "utf-32le", form: .utf32(bigEndian: false))
    /// Bytes as they are: one byte a character, of the same number from 0 to 255.
    public static let binary = TextEncoding(name: "binary", form: .bytes(last: 0xFF))

    /// The encoding of the process's locale, from the environment as it is now.
    ///
    /// ISO 8859-1 in the locales C and POSIX, as in Tcl, and where the environment names a
    /// locale or a charset that this machine lacks. Source: locale(7), nl_langinfo(3).
    public static var system: TextEncoding { ofLocale("") }

    /// Finds an encoding by one of its names, in capital or small letters.
    ///
    /// Takes Tcl's names and those of iconv(3), such as `shiftjis` or `Shift_JIS`; where both
    /// have a name, Tcl's meaning holds: `unicode` is UTF-16 in this machine's byte order, and
    /// the empty name is ``binary``.
    ///
    /// - Throws: ``TextError/unknownEncoding(_:)``.
    public init(named name: String) throws(TextError) {
        let key = name.utf8.count <= Self.longestName ? name.lowercasedASCII : ""
        if let builtIn = Self.builtIn(key, named: name) {
            self = builtIn
            return
        }
        let row = Self.charsets[key]
        guard let charset = Charset.named(row?.charset ?? key) else {
            throw .unknownEncoding(name)
        }
        self.init(name: row?.name ?? key, form: .charset(charset))
    }

    init(name: String, form: Form) {
        self.name = name
        self.form = form
    }

    /// The canonical names of the built-in encodings and of Tcl's that this machine has, sorted.
    ///
    /// Other names of iconv(3) work too. The first use asks the system about each, which takes
    /// some milliseconds.
    public static var names: [String] { knownNames }

    /// The canonical name.
    public var description: String { name }

    /// Whether both have the same canonical name.
    public static func == (one: TextEncoding, other: TextEncoding) -> Bool {
        one.name == other.name
    }

    /// Hashes the canonical name.
    public func hash(into hasher: inout Hasher) { hasher.combine(name) }
}

extension TextEncoding {
    /// The encoding of a locale; the empty name stands for the environment's.
    static func ofLocale(_ name: String) -> TextEncoding {
        guard let locale = newlocale(LC_CTYPE_MASK, name, nil) else { return .latin1 }
        defer { freelocale(locale) }
        guard let codeset = nl_langinfo_l(nl_item(CODESET), locale) else { return .latin1 }
        let codesetName = String(cString: codeset)
        // What glibc calls the C locale's charset.
        if codesetName == "ANSI_X3.4-1968" { return .latin1 }
        // A charset that cannot be opened leaves the C locale's.
        return (try? TextEncoding(named: codesetName)) ?? .latin1
    }

    /// Bytes of a name at most: the system's longest have less than half of it.
    private static let longestName = 64

    private static func builtIn(_ key: String, named name: String) -> TextEncoding? {
        if name.isEmpty { return .binary }
        switch builtInNames[key] {
        case "utf-8": return .utf8
        case "ascii": return .ascii
        case "iso8859-1": return .latin1
        case "utf-16be": return .utf16BigEndian
        case "utf-16le": return .utf16LittleEndian
        case "utf-32be": return .utf32BigEndian
        case "utf-32le": return .utf32LittleEndian
        case "unicode": return 1.bigEndian == 1 ? .utf16BigEndian : .utf16LittleEndian
        case "binary": return .binary
        default: return nil
        }
    }

    /// Whether what bytes mean may depend on those before them.
    var hasState: Bool {
        if case .charset(let charset) = form { return charset.characters == nil }
        return false
    }
}

extension String {
    /// The same with small letters for A to Z, whatever the locale.
    var lowercasedASCII: String {
        let bytes = utf8.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension TextEncoding {
    /// Whether a byte may mean something else behind other bytes than at the beginning: so with
    /// charsets of the system that are no plain tables.
    package var mayHaveState: Bool {
        if case .charset(let charset) = form { return charset.bytes == nil }
        return false
    }
}
