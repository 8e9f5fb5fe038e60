// SPDX-License-Identifier: Apache-2.0
//
// The report for programs: one JSON object, with every figure of every round.

import BenchmarkSupport
import SluiceReport

extension Report {
    /// The report as a JSON object; times in nanoseconds, memory in bytes.
    var json: JSONValue {
        .object([
            ("limit", .number(Self.limit)),
            ("missed", .array(missed.map { .string($0) })),
            ("attacks", .array(outcomes.map { $0.json(limits: limits(of: $0)) })),
        ])
    }
}

extension Outcome {
    fileprivate func json(limits: [Limit]) -> JSONValue {
        .object([
            ("name", .string(attack.rawValue)),
            ("ratio", .number(ratio)),
            ("errors", .integer(errorCount)),
            // Counts of those ends of which one at least must be seen.
            ("limits_met", .integer(limitsMet)),
            ("resident_before", .integer(residentByteCountBefore)),
            ("resident_highest", .integer(highestResidentByteCount)),
            ("limits", .array(limits.map(\.json))),
            ("rounds", .array(rounds.map(\.json))),
        ])
    }
}

extension Limit {
    fileprivate var json: JSONValue {
        .object([
            ("name", .string(text)), ("measured", .number(measured)), ("sign", .string(sign)),
            ("bound", .number(bound)), ("is_judged", .boolean(isJudged)),
            ("is_met", .boolean(isMet)),
        ])
    }
}

extension Round {
    fileprivate var json: JSONValue {
        .object([
            ("quiet", quiet.json), ("attacked", attacked.json), ("server", server.json),
            ("attackers", attackers.json), ("processor_share", .number(processorShare)),
            ("kernel_highest", .integer(kernelByteCount)),
        ])
    }
}

extension Figures {
    fileprivate var json: JSONValue { .object(names.map { ($0, .integer(self[$0])) }) }
}
