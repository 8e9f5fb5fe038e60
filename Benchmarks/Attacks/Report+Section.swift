// SPDX-License-Identifier: Apache-2.0
//
// The section of Benchmarks/RESULTS.md: tables, and how they came about.

import BenchmarkSupport
import SluiceReport

extension Report {
    /// The section, without its marks.
    var section: String {
        """
        ## Attacks

        A server that is attacked (`Benchmarks/Attacks/DefendedServer.swift`), and what \(plan.honestConnections) honest clients
        notice that send it \(plan.honestRate) lines a second together. Their p99 under attack may be \(NumberText.fixed(Self.limit, digits: 0)) times that in
        quiet; a newcomer connects and has one line answered, ten times a second.

        \(latencyTable)

        \(serverTable)

        \(judgedTable)

        What became of the attackers' connections, in all rounds:

        \(endTable)

        - Quiet (\(seconds(plan.quietMilliseconds)) s) and attack (\(seconds(plan.attackMilliseconds)) s) in turn, \(plan.rounds) times; a figure is the median of the rounds, a
          ratio that of two medians. The attack is measured from its first connection on. Newcomers are too few for
          their p99 to be judged.
        - Open model: lines are due at fixed times, and latency counts from then, whatever happens before.
        - \(places) The attackers' side of the kernel's work is done there, too.
        - Honest clients come from 127.0.0.2, slow-loris and stopped readers from as many addresses in 32 networks
          as have 64 connections each, floods and garbage from \(plan.floodSources) addresses. Attackers open anew what the server ends.
        - The server ends within \(seconds(plan.patienceMilliseconds)) s who does not say the first byte, finish a line or read what it is sent,
          lets each address have 64 connections and 100 new ones a second, and holds 64 MiB for all at most.
        - Memory is the resident set of the server's process, and what the kernel holds for the bytes of all TCP
          connections of the machine, both ends. The bound of the first is \(NumberText.grouped(Self.byteCountPerConnection)) B for each client that the server
          has room for, its 64 MiB for all, and 64 MiB for itself; that of the second is what the buffers of the
          attack's connections may hold, and 64 MiB.
        - Slow-loris and stopped readers must be held at once as they are meant to; the connections of other attacks
          are refused or ended sooner, and must have been opened.
        - Half-open here is a connection whose client has ended its own direction. Those whose SYN is never followed
          by an ACK are the kernel's affair (SYN cookies, tcp(7)): no program sees them, and they are not measured.
        """
    }

    private var places: String {
        guard plan.cores.count == 2 else {
            return "All processes share the cores."
        }
        return """
            Server on core \(plan.cores[0]); honest clients and attackers on core \(plan.cores[1]), the attackers with what the
              clients leave of it (`SCHED_IDLE`, nice 19): a real attack would not take the clients' own CPU. \(precedence)
            """
    }

    private var precedence: String {
        guard outcomes.allSatisfy(\.goesFirst) else {
            return """
                Server and
                  clients could not run before all other programs (`SCHED_FIFO`): daemons of the machine are in the p99, too.
                """
        }
        return """
            Server and
              clients run before all other programs (`SCHED_FIFO`): else a daemon of the machine that takes the core
              for some milliseconds, once in a second, decides on a p99, and the more so the busier the machine is.
            """
    }

    private func seconds(_ milliseconds: Int) -> String {
        milliseconds % 1_000 == 0
            ? "\(milliseconds / 1_000)" : NumberText.fixed(Double(milliseconds) / 1_000, digits: 1)
    }

    private var latencyTable: String {
        let heads = [
            "honest clients beside", "p50 us, quiet", "p50 us", "p99 us, quiet", "p99 us",
            "p99 to quiet", "limit", "met", "newcomers' p99 us, quiet", "newcomers' p99 us",
            "errors",
        ]
        return TableText.table(
            heads,
            outcomes.map { one in
                let isMet = !limits(of: one).prefix(2).contains(where: \.isMissed)
                return [
                    one.attack.title, one.microseconds(\.quiet, "p50"),
                    one.microseconds(\.attacked, "p50"), one.microseconds(\.quiet, "p99"),
                    one.microseconds(\.attacked, "p99"), NumberText.fixed(one.ratio, digits: 2),
                    "<= \(NumberText.fixed(Self.limit, digits: 0))", isMet ? "yes" : "**no**",
                    one.microseconds(\.quiet, "newcomers p99"),
                    one.microseconds(\.attacked, "newcomers p99"), "\(one.errorCount)",
                ]
            })
    }

    private var serverTable: String {
        let heads = [
            "the server under", "connections at once", "attackers' connects/s", "let in/s",
            "refused/s", "resident before, MiB", "resident at most, MiB", "kernel at most, MiB",
            "of its core",
        ]
        let time = Double(plan.attackMilliseconds) / 1_000
        return TableText.table(
            heads,
            outcomes.map { one in
                [
                    one.attack.title,
                    NumberText.fixed(one.median { Double($0.server["highest"]) }, digits: 0),
                    NumberText.fixed(
                        one.median { Double($0.attackers["opened"]) / time }, digits: 0),
                    NumberText.fixed(
                        one.median { Double($0.server["accepted"]) / time }, digits: 0),
                    NumberText.fixed(one.median { Double($0.refusedCount) / time }, digits: 0),
                    NumberText.mebibytes(one.residentByteCountBefore),
                    NumberText.mebibytes(one.highestResidentByteCount),
                    NumberText.mebibytes(one.kernelByteCount),
                    NumberText.fixed(one.median(\.processorShare), digits: 2),
                ]
            })
    }

    /// What the attack and the server's memory are judged by.
    private var judgedTable: String {
        let heads = [
            "judged under", "attackers' connections", "at least", "ended or refused by a limit",
            "at least", "resident at most, MiB", "bound", "kernel at most, MiB", "bound", "met",
        ]
        return TableText.table(
            heads,
            outcomes.map { one in
                let judged = limits(of: one).dropFirst(2)
                let size = judged.first
                let missed = judged.filter(\.isMissed).map(\.text)
                return [
                    one.attack.title,
                    "\(NumberText.fixed(size?.measured ?? 0, digits: 0)) \(size?.text ?? "")",
                    "\(plan.connections(of: one.attack))",
                    NumberText.fixed(one.leastLimitsMet, digits: 0), "1",
                    NumberText.mebibytes(one.highestResidentByteCount),
                    NumberText.mebibytes(residentBound(of: one)),
                    NumberText.mebibytes(one.kernelByteCount),
                    NumberText.mebibytes(kernelBound(of: one.attack)),
                    missed.isEmpty ? "yes" : "**no**: " + missed.joined(separator: "; "),
                ]
            })
    }

    private var endTable: String {
        let list = { (sums: [(name: String, value: Int)]) in
            sums.isEmpty ? "-" : sums.map { "\($0.value) \($0.name)" }.joined(separator: ", ")
        }
        return TableText.table(
            ["", "refused", "ended, with the newcomers'"],
            outcomes.map { one in
                [one.attack.title, list(one.sums("refused: ")), list(one.sums("ended: "))]
            })
    }
}

extension Outcome {
    fileprivate func microseconds(_ part: KeyPath<Round, Figures>, _ name: String) -> String {
        NumberText.fixed(median { Double($0[keyPath: part][name]) / 1_000 }, digits: 0)
    }
}

extension Round {
    /// How many clients the server has turned away.
    var refusedCount: Int { server.beginning(with: "refused: ").reduce(0) { $0 + $1.value } }
}
