// SPDX-License-Identifier: Apache-2.0
//
// What the attacks have shown: a section of the page of results, or one JSON object.

import BenchmarkSupport
import SluiceReport

/// The outcomes of all attacks, beside what they may be.
struct Report {
    let plan: Plan
    let outcomes: [Outcome]

    /// The honest clients' p99 under attack may be so many times that in quiet.
    static let limit = 3.0

    /// What the server's process may need besides clients and buffers.
    private static let programByteCount = 64 << 20
    /// What the server's process may need for each client: its channel, and what belongs to it.
    static let byteCountPerConnection = 2_048
    /// What the kernel may hold besides.
    private static let kernelSpareByteCount = 64 << 20

    /// What an attack is judged by.
    func limits(of outcome: Outcome) -> [Limit] {
        let attack = outcome.attack
        let goal = Double(plan.connections(of: attack))
        let size =
            attack.isHeld
            ? Limit("held at once", outcome.least { $0.server["attackers at once"] }, ">=", goal)
            : Limit("opened", outcome.least { $0.attackers["opened"] }, ">=", goal)
        return [
            Limit(
                "p99 to quiet", outcome.ratio, "<=", Self.limit, digits: 2,
                // At small size the machine is shared, and ratios say little.
                isJudged: plan.isFullSize),
            Limit("errors of honest clients", Double(outcome.errorCount), "=", 0),
            size,
            Limit("ended or refused by a limit", outcome.leastLimitsMet, ">=", 1),
            Limit(
                "resident, bytes", Double(outcome.highestResidentByteCount), "<=",
                Double(residentBound(of: outcome)), isJudged: plan.isFullSize),
            Limit(
                "in the kernel, bytes", Double(outcome.kernelByteCount), "<=",
                Double(kernelBound(of: attack)), isJudged: plan.isFullSize),
        ]
    }

    /// As many clients as the server has at most, its limit for what it holds for all, and itself.
    func residentBound(of outcome: Outcome) -> Int {
        outcome.connectionLimit * Self.byteCountPerConnection + DefendedServer.bufferLimit
            + Self.programByteCount
    }

    /// What the buffers of the attack's connections may hold, both ends together.
    func kernelBound(of attack: Attack) -> Int {
        plan.connections(of: attack) * attack.kernelByteCountPerConnection
            + Self.kernelSpareByteCount
    }

    /// What was not as it should be, a sentence for each.
    var missed: [String] {
        outcomes.flatMap { outcome in
            limits(of: outcome).filter(\.isMissed).map { limit in
                "\(outcome.attack.title): \(limit.text): "
                    + "\(NumberText.fixed(limit.measured, digits: limit.digits)), and should be "
                    + "\(limit.sign) \(NumberText.fixed(limit.bound, digits: 0))"
            }
        }
    }
}

extension Outcome {
    /// The rounds' median of p99 under attack to that of p99 in quiet.
    var ratio: Double {
        median { Double($0.attacked["p99"]) } / max(1, median { Double($0.quiet["p99"]) })
    }

    /// What went wrong for honest clients, in all rounds.
    var errorCount: Int { rounds.reduce(0) { $0 + $1.quiet["errors"] + $1.attacked["errors"] } }

    /// The smallest of a figure over the rounds.
    func least(_ figure: (Round) -> Int) -> Double { Double(rounds.map(figure).min() ?? 0) }

    /// How many of the attackers' connections were ended, or refused, as they should be.
    var limitsMet: Int { rounds.reduce(0) { $0 + attack.limitsMet(in: $1.server) } }

    /// The same of the round with the fewest.
    var leastLimitsMet: Double { least { attack.limitsMet(in: $0.server) } }

    /// The most that the kernel held for all connections of the machine in any round.
    var kernelByteCount: Int { rounds.map(\.kernelByteCount).max() ?? 0 }

    /// The median of a figure over the rounds; 0 without any.
    func median(_ figure: (Round) -> Double) -> Double {
        let sorted = rounds.map(figure).sorted()
        if sorted.isEmpty { return 0 }
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }

    /// Sums over the rounds of the server's figures whose names begin like this, largest first.
    func sums(_ prefix: String) -> [(name: String, value: Int)] {
        var sums: [String: Int] = [:]
        for round in rounds {
            for (name, value) in round.server.beginning(with: prefix) {
                sums[name, default: 0] += value
            }
        }
        return sums.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
            .map { (name: $0.key, value: $0.value) }
    }
}
