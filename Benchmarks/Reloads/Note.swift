// SPDX-License-Identifier: Apache-2.0
//
// What conductor and clients tell each other, and what the clients count.

/// A word and numbers: one line.
struct Note {
    enum Word: String {
        /// To the clients: begin to call.
        case go
        /// To the clients: call no more, and tell what was counted when all is answered.
        case rest
        /// To the clients: this process is about to be killed.
        case killing
        /// From the clients: the counts since the last ones.
        case counted
        /// From the clients: so many kept connections are with the process that was named.
        case kept
        /// From the clients: this process has answered for the first time, at this time.
        case answered
    }

    let word: Word
    let numbers: [Int]

    init(_ word: Word, _ numbers: [Int] = []) {
        self.word = word
        self.numbers = numbers
    }

    /// Reads the text form; anything else gives `nil`.
    init?(text: String) {
        let parts = text.split(separator: " ")
        guard let word = parts.first.flatMap({ Word(rawValue: String($0)) }) else { return nil }
        let numbers = parts.dropFirst().compactMap { Int($0) }
        if numbers.count != parts.count - 1 { return nil }
        self.init(word, numbers)
    }

    /// The text form, without the line's end.
    var text: String { ([word.rawValue] + numbers.map { "\($0)" }).joined(separator: " ") }
}

/// What is counted, by its name in JSON.
enum Figure: String, CaseIterable {
    /// Connections that were made.
    case made
    /// Kept connections that ended and were opened anew.
    case reconnected
    /// Messages that were sent, and those that came back whole.
    case messages, answered
    /// Connects that failed, for whatever reason.
    case refused
    /// Connections that were reset.
    case reset
    /// Connections that ended otherwise before the client wanted it, without notice.
    case ended
    /// Messages that never came back.
    case lost
    /// Lines that came and were not waited for.
    case wrong
    /// Newcomers that were left out, since too many were under way.
    case unbegun
    /// Of the connections that were reset or ended: those of workers that nobody has killed, those
    /// whose worker has not said a word, and kept ones.
    case foreign, unknown
    case keptCut = "kept_cut"
}

/// How much of each figure there was.
struct Counts {
    private var values: [Figure: Int] = [:]

    init() {}

    /// From ``numbers``; what is missing is 0.
    init(_ numbers: [Int]) {
        for (figure, number) in zip(Figure.allCases, numbers) { values[figure] = number }
    }

    subscript(figure: Figure) -> Int {
        get { values[figure] ?? 0 }
        set { values[figure] = newValue }
    }

    /// All of them, in the order of the figures.
    var numbers: [Int] { Figure.allCases.map { self[$0] } }

    static func + (one: Counts, other: Counts) -> Counts {
        Counts(zip(one.numbers, other.numbers).map { $0 + $1 })
    }
}
