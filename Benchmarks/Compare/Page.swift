// SPDX-License-Identifier: Apache-2.0
//
// The page that is written: budgets, tables, machine, versions and method.

import Foundation

struct Page {
    let results: Results
    let arguments: Arguments
    let memory: [MemoryCycle]
    /// The table of what reading lines costs.
    let lines: String
    /// The table of what a channel keeps in each state.
    let states: String

    /// What other programs have written into the page.
    var kept = ""

    func text() -> String {
        """
        # Results

        Sluice beside its peers, from one run of `make bench`. Figures are medians of \(arguments.rounds) rounds; ratios
        are medians of the rounds' own ratios, since every contestant is measured in every round. The parts on
        attacks and on a million connections come from runs of their own.

        ## Budgets

        \(budgets())

        ## Echo, 64 bytes

        \(echo(Scenario.echo100))

        \(echo(Scenario.echo10000))

        ## Echo of lines, 64 bytes

        Sluice reads each line as text (UTF-8, any line end) and writes it again; the others move bytes.

        \(echo(Scenario.lines, [.epoll, .sluice, .sluiceLines, .pipeline]))

        ## Reading lines

        \(lines.trimmingCharacters(in: .newlines))

        Each string longer than 15 bytes is one allocation.

        ## Memory for a connection, 10,000 connections

        \(memoryTable())

        ### In each state

        Bytes of the heap for each accepted channel, exactly, with libevent's record of it and its places in
        the reactor's and the server's tables.

        \(states.trimmingCharacters(in: .newlines))

        ### When all have closed, on several reactors

        What is left when 10,000 connections have closed, against the server before the first came; and when
        as many more have come and closed.

        \(cycles())

        ## Bulk stream, writes of 1 MiB on one connection

        \(bulk())

        ## Accepting and closing: connect, one echo, close

        \(churn())

        ## Datagrams, echo of 64 bytes

        From 16 sockets with 32 datagrams under way each; a packet is a datagram that came and went back. The C
        peer takes up to 32 by one `recvmmsg` and sends them back by one `sendmmsg`, without a copy. Where a server
        uses less than 1.00 of its core, the load holds it back.

        \(datagrams())

        ## Serving while resolving

        Echo of 64 bytes on 1,000 connections, 10,000 times a second. The busy reactor asks a name server for
        2,500 names a second besides, each for both families and none twice, and connects 250 times a second to
        a port where nobody listens: in four seconds 10,000 names and 1,000 connects. Latencies count from when
        a message was due.

        \(resolving())

        ## Several reactors

        Echo by tasks. Each reactor's thread is kept on a core of its own, of which it may use \(Quota.percent) % (control
        groups, periods of 10 ms); the load, two threads, has what is left of both. Where the load does not hold
        the server back, the server uses all that it may: that is the column "of its part".

        \(reactors())

        ## 15,000 connections

        Echo of 64 bytes: the connections are opened as fast as each server lets them in, of the load's 256 at a
        time, and are then sent \(Scenario.manyRate) messages a second together; latencies count from when a message was due.
        The second table has Sluice's figures as parts of SwiftNIO's: less is better, but for what is opened a
        second.

        \(manyConnections())

        \(kept)## Machine, versions, method

        \(Machine.lines().map { "- \($0)" }.joined(separator: "\n"))
        - Server on core 0, load on core 1 (`taskset`), but for several reactors and what they leave in memory; TCP over
          loopback with `TCP_NODELAY` on, and UDP for datagrams.
        - Load: `sluice load`, one request under way a connection but for datagrams, closed loop but where a rate
          is named; \(arguments.seconds) s a measurement after half a second to warm up, for memory 1 s.
        - CPU is the server process's own, from `/proc`: total from `schedstat`, to the nanosecond; its user part by the
          share of clock ticks. Memory is growth of the resident set divided by connections.

        """
    }

    /// The tables of some scenarios, and the budgets that they hold a figure for.
    func excerpt(_ scenarios: [Scenario]) -> String {
        let measured = Budget.all.filter { $0.value(results) != nil }
        let tables = scenarios.map { "\($0.name)\n\n\(rows(of: $0))" }
        return ([budgets(measured)] + tables).joined(separator: "\n\n")
    }

    private func rows(of scenario: Scenario) -> String {
        switch scenario.name {
        case Scenario.bulk: bulk()
        case Scenario.churn: churn()
        case Scenario.datagrams: datagrams()
        case Scenario.resolving: resolving()
        case Scenario.many: manyConnections()
        case Scenario.saturated, Scenario.steady, Scenario.spreading:
            reactors(scenario.name, scenario.contestants)
        default: echo(scenario.name, scenario.contestants)
        }
    }

    private func budgets(_ budgets: [Budget] = Budget.all) -> String {
        table(
            ["budget", "limit", "measured", "met"],
            budgets.map { budget in
                let sign = budget.isCeiling ? "<=" : ">="
                return [
                    budget.text, "\(sign) \(number(budget.limit, 2))",
                    number(budget.value(results), budget.limit > 10 ? 0 : 2),
                    budget.isMissed(in: results).map { $0 ? "**no**" : "yes" } ?? "not measured",
                ]
            })
    }

    private func echo(
        _ scenario: String, _ contestants: [Contestant] = Contestant.all
    ) -> String {
        let heads = [
            scenario, "messages/s", "p50 us", "p99 us", "p99.9 us", "user CPU us", "total CPU us",
            "total to epoll", "user to NIO", "errors",
        ]
        return table(
            heads,
            contestants.map { one in
                [
                    one.name, number(results.median(scenario, one, Figure.rate), 0),
                    number(results.median(scenario, one) { $0.latencyUs?.p50 }, 0),
                    number(results.median(scenario, one) { $0.latencyUs?.p99 }, 0),
                    number(results.median(scenario, one) { $0.latencyUs?.p999 }, 0),
                    number(results.median(scenario, one, Figure.user), 2),
                    number(results.median(scenario, one, Figure.total), 2),
                    number(results.ratio(scenario, one, to: .epoll, Figure.total), 2),
                    number(results.ratio(scenario, one, to: .pipeline, Figure.user), 2),
                    number(results.median(scenario, one) { Double($0.errors) }, 0),
                ]
            })
    }

    private func memoryTable() -> String {
        table(
            ["", "idle, B", "after traffic, B"],
            Contestant.all.map { one in
                [
                    one.name, number(results.median(Scenario.echo10000, one, Figure.idleMemory), 0),
                    number(results.median(Scenario.echo10000, one, Figure.usedMemory), 0),
                ]
            })
    }

    private func cycles() -> String {
        table(
            [
                "", "reactors", "arenas", "idle, B", "after traffic, B", "left, KiB",
                "left after the second time, KiB",
            ],
            memory.map { one in
                [
                    one.style, "\(one.reactors)", one.arenas.map { "at most \($0)" } ?? "any",
                    number(one.first.idle, 0),
                    number(one.first.afterTraffic, 0), "\(one.left[0])", "\(one.left[1])",
                ]
            })
    }

    private func reactors() -> String {
        guard Quota.isAvailable else { return "Not measured: this machine has no such groups." }
        let two: [Contestant] = [.twoReactors, .twoListeners]
        return [
            reactors(Scenario.saturated, [.oneReactor] + two), reactors(Scenario.steady, two),
            reactors(Scenario.spreading, two),
        ].joined(separator: "\n\n")
    }

    private func reactors(_ scenario: String, _ contestants: [Contestant]) -> String {
        let heads = [
            scenario, "a second", "to hand-over", "p50 us", "p99 us", "CPU us each",
            "of its part", "errors",
        ]
        return table(
            heads,
            contestants.map { one in
                [
                    one.name, number(results.median(scenario, one, Figure.rate), 0),
                    number(results.ratio(scenario, one, to: .twoReactors, Figure.rate), 2),
                    number(results.median(scenario, one) { $0.latencyUs?.p50 }, 0),
                    number(results.median(scenario, one) { $0.latencyUs?.p99 }, 0),
                    number(results.median(scenario, one, Figure.total), 2),
                    number(results.median(scenario, one, Figure.part(of: one)), 2),
                    number(results.median(scenario, one) { Double($0.errors) }, 0),
                ]
            })
    }

    private func datagrams() -> String {
        let scenario = Scenario.datagrams
        let heads = [
            "", "packets/s", "to epoll", "p50 us", "p99 us", "user CPU us", "total CPU us",
            "total to epoll", "of its core", "errors",
        ]
        return table(
            heads,
            [Contestant.epollDatagrams, .sluiceDatagrams].map { one in
                [
                    one.name, number(results.median(scenario, one, Figure.rate), 0),
                    number(results.ratio(scenario, one, to: .epollDatagrams, Figure.rate), 2),
                    number(results.median(scenario, one) { $0.latencyUs?.p50 }, 0),
                    number(results.median(scenario, one) { $0.latencyUs?.p99 }, 0),
                    number(results.median(scenario, one, Figure.user), 2),
                    number(results.median(scenario, one, Figure.total), 2),
                    number(results.ratio(scenario, one, to: .epollDatagrams, Figure.total), 2),
                    number(results.median(scenario, one, Figure.partOfCore), 2),
                    number(results.median(scenario, one) { Double($0.errors) }, 0),
                ]
            })
    }

    private func resolving() -> String {
        let scenario = Scenario.resolving
        return table(
            [
                "", "messages/s", "p50 us", "p99 us", "p99.9 us", "p99.9 to serving only",
                "of its core", "errors",
            ],
            [Contestant.servingOnly, .servingAndResolving].map { one in
                [
                    one.name, number(results.median(scenario, one, Figure.rate), 0),
                    number(results.median(scenario, one) { $0.latencyUs?.p50 }, 0),
                    number(results.median(scenario, one) { $0.latencyUs?.p99 }, 0),
                    number(results.median(scenario, one, Figure.slowest), 0),
                    number(results.ratio(scenario, one, to: .servingOnly, Figure.slowest), 2),
                    number(results.median(scenario, one, Figure.partOfCore), 2),
                    number(results.median(scenario, one) { Double($0.errors) }, 0),
                ]
            })
    }

    private func bulk() -> String {
        table(
            ["", "MiB/s", "to epoll", "CPU us/MiB"],
            Contestant.all.map { one in
                [
                    one.name,
                    number(
                        results.median(Scenario.bulk, one, Figure.bytes).map { $0 / 1_048_576 }, 0),
                    number(results.ratio(Scenario.bulk, one, to: .epoll, Figure.bytes), 2),
                    number(results.median(Scenario.bulk, one, Figure.cpuPerMebibyte), 0),
                ]
            })
    }

    private func churn() -> String {
        table(
            ["", "connections/s", "to epoll", "CPU us/connection", "CPU to epoll", "errors"],
            Contestant.all.map { one in
                [
                    one.name, number(results.median(Scenario.churn, one, Figure.accepts), 0),
                    number(results.ratio(Scenario.churn, one, to: .epoll, Figure.accepts), 2),
                    number(results.median(Scenario.churn, one, Figure.total), 1),
                    number(results.ratio(Scenario.churn, one, to: .epoll, Figure.total), 2),
                    number(results.median(Scenario.churn, one) { Double($0.errors) }, 0),
                ]
            })
    }

    func table(_ heads: [String], _ rows: [[String]]) -> String {
        let line = { (cells: [String]) in "| " + cells.joined(separator: " | ") + " |" }
        let rule = heads.indices.map { $0 == 0 ? "---" : "--:" }
        return ([line(heads), line(rule)] + rows.map(line)).joined(separator: "\n")
    }

    func number(_ value: Double?, _ digits: Int) -> String {
        guard let value else { return "-" }
        return String(format: "%.\(digits)f", value)
    }
}

/// What was measured on, and with which versions.
enum Machine {
    static func lines() -> [String] {
        [
            "\(today()); \(processor()); \(ProcessInfo.processInfo.processorCount) cores; kernel \(first("uname", "-r"))",
            first("swift", "--version"),
            "libevent " + first("dpkg-query", "-W", "-f", "${Version}", "libevent-core-2.1-7"),
            "c-ares " + first("dpkg-query", "-W", "-f", "${Version}", "libc-ares2"),
            "C: " + first("cc", "--version") + ", by way of the Swift package manager's clang, -O2",
            "SwiftNIO \(resolvedVersion(of: "swift-nio"))",
        ]
    }

    /// The version that the package manager has written down for this build.
    private static func resolvedVersion(of package: String) -> String {
        let text =
            (try? String(contentsOfFile: "Benchmarks/Package.resolved", encoding: .utf8)) ?? ""
        let lines = text.split(separator: "\n")
        let place = lines.firstIndex { $0.contains("\"\(package)\"") } ?? lines.endIndex
        let line = lines[place...].first { $0.contains("\"version\"") } ?? ""
        return line.split(separator: "\"").dropFirst(3).first.map(String.init) ?? "unknown"
    }

    private static func today() -> String {
        let formatter = DateFormatter()
        formatter.dateFormat = "yyyy-MM-dd"
        formatter.timeZone = TimeZone(secondsFromGMT: 0)
        return formatter.string(from: Date())
    }

    private static func processor() -> String {
        let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("model name") } ?? ""
        return line.split(separator: ":").last.map { $0.trimmingCharacters(in: .whitespaces) }
            ?? "unknown processor"
    }

    private static func first(_ words: String...) -> String {
        let output = (try? Measurement.capture(words)) ?? Data()
        let text = String(decoding: output, as: UTF8.self)
        return text.split(separator: "\n").first.map(String.init) ?? "unknown"
    }
}
