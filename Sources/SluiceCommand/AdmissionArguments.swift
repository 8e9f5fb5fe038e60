// SPDX-License-Identifier: Apache-2.0
//
// Whom `sluice serve` lets in: how many connections there are, how many from one place, how fast
// they come, and what those get that are turned away.

import ArgumentParser
import Sluice

/// The options that limit who is let in.
struct AdmissionArguments: ParsableArguments {
    @Option(help: "How many clients to hold at most.")
    var maxConnections: Int?

    @Option(help: "How many clients to hold from one address; each process counts by itself.")
    var maxPerAddress: Int?

    @Option(
        help: """
            How many clients to hold from one network (IPv4: /24, IPv6: /64); each process counts \
            by itself.
            """)
    var maxPerNetwork: Int?

    @Option(
        help: ArgumentHelp(
            """
            Let so many clients a second in, and so many at once; processes have equal shares, and \
            those of each reload a whole one until they have ended.
            """, valueName: "n[/burst]"))
    var acceptRate: AcceptRateArgument?

    @Option(
        help: ArgumentHelp(
            "The same for each address; each process counts by itself.", valueName: "n[/burst]"))
    var acceptRatePerAddress: AcceptRateArgument?

    @Option(
        help: ArgumentHelp(
            """
            What those get that are turned away: close, reset or message:TEXT, where \\r and \\n \
            are line ends. (default: close)
            """, valueName: "answer"))
    var refuse: RefusalArgument?

    @Option(
        help: """
            What becomes of clients beyond --max-connections and --accept-rate: they wait in the \
            backlog, or are turned away. (default: wait)
            """)
    var whenFull: WhenFullArgument?

    /// The names of those that are given.
    var given: [String] {
        [
            ("--max-connections", maxConnections != nil),
            ("--max-per-address", maxPerAddress != nil),
            ("--max-per-network", maxPerNetwork != nil), ("--accept-rate", acceptRate != nil),
            ("--accept-rate-per-address", acceptRatePerAddress != nil), ("--refuse", refuse != nil),
            ("--when-full", whenFull != nil),
        ].filter(\.1).map(\.0)
    }

    func validate() throws {
        for (name, number) in [
            ("--max-connections", maxConnections), ("--max-per-address", maxPerAddress),
            ("--max-per-network", maxPerNetwork),
        ] {
            if let number, number < 1 { throw ValidationError("\(name) is 1 or more") }
        }
        if whenFull != nil, maxConnections == nil, acceptRate == nil {
            throw ValidationError("--when-full needs --max-connections or --accept-rate")
        }
    }

    /// Sets what is given, for one of several processes: what holds for all of them is shared.
    func apply(to options: inout ServerOptions, in part: Share) {
        if let maxConnections { options.maximumConnections = part.part(of: maxConnections) }
        options.admission.maximumPerAddress = maxPerAddress
        options.admission.maximumPerNetwork = maxPerNetwork
        options.admission.rate = acceptRate?.rate(in: part)
        options.admission.ratePerAddress = acceptRatePerAddress?.rate(in: .whole)
        if let refuse { options.admission.refusal = refuse.refusal }
        if let whenFull { options.admission.whenFull = whenFull.value }
    }
}

/// So many clients a second, and so many at once: `100`, `0.5` or `100/20`.
struct AcceptRateArgument: ExpressibleByArgument, Hashable {
    let perSecond: Double
    /// `nil` for what a second brings.
    let burst: Int?

    /// Reads a number from 0.001 to 1,000,000 and, behind a slash, a whole one from 1 to 1,000,000.
    init?(argument: String) {
        let parts = argument.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard argument.utf8.allSatisfy({ "0123456789./".utf8.contains($0) }),
            let perSecond = Double(parts[0]), (Self.smallest...1_000_000).contains(perSecond)
        else { return nil }
        self.perSecond = perSecond
        guard parts.count == 2 else {
            burst = nil
            return
        }
        guard let burst = Int(parts[1]), (1...1_000_000).contains(burst) else { return nil }
        self.burst = burst
    }

    /// The smallest rate there is.
    private static let smallest = 0.001

    /// How many at once, also where it was not said.
    private var wholeBurst: Int { burst ?? max(1, Int(perSecond.rounded(.up))) }

    /// Whether so many processes can have shares that make up the whole.
    func isEnough(for count: Int) -> Bool {
        wholeBurst >= count && perSecond / Double(count) >= Self.smallest
    }

    /// The part that one of several processes has.
    func rate(in part: Share) -> ConnectionRate {
        ConnectionRate(
            perSecond: perSecond / Double(part.count), burst: part.part(of: wholeBurst))
    }
}

/// What a client gets that is turned away.
struct RefusalArgument: ExpressibleByArgument, Hashable {
    let refusal: Refusal

    /// The longest message, in bytes.
    private static let longest = 4_096

    /// Reads `close`, `reset` or `message:TEXT` with 1 to 4,096 bytes of text.
    ///
    /// In the text `\r`, `\n`, `\t` and `\\` are what they are in C; another character behind a
    /// backslash gives `nil`.
    init?(argument: String) {
        switch argument {
        case "close": refusal = .close
        case "reset": refusal = .reset
        default:
            let prefix = "message:"
            guard argument.hasPrefix(prefix),
                let bytes = Self.bytes(of: argument.dropFirst(prefix.count)),
                (1...Self.longest).contains(bytes.count)
            else { return nil }
            refusal = .message(bytes)
        }
    }

    private static func bytes(of text: Substring) -> [UInt8]? {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "\\") else {
                bytes.append(byte)
                continue
            }
            switch rest.popFirst() {
            case UInt8(ascii: "r"): bytes.append(13)
            case UInt8(ascii: "n"): bytes.append(10)
            case UInt8(ascii: "t"): bytes.append(9)
            case UInt8(ascii: "\\"): bytes.append(byte)
            default: return nil
            }
        }
        return bytes
    }
}

/// What becomes of clients for whom there is no room.
enum WhenFullArgument: String, CaseIterable, ExpressibleByArgument {
    /// They wait in the backlog.
    case wait
    /// They are turned away.
    case refuse

    var value: AdmissionOptions.Waiting {
        switch self {
        case .wait: .wait
        case .refuse: .refuse
        }
    }
}
