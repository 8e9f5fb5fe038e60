// SPDX-License-Identifier: Apache-2.0
//
// The figures of all rounds, and the budgets that they are held against.
// A figure is the median of its rounds; a ratio is the median of the rounds' own ratios.

/// All reports, by scenario and contestant, in the order of the rounds.
struct Results {
    private var reports: [String: [Contestant: [Report]]] = [:]

    mutating func add(_ report: Report, _ scenario: Scenario, _ contestant: Contestant) {
        reports[scenario.name, default: [:]][contestant, default: []].append(report)
    }

    func rounds(_ scenario: String, _ contestant: Contestant) -> [Report] {
        reports[scenario]?[contestant] ?? []
    }

    /// The median of a figure; `nil` where no round has it.
    func median(
        _ scenario: String, _ contestant: Contestant, _ figure: (Report) -> Double?
    ) -> Double? {
        Self.median(rounds(scenario, contestant).compactMap(figure))
    }

    /// The median of the ratios of two contestants, round by round.
    func ratio(
        _ scenario: String, _ contestant: Contestant, to other: Contestant,
        _ figure: (Report) -> Double?
    ) -> Double? {
        let pairs = zip(rounds(scenario, contestant), rounds(scenario, other))
        return Self.median(
            pairs.compactMap { mine, theirs in
                guard let above = figure(mine), let below = figure(theirs), below > 0 else {
                    return nil
                }
                return above / below
            })
    }

    private static func median(_ values: [Double]) -> Double? {
        if values.isEmpty { return nil }
        let sorted = values.sorted()
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }
}

/// The figures by name.
enum Figure {
    static let total: @Sendable (Report) -> Double? = { $0.serverCpuUsPerRequest?.total }
    static let user: @Sendable (Report) -> Double? = { $0.serverCpuUsPerRequest?.user }
    static let rate: @Sendable (Report) -> Double? = { $0.requestsPerSecond }
    static let idleMemory: @Sendable (Report) -> Double? = { $0.serverMemoryPerConnection?.idle }
    static let usedMemory: @Sendable (Report) -> Double? = {
        $0.serverMemoryPerConnection?.afterTraffic
    }
    static let slowest: @Sendable (Report) -> Double? = { $0.latencyUs?.p999 }
    static let accepts: @Sendable (Report) -> Double? = { $0.connectionsPerSecond }
    static let bytes: @Sendable (Report) -> Double? = { $0.bytesReceived / $0.seconds }
    /// How much of one core's time the server has used.
    static let partOfCore: @Sendable (Report) -> Double? = { report in
        report.serverCpuUs.map { $0 / 1_000_000 / report.seconds }
    }

    /// How much of the CPU time that a contestant's reactors may use they have used.
    static func part(of contestant: Contestant) -> @Sendable (Report) -> Double? {
        let allowed = Double(Quota.percent * contestant.reactorCount) / 100
        return { report in
            report.serverCpuUs.map { $0 / 1_000_000 / report.seconds / allowed }
        }
    }

    /// CPU microseconds of the server for each MiB that the load received.
    static let cpuPerMebibyte: @Sendable (Report) -> Double? = {
        guard let cpu = $0.serverCpuUs, $0.bytesReceived > 0 else { return nil }
        return cpu / ($0.bytesReceived / 1_048_576)
    }
}

/// A limit that was set beforehand.
struct Budget: Sendable {
    let text: String
    /// Whether more is worse.
    let isCeiling: Bool
    let limit: Double
    let value: @Sendable (Results) -> Double?

    /// `nil` where this machine could not measure it.
    func isMissed(in results: Results) -> Bool? {
        value(results).map { isCeiling ? $0 > limit : $0 < limit }
    }

    static let all: [Budget] =
        [Scenario.echo100, Scenario.echo10000].flatMap { scenario in
            [
                Budget(
                    text: "\(scenario): total CPU a message, to raw epoll", isCeiling: true,
                    limit: 1.08
                ) {
                    $0.ratio(scenario, .sluice, to: .epoll, Figure.total)
                },
                Budget(text: "\(scenario): user CPU a message, us", isCeiling: true, limit: 0.35) {
                    $0.median(scenario, .sluice, Figure.user)
                },
                Budget(
                    text: "\(scenario): user CPU a message, to SwiftNIO's pipeline",
                    isCeiling: true,
                    limit: 1.0 / 3
                ) { $0.ratio(scenario, .sluice, to: .pipeline, Figure.user) },
                Budget(
                    text: "\(scenario), async: total CPU a message, to raw epoll", isCeiling: true,
                    limit: 1.30
                ) {
                    $0.ratio(scenario, .sluiceAsync, to: .epoll, Figure.total)
                },
                Budget(
                    text: "\(scenario), async: total CPU a message, to NIOAsyncChannel",
                    isCeiling: true, limit: 0.55
                ) {
                    $0.ratio(scenario, .sluiceAsync, to: .asyncChannel, Figure.total)
                },
                Budget(
                    text: "\(scenario), async: total CPU a message, to SwiftNIO's pipeline",
                    isCeiling: true, limit: 1
                ) {
                    $0.ratio(scenario, .sluiceAsync, to: .pipeline, Figure.total)
                },
                Budget(
                    text: "\(scenario), async: user CPU a message, us", isCeiling: true, limit: 1.2
                ) {
                    $0.median(scenario, .sluiceAsync, Figure.user)
                },
            ]
        } + [
            Budget(
                text: "line echo, 100 connections: total CPU a message, to raw epoll",
                isCeiling: true, limit: 1.25
            ) { $0.ratio(Scenario.lines, .sluiceLines, to: .epoll, Figure.total) },
            Budget(text: "bulk stream: bytes a second, to raw epoll", isCeiling: false, limit: 0.95)
            {
                $0.ratio(Scenario.bulk, .sluice, to: .epoll, Figure.bytes)
            },
            Budget(
                text: "accepting and closing: connections a second, to raw epoll", isCeiling: false,
                limit: 0.90
            ) { $0.ratio(Scenario.churn, .sluice, to: .epoll, Figure.accepts) },
            Budget(
                text: "\(Scenario.datagrams): packets a second, to raw epoll", isCeiling: false,
                limit: 0.90
            ) {
                $0.ratio(Scenario.datagrams, .sluiceDatagrams, to: .epollDatagrams, Figure.rate)
            },
            Budget(
                text: "\(Scenario.datagrams): total CPU a packet, to raw epoll", isCeiling: true,
                limit: 1 / 0.90
            ) {
                $0.ratio(Scenario.datagrams, .sluiceDatagrams, to: .epollDatagrams, Figure.total)
            },
            Budget(
                text: "\(Scenario.resolving): p99.9, to serving only", isCeiling: true, limit: 2
            ) {
                $0.ratio(
                    Scenario.resolving, .servingAndResolving, to: .servingOnly, Figure.slowest)
            },
            Budget(text: "idle connection: resident bytes", isCeiling: true, limit: 600) {
                $0.median(Scenario.echo10000, .sluice, Figure.idleMemory)
            },
            Budget(
                text: "idle connection after traffic: resident bytes", isCeiling: true, limit: 600
            ) {
                $0.median(Scenario.echo10000, .sluice, Figure.usedMemory)
            },
            Budget(
                text: "idle connection, async: resident bytes", isCeiling: true, limit: 2_560
            ) {
                $0.median(Scenario.echo10000, .sluiceAsync, Figure.idleMemory)
            },
            Budget(
                text: "idle connection after traffic, async: resident bytes", isCeiling: true,
                limit: 2_560
            ) {
                $0.median(Scenario.echo10000, .sluiceAsync, Figure.usedMemory)
            },
            Budget(
                text: "two reactors, async: messages a second, to one reactor", isCeiling: false,
                limit: 1.8
            ) { $0.ratio(Scenario.saturated, .twoReactors, to: .oneReactor, Figure.rate) },
            Budget(
                text: "two reactors, async: total CPU a message, to one reactor", isCeiling: true,
                limit: 2 / 1.8
            ) { $0.ratio(Scenario.saturated, .twoReactors, to: .oneReactor, Figure.total) },
            Budget(
                text: "1,000 idle timeouts that never fire: total CPU a message, to none",
                isCeiling: true,
                limit: 1.03
            ) { $0.ratio(Scenario.echo1000, .sluiceTimeouts, to: .sluice, Figure.total) },
        ]
}
