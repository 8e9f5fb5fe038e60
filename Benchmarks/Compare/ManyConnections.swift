// SPDX-License-Identifier: Apache-2.0
//
// 15,000 connections: what they cost a server, how fast it lets them in, and how soon each has its
// answer.

extension Scenario {
    static let many = "15,000 connections"

    /// Messages a second on all connections together: few enough for the slowest contestant.
    static let manyRate = 20_000
    static let manyContestants: [Contestant] = [
        .epoll, .sluice, .sluiceAsync, .pipeline, .asyncChannel,
    ]

    /// Opened as fast as they are let in, then sent to at a fixed rate.
    static func manyConnections(_ time: [String]) -> Scenario {
        Scenario(
            name: many, service: "echo",
            load: ["--connections", "15000", "--ramp", "0", "--rate", "\(manyRate)"] + time,
            contestants: manyContestants)
    }
}

extension Figure {
    /// Connections a second while they were opened.
    static let opened: @Sendable (Report) -> Double? = { report in
        guard let seconds = report.connectSeconds, seconds > 0 else { return nil }
        return Double(report.connections) / seconds
    }
    /// CPU microseconds for each connection that was opened.
    static let openingCPU: @Sendable (Report) -> Double? = { $0.serverCpuUsPerConnection }
    static let p99: @Sendable (Report) -> Double? = { $0.latencyUs?.p99 }
}

extension Page {
    /// The figures of each contestant, then those of Sluice to those of SwiftNIO.
    func manyConnections() -> String {
        let figures = table(
            [
                "15,000 connections", "idle, B", "after traffic, B", "user CPU us a message",
                "total CPU us a message", "p50 us", "p99 us", "opened a second",
                "CPU us a connection opened", "errors",
            ],
            Scenario.manyContestants.map { one in
                let median = { (figure: (Report) -> Double?, digits: Int) in
                    number(results.median(Scenario.many, one, figure), digits)
                }
                return [
                    one.name, median(Figure.idleMemory, 0), median(Figure.usedMemory, 0),
                    median(Figure.user, 2), median(Figure.total, 2),
                    median({ $0.latencyUs?.p50 }, 0), median(Figure.p99, 0),
                    median(Figure.opened, 0), median(Figure.openingCPU, 1),
                    median({ Double($0.errors) }, 0),
                ]
            })
        return "\(figures)\n\n\(manyRatios())"
    }

    private func manyRatios() -> String {
        let pairs: [(Contestant, to: Contestant)] = [
            (.sluice, to: .pipeline), (.sluice, to: .asyncChannel),
            (.sluiceAsync, to: .pipeline), (.sluiceAsync, to: .asyncChannel),
        ]
        return table(
            [
                "15,000 connections", "to", "idle memory", "memory after traffic",
                "total CPU a message", "p99", "opened a second", "CPU a connection opened",
            ],
            pairs.map { one, other in
                let ratio = { (figure: (Report) -> Double?) in
                    number(results.ratio(Scenario.many, one, to: other, figure), 2)
                }
                return [
                    one.name, other.name, ratio(Figure.idleMemory), ratio(Figure.usedMemory),
                    ratio(Figure.total), ratio(Figure.p99), ratio(Figure.opened),
                    ratio(Figure.openingCPU),
                ]
            })
    }
}
