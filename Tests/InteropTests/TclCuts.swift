// SPDX-License-Identifier: Apache-2.0
//
// Tcl and Sluice are given the same random input in the same random pieces, and asked for lines or
// characters after each: both must answer the same, piece by piece.
// Where a cut makes Tcl err, what we answer must be what the same input uncut is answered by both.

import Sluice
import TestSupport
import Testing

@Suite(.countingDescriptors, .serialized)
struct TclCuts {
    private static let seed: UInt64 = 20_260_101
    private static let count = 1_000

    private static let inputs: [CutInput] = {
        var lottery = Lottery(seed: seed)
        return (0..<count).map { _ in CutInput(from: &lottery) }
    }()

    // K9, K15, K16, K17, K18, K19
    @Test func `a channel delivers piece by piece what Tcl does`() throws {
        let tcls = try CutInput.answersOfTcl(to: Self.inputs).answers
        let reactor = try Reactor()
        for (index, input) in Self.inputs.enumerated() where input.slip == nil {
            compare(try input.answersOfChannel(on: reactor), tcls[index], index)
        }
    }

    // K9, K15, K17
    @Test func `a text input delivers piece by piece what Tcl does`() throws {
        let tcls = try CutInput.answersOfTcl(to: Self.inputs).answers
        for (index, input) in Self.inputs.enumerated() where input.slip == nil {
            compare(try input.answersOfTextInput(), tcls[index].map(\.textsAlone), index)
        }
    }

    // K9, K15, K17
    @Test func `an input in one piece is delivered as Tcl does`() throws {
        let inputs = Self.inputs.map(\.uncut)
        let tcls = try CutInput.answersOfTcl(to: inputs).answers
        let reactor = try Reactor()
        for (index, input) in inputs.enumerated() where input.slip == nil {
            compare(try input.answersOfChannel(on: reactor), tcls[index], index)
            compare(try input.answersOfTextInput(), tcls[index].map(\.textsAlone), index)
        }
    }

    // K9, K15, K17, X5
    @Test func `all pieces together are what the same input is in one piece`() throws {
        let reactor = try Reactor()
        for (index, input) in Self.inputs.enumerated() {
            let uncut = input.uncut
            compare(
                [input.joined(try input.answersOfChannel(on: reactor))],
                [uncut.joined(try uncut.answersOfChannel(on: reactor))], index, "in one piece")
            compare(
                [input.joined(try input.answersOfTextInput())],
                [uncut.joined(try uncut.answersOfTextInput())], index, "in one piece")
        }
    }

    // X5
    @Test func `few inputs are those that Tcl gets wrong, and fewer in one piece`() {
        let slips = Self.inputs.compactMap(\.slip)
        #expect(slips.count < Self.count / 20)
        #expect(Set(slips).contains(.lineFeedSwallowedTwice))
        // This one needs no cut.
        #expect(Set(Self.inputs.compactMap(\.uncut.slip)) == [.returnSkipped])
    }

    private func compare(
        _ ours: [Delivery], _ others: [Delivery], _ index: Int, _ other: String = "Tcl"
    ) {
        if ours == others { return }
        Issue.record(
            """
            seed \(Self.seed), case \(index), \(Self.inputs[index])
            ours: \(ours)
            \(other): \(others)
            """)
    }
}

extension CutInput {
    /// The same bytes in one piece.
    fileprivate var uncut: CutInput {
        CutInput(
            encoding: encoding, translation: translation, hasMark: hasMark, question: question,
            pieces: [Array(pieces.joined())], characters: characters)
    }

    /// All deliveries as one: the same lines, or the characters as one text.
    fileprivate func joined(_ deliveries: [Delivery]) -> Delivery {
        let texts = deliveries.flatMap(\.texts)
        return Delivery(texts: question == .lines ? texts : [texts.joined()])
    }
}

extension Delivery {
    /// Without what only a channel knows.
    fileprivate var textsAlone: Delivery { Delivery(texts: texts) }
}
