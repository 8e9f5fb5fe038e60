// SPDX-License-Identifier: Apache-2.0
//
// What the parts tell each other: numbers with names, one line of text for each message.

/// Whole numbers with names, in the order in which they were noted.
struct Figures: Sendable {
    /// The names, each once.
    private(set) var names: [String] = []
    private var values: [String: Int] = [:]

    /// None.
    init() {}

    /// A number by its name; 0 where there is none.
    subscript(name: String) -> Int {
        get { values[name] ?? 0 }
        set { if values.updateValue(newValue, forKey: name) == nil { names.append(name) } }
    }

    /// Those whose names begin like this, by the rest of their names.
    func beginning(with prefix: String) -> [(name: String, value: Int)] {
        names.filter { $0.hasPrefix(prefix) }.map { name in
            (String(name.dropFirst(prefix.count)), self[name])
        }
    }

    /// The text form: names and numbers in turn, with tabs between.
    var text: String { names.map { "\($0)\t\(self[$0])" }.joined(separator: "\t") }

    /// Reads the text form; anything else gives `nil`.
    init?(text: String) {
        if text.isEmpty { return }
        let parts = text.split(separator: "\t", omittingEmptySubsequences: false)
        guard parts.count.isMultiple(of: 2) else { return nil }
        for place in stride(from: 0, to: parts.count, by: 2) {
            guard let value = Int(parts[place + 1]) else { return nil }
            self[String(parts[place])] = value
        }
    }
}

/// What the conductor tells a part to do; each is answered with figures.
enum Order: Equatable {
    /// Begin to count anew.
    case mark
    /// Tell what was counted.
    case tell
    /// Measure for so many milliseconds, then tell.
    case measure(Int)
    /// Come to an end, and tell.
    case stop

    /// The text form.
    var text: String {
        switch self {
        case .mark: "mark"
        case .tell: "tell"
        case .measure(let milliseconds): "measure \(milliseconds)"
        case .stop: "stop"
        }
    }

    /// Reads the text form; anything else gives `nil`.
    init?(text: String) {
        let words = text.split(separator: " ")
        switch (words.first, words.count) {
        case ("mark", 1): self = .mark
        case ("tell", 1): self = .tell
        case ("stop", 1): self = .stop
        case ("measure", 2):
            guard let milliseconds = Int(words[1]), milliseconds > 0 else { return nil }
            self = .measure(milliseconds)
        default: return nil
        }
    }
}
