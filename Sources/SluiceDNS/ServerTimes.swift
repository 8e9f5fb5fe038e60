// SPDX-License-Identifier: Apache-2.0
//
// How long and how often servers are tried, and what else is read of resolv.conf here.
// c-ares 1.18 knows other words for it than resolv.conf(5) has.

import Glibc
import Sluice

/// How long the first try waits, how many tries there are, and who is asked how.
struct ServerTimes: Equatable {
    var timeout = Duration.seconds(2)
    var attempts = 3
    var rotates = false
    var usesTCP = false
    /// The file's servers, if an interface stands beside one of them, which c-ares does not read.
    var scopedServers: [SocketAddress] = []

    private static let timeouts = Duration.milliseconds(1)...Duration.seconds(600)
    private static let attemptCounts = 1...10
    /// More of a file is not read.
    private static let byteLimit = 65_536

    /// What the options say, else the environment, else the file.
    ///
    /// Source: resolv.conf(5), `RES_OPTIONS`.
    init(_ options: NameServerOptions) {
        let environment = getenv("RES_OPTIONS").map { String(cString: $0) } ?? ""
        self.init(parsing: Self.text(of: options.resolvConf) + "\noptions " + environment)
        timeout = (options.timeout ?? timeout).clamped(to: Self.timeouts)
        attempts = (options.attempts ?? attempts).clamped(to: Self.attemptCounts)
        rotates = options.rotates ?? rotates
        usesTCP = options.usesTCP ?? usesTCP
    }

    /// Reads the text of a file; of several options of one name the last one counts.
    init(parsing text: String) {
        var servers: [IPAddress] = []
        for line in text.split(whereSeparator: \.isNewline) {
            let words = line.prefix { $0 != "#" && $0 != ";" }.split(whereSeparator: \.isWhitespace)
            switch words.first {
            case "options": for word in words.dropFirst() { take(word) }
            case "nameserver":
                if words.count > 1, let server = IPAddress(String(words[1])) { servers += [server] }
            default: break
            }
        }
        if servers.contains(where: \.hasScope) {
            scopedServers = servers.map { .ip($0, port: AresChannel.domainPort) }
        }
    }

    private mutating func take(_ word: Substring) {
        switch word {
        case "rotate": rotates = true
        case "use-vc", "usevc": usesTCP = true
        default: break
        }
        let parts = word.split(separator: ":", maxSplits: 1)
        guard parts.count == 2, let number = Int(parts[1]), number > 0 else { return }
        switch parts[0] {
        case "timeout": timeout = .seconds(min(number, 30))
        case "retrans": timeout = .milliseconds(number).clamped(to: Self.timeouts)
        case "attempts", "retry": attempts = number.clamped(to: Self.attemptCounts)
        default: break
        }
    }

    /// Nothing where it can't be read, as for c-ares.
    private static func text(of path: String) -> String {
        let number = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        if number < 0 { return "" }
        defer { close(number) }
        let bytes = [UInt8](unsafeUninitializedCapacity: byteLimit) { buffer, count in
            while count < buffer.count {
                let rest = UnsafeMutableBufferPointer(rebasing: buffer[count...])
                let result = Glibc.read(number, rest.baseAddress, rest.count)
                if result < 0, errno == EINTR { continue }
                if result <= 0 { return }
                count += result
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension IPAddress {
    fileprivate var hasScope: Bool {
        if case .v6(_, _, let scope) = self { return scope != 0 }
        return false
    }
}

extension Comparable {
    func clamped(to bounds: ClosedRange<Self>) -> Self {
        min(max(self, bounds.lowerBound), bounds.upperBound)
    }
}
