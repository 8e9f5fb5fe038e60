// SPDX-License-Identifier: Apache-2.0
//
// `AttackBenchmark --small`: a server under every attack, with honest clients beside it, in processes
// of their own.

import Foundation
import Sluice
import TestSupport
import Testing

@Suite(.countingDescriptors, .serialized)
struct AttackingWhileServing {
    private static let attacks = [
        "slow-loris", "stopped-readers", "connect-and-leave", "connect-and-stay", "half-open",
        "resets", "garbage", "endless-lines",
    ]

    @Test func `honest clients are served without an error, whatever others do`() throws {
        let report = try Self.report()
        #expect(report.attacks.map(\.name) == Self.attacks)
        for attack in report.attacks {
            let what = Comment(rawValue: attack.name)
            for round in attack.rounds {
                #expect(round.quiet["errors"] == 0, what)
                #expect(round.attacked["errors"] == 0, what)
                #expect(round.quiet["count"] ?? 0 > 100, what)
                #expect(round.attacked["count"] ?? 0 > 500, what)
                #expect(round.attacked["newcomers count"] ?? 0 > 0, what)
                #expect(round.attackers["opened"] ?? 0 >= 32, what)
            }
            for limit in attack.limits where limit.isJudged {
                #expect(limit.isMet, "\(attack.name): \(limit.name), \(limit.measured)")
            }
            #expect(attack.limits.count { $0.isJudged } == 3, what)
            #expect(attack.limitsMet > 0, "\(attack.name): its connections were ended by a limit")
            let growth = attack.residentHighest - attack.residentBefore
            print("\(attack.name): \(growth / 1_024) KiB more, p99 \(attack.ratio) times")
            #expect(growth < 32 << 20 || !CommandProcess.hasTrueMemory, what)
        }
    }

    private static func report() throws -> Report {
        let folder = CommandProcess.sluice.dropLast("sluice".count)
        let program = try CommandProcess("\(folder)AttackBenchmark", ["--small", "--json"])
        let ending = try program.ended(within: .seconds(240))
        #expect(ending == .exited(0), "\(program.errors.text)")
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(Report.self, from: Data(program.output))
    }

    /// What the benchmark prints.
    private struct Report: Decodable {
        let attacks: [Attack]

        struct Attack: Decodable {
            let name: String
            let ratio: Double
            let limitsMet: Int
            let residentBefore: Int
            let residentHighest: Int
            let limits: [Limit]
            let rounds: [Round]
        }

        /// What an attack is judged by; times and memory only at full size.
        struct Limit: Decodable {
            let name: String
            let measured: Double
            let isJudged: Bool
            let isMet: Bool
        }

        struct Round: Decodable {
            let quiet: [String: Int]
            let attacked: [String: Int]
            let attackers: [String: Int]
        }
    }
}
