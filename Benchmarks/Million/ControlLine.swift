// SPDX-License-Identifier: Apache-2.0
//
// What the conductor and its workers say to each other: a line of text for each message.

/// A word, numbers, and behind a colon some text: `failed 2: connect 127.0.0.1:9: Connection refused`.
struct ControlLine: Hashable {
    /// What is said.
    enum Word: String {
        /// A worker is there: its number and its role.
        case hello
        /// Open so many connections.
        case open
        /// Send a message on each connection and wait for it.
        case echo
        /// Wait for the message to all.
        case listen
        /// Whoever was to listen does.
        case ready
        /// Send a message of so many bytes to all.
        case broadcast
        /// Close so many connections and open them anew, evenly within so many milliseconds.
        case churn
        /// Close all connections.
        case close
        /// Say how far you are.
        case count
        /// So far: a client's connections that are done; a server's connections, and 1 where it is
        /// full.
        case counted
        /// End the phase, and count as failed what is not done.
        case stop
        /// So many failures of a kind.
        case failed
        /// The phase is over, for so many connections as it was asked for.
        case done
    }

    let word: Word
    let numbers: [Int]
    let text: String

    init(_ word: Word, _ numbers: Int..., text: String = "") {
        self.word = word
        self.numbers = numbers
        self.text = text
    }

    /// Reads a line without its end; `nil` for what nobody here says.
    init?(_ line: String) {
        let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let words = parts.first?.split(separator: " ") ?? []
        guard let first = words.first, let word = Word(rawValue: String(first)) else { return nil }
        self.word = word
        numbers = words.dropFirst().compactMap { Int($0) }
        guard numbers.count == words.count - 1 else { return nil }
        text = parts.count > 1 ? String(parts[1].drop(while: \.isWhitespace)) : ""
    }

    /// The number at a place; 0 where there is none.
    func number(_ place: Int) -> Int { numbers.indices.contains(place) ? numbers[place] : 0 }

    /// As it is sent, with its end.
    var bytes: [UInt8] { Array("\(self)\n".utf8) }
}

extension ControlLine: CustomStringConvertible {
    var description: String {
        let words = [word.rawValue] + numbers.map(String.init)
        let head = words.joined(separator: " ")
        if text.isEmpty { return head }
        return "\(head): \(String(text.map { $0.isNewline ? " " : $0 }.prefix(400)))"
    }
}

/// The two kinds of workers.
enum Role: String {
    case server
    case client
}

/// Failures by what they say: so many kinds, and the rest together.
struct Tally {
    private(set) var kinds: [String: Int] = [:]
    private static let kindLimit = 16

    /// All of them.
    var total: Int { kinds.values.reduce(0, +) }

    mutating func add(_ kind: String, _ count: Int = 1) {
        let isKnown = kinds[kind] != nil || kinds.count < Self.kindLimit
        kinds[isKnown ? kind : "others", default: 0] += count
    }

    /// Empties it into the lines that tell of it.
    mutating func takeLines() -> [ControlLine] {
        defer { kinds = [:] }
        return kinds.map { ControlLine(.failed, $0.value, text: $0.key) }
    }
}

/// What goes over the connections.
enum Message {
    /// What every connection is to get from the servers.
    static func broadcast(_ byteCount: Int) -> [UInt8] {
        (0..<byteCount).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ 11) }
    }

    /// What a client's connections send, but for the first bytes, which differ on each.
    static func echo(of client: Int) -> [UInt8] {
        (0..<Settings.messageByteCount).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ client) }
    }
}
