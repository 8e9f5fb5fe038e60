// SPDX-License-Identifier: Apache-2.0
//
// What was asked of name servers, what came back, and what of it was refused.

/// How much was asked of name servers, and what came back.
public struct NameServerCounters: Hashable, Sendable {
    /// Questions to servers: each name that was tried and each kind of record by itself, each once,
    /// however often it was sent.
    public var questions: UInt64 = 0
    /// Datagrams that were sent, tries again among them.
    public var datagramsSent: UInt64 = 0
    /// TCP connections that were opened.
    public var connectionsOpened: UInt64 = 0
    /// Tries that no server answered in time.
    public var timeouts: UInt64 = 0
    /// Answers that were let through, failures among them.
    public var answers: UInt64 = 0
    /// Answers that were cut, so that the question went on over TCP.
    public var truncated: UInt64 = 0

    /// Answers to a question that nobody has asked, not there, or not any more: an honest one that
    /// comes twice is among them.
    public var wrongIDs: UInt64 = 0
    /// Answers whose number is right and whose question is another.
    public var wrongQuestions: UInt64 = 0
    /// Answers that are no proper message: empty, cut off, with names that go in a circle or are
    /// too long, with records that don't fit; and questions in place of answers.
    public var malformed: UInt64 = 0
    /// Datagrams with more bytes than were asked for.
    public var oversized: UInt64 = 0

    /// All answers that were refused; whoever waits for the right one goes on waiting.
    ///
    /// Those of strangers are not among them: the kernel keeps them away, for every socket is
    /// connected to its server. Source: udp(7).
    public var refused: UInt64 { wrongIDs &+ wrongQuestions &+ malformed &+ oversized }

    /// Nothing counted.
    public init() {}

    /// Adds what others were asked.
    static func + (one: Self, other: Self) -> Self {
        var sum = one
        for counter in counters { sum[keyPath: counter] &+= other[keyPath: counter] }
        return sum
    }

    private static var counters: [WritableKeyPath<Self, UInt64>] {
        [
            \.questions, \.datagramsSent, \.connectionsOpened, \.timeouts, \.answers, \.truncated,
            \.wrongIDs, \.wrongQuestions, \.malformed, \.oversized,
        ]
    }
}
