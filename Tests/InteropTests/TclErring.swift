// SPDX-License-Identifier: Apache-2.0
//
// One small input for each way in which Tcl's answers differ from ours, asked of tclsh itself.
// We follow the rule; what Tcl 8.6.13 does is said beside it.

import Sluice
import TestSupport
import Testing

/// An input, what its pieces and its end must deliver, and what Tcl 8.6.13 makes of it.
struct TclSlipExample: Sendable, CustomTestStringConvertible {
    let slip: TclSlip
    let input: CutInput
    /// By the rule; the last after the end.
    let ruled: [[String]]
    let tcls: [[String]]

    var testDescription: String { "\(slip)" }

    /// 日 in ISO 2022-JP, between escape sequences.
    private static let sun: [UInt8] = [0x1B, 0x24, 0x42, 0x46, 0x7C, 0x1B, 0x28, 0x42]

    static let all = [
        TclSlipExample(
            slip: .lineFeedSwallowedTwice,
            input: CutInput("utf-8", "auto", .lines, [Array("a\r\n\nb\n".utf8)], cuts: [2, 3]),
            ruled: [["a"], [], ["", "b"], []], tcls: [["a"], [], ["b"], []]),
        TclSlipExample(
            slip: .markMisplaced,
            input: CutInput(
                "utf-8", "auto", hasMark: true, .lines, [Array("a\r\nb\u{1A}c".utf8)], cuts: [2]),
            ruled: [["a"], ["b"], []], tcls: [["a"], ["b\u{1A}"], []]),
        TclSlipExample(
            slip: .returnSkipped,
            input: CutInput("utf-8", "crlf", .lines, [Array("a\r\r\nb".utf8)], cuts: []),
            ruled: [["a\r"], ["b"]], tcls: [[], ["a\r\r\nb"]]),
        TclSlipExample(
            slip: .markOverlooked,
            input: CutInput(
                "utf-8", "crlf", hasMark: true, .lines, [Array("a\rb\u{1A}c\r\n".utf8)],
                cuts: [2]),
            ruled: [[], ["a\rb"], []], tcls: [[], ["a\rb\u{1A}c"], []]),
        TclSlipExample(
            slip: .stateForgotten,
            input: CutInput("iso2022-jp", "auto", .lines, [[0x0D], sun], cuts: [4]),
            ruled: [[""], [], ["日"]], tcls: [[""], [], ["F|"]]),
        TclSlipExample(
            slip: .returnHeld,
            input: CutInput("utf-8", "crlf", .all, [[0x0D], Array("é".utf8)], cuts: [2]),
            ruled: [["\r"], ["é"], [""]], tcls: [[""], ["\ré"], [""]]),
    ]
}

@Suite(.countingDescriptors, .serialized)
struct TclErring {
    @Test func `every kind has its example, and each is one of its kind`() {
        #expect(TclSlipExample.all.map(\.slip) == TclSlip.allCases)
        for example in TclSlipExample.all { #expect(example.input.slip == example.slip) }
    }

    // X5, K9, K15, K17
    @Test(arguments: TclSlipExample.all)
    func `an input that Tcl answers in another way is answered by the rule`(
        example: TclSlipExample
    ) throws {
        let ruled = example.ruled.map { $0.map { hexadecimal($0.utf8) } }
        #expect(try example.input.answersOfChannel(on: try Reactor()).map(\.texts) == ruled)
        #expect(try example.input.answersOfTextInput().map(\.texts) == ruled)
        let (version, answers) = try CutInput.answersOfTcl(to: [example.input])
        // Another Tcl may have mended it.
        if version != "8.6.13" { return }
        let tcls = example.tcls.map { $0.map { hexadecimal($0.utf8) } }
        #expect(answers[0].map(\.texts) == tcls, "Tcl errs in another way")
    }
}
