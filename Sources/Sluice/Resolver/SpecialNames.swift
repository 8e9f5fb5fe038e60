// SPDX-License-Identifier: Apache-2.0
//
// Names that no source is asked for: numbers, this machine's name for itself, and what is no name.

/// Questions that answer themselves.
package enum SpecialNames {
    /// The most bytes of a name, without a dot at its end, and of each part between its dots.
    ///
    /// Source: RFC 1035, 2.3.4.
    private static let mostBytes = 253
    private static let mostLabelBytes = 63

    /// What is known without asking, if it is.
    static func report(on question: NameQuestion) -> NameReport? {
        switch question {
        case .addresses(let name, let family): report(on: name, family)
        case .services(let name), .texts(let name): report(onRecordsOf: name)
        case .names: nil
        }
    }

    private static func report(on name: String, _ family: AddressFamily) -> NameReport? {
        guard [.unspecified, .ipv4, .ipv6].contains(family) else {
            return .failed(ResolverError(name, .unsupportedFamily))
        }
        if let number = IPAddress(name) { return report([number], of: name, family, from: .number) }
        if !canBeAsked(name) { return .failed(ResolverError(name, .unknownName)) }
        if !isLocalhost(name) { return nil }
        return report([.loopback6, .loopback], of: name, family, from: .localhost)
    }

    private static func report(
        _ addresses: [IPAddress], of name: String, _ family: AddressFamily, from origin: NameOrigin
    ) -> NameReport {
        let wanted =
            switch family {
            case .ipv4: addresses.filter { !$0.isIPv6 }
            case .ipv6: addresses.filter { $0.isIPv6 }
            default: addresses
            }
        if wanted.isEmpty { return .failed(ResolverError(name, .noAddressOfFamily)) }
        return NameReport(.success(.addresses(wanted)), from: origin)
    }

    /// This machine's name for itself has addresses and nothing else.
    private static func report(onRecordsOf name: String) -> NameReport? {
        if !canBeAsked(name) { return .failed(ResolverError(name, .unknownName)) }
        return isLocalhost(name) ? .failed(ResolverError(name, .noAddress)) : nil
    }

    /// Whether anybody may know the name: C takes `*` for no name at all, and names of Tor are not
    /// to be told to a name service.
    ///
    /// Source: RFC 7686, 2.
    package static func canBeAsked(_ name: String) -> Bool {
        if isAt("onion", name) { return false }
        let bytes = withoutLastDot(name)
        guard !bytes.isEmpty, bytes.count <= mostBytes, !bytes.contains(0), name != "*" else {
            return false
        }
        let labels = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        return labels.allSatisfy { !$0.isEmpty && $0.count <= mostLabelBytes }
    }

    /// Whether this is `localhost`, or a name below it.
    ///
    /// Source: RFC 6761, 6.3.
    static func isLocalhost(_ name: String) -> Bool { isAt("localhost", name) }

    /// Whether a name is this one, or below it.
    private static func isAt(_ top: StaticString, _ name: String) -> Bool {
        let bytes = withoutLastDot(name)
        let end = bytes.suffix(top.utf8CodeUnitCount)
        let isSame = top.withUTF8Buffer { end.lazy.map(\.smallLetter).elementsEqual($0) }
        guard isSame else { return false }
        let rest = bytes.dropLast(top.utf8CodeUnitCount)
        return rest.isEmpty || rest.last == UInt8(ascii: ".")
    }

    private static func withoutLastDot(_ name: String) -> Substring.UTF8View {
        let bytes = name[...].utf8
        return bytes.last == UInt8(ascii: ".") ? name[...].utf8.dropLast() : bytes
    }
}
