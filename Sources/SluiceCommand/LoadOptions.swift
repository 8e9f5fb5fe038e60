// SPDX-License-Identifier: Apache-2.0
//
// The options of `sluice load`, as they are written; its worker processes read the same ones.

import ArgumentParser
import Sluice
import SluiceLoad

/// What `sluice load` is asked to do.
struct LoadOptions: ParsableArguments {
    @Argument(
        help: "Where to connect to: tcp://HOST:PORT, udp://HOST:PORT or unix:PATH.",
        transform: Self.target(in:))
    var target: LoadTarget

    @Option(help: "How many connections; sockets for udp://.")
    var connections = 100

    @Option(
        help: ArgumentHelp(
            """
            Connect from these addresses of this machine in turn: 127.0.1.1, \
            127.0.1.1-127.0.1.40, 127.0.2.0/28, or several with commas; may be given several \
            times, 65536 addresses in all. Each has ports of its own: with one there are about \
            28000 connections to a target.
            """, valueName: "list"),
        transform: SourceList.init)
    var source: [SourceList] = []

    @Option(help: "How long to measure.")
    var duration = DurationArgument(.seconds(10))

    @Option(help: "How many bytes a request has; 8 to 65507 for udp://.")
    var size = 64

    @Option(
        help: """
            How many requests a connection has under way. (default: 1; for udp:// with --rate 1024)
            """)
    var pipeline: Int?

    @Option(help: "Send so many requests a second, at times that are fixed beforehand.")
    var rate: Double?

    @Option(help: "How many processes share the connections.")
    var processes = 1

    @Option(help: "How many threads of this process share the connections.")
    var workers = 1

    @Option(help: "The time over which the connections are opened.")
    var ramp = DurationArgument(.seconds(1))

    @Option(help: "How long to send before measuring begins.")
    var warmUp = DurationArgument(.zero)

    @Option(help: "How long one connection may take to open.")
    var connectTimeout = DurationArgument(.seconds(10))

    @Option(help: "For udp://: how long an answer may take. (default: 1s)")
    var datagramTimeout: DurationArgument?

    @Flag(help: "Only hold the connections open.")
    var hold = false

    @Flag(help: "Open, use and close connections, over and over.")
    var churn = false

    @Flag(help: "Only read what the server sends.")
    var receive = false

    @Option(help: ArgumentHelp("Tell what this process costs, too.", valueName: "pid"))
    var observe: Int32?

    @Flag(help: "Print the report as one JSON object.")
    var json = false

    @Option(help: "Exit with 99 above this share of errors, 0 to 1.")
    var maxErrorRate: Double?

    @Option(help: "Exit with 99 below so many requests a second.")
    var minRate: Double?

    @Option(help: "Exit with 99 above this latency at the 99th percentile.")
    var maxP99: DurationArgument?

    @Flag(inversion: .prefixedNo, help: "Show progress on standard error. (default: on a terminal)")
    var progress: Bool?

    func validate() throws {
        try require(connections > 0 && connections <= 1_000_000, "--connections is 1 to 1000000")
        try require(size > 0 && size <= 1 << 30, "--size is 1 to 1073741824")
        try require((1...65_536).contains(requestsUnderWay), "--pipeline is 1 to 65536")
        try require(size * requestsUnderWay <= 1 << 31, "--size times --pipeline is at most 2 GiB")
        try require((1...256).contains(processes), "--processes is 1 to 256")
        try require(processes <= connections, "--processes is at most --connections")
        try require((1...256).contains(workers), "--workers is 1 to 256")
        try require(workers <= connections, "--workers is at most --connections")
        try require(workers == 1 || processes == 1, "--workers and --processes exclude each other")
        try require(duration.duration > .zero, "--duration is more than 0")
        try require(
            rate.map { $0 >= 0.001 && $0 <= 10_000_000 } ?? true, "--rate is 0.001 to 10000000")
        try require(maxErrorRate.map { (0...1).contains($0) } ?? true, "--max-error-rate is 0 to 1")
        let kinds = [rate != nil, hold, churn, receive]
        try require(
            kinds.count { $0 } <= 1, "--rate, --hold, --churn and --receive exclude each other")
        if let observe {
            let observer = ProcessObserver(processID: observe)
            try require(observe > 0 && observer.exists, "--observe: no process \(observe)")
        }
        try validateSources()
        try validateDatagrams()
    }

    private func validateSources() throws {
        guard let source = try SourceList.united(source).first else { return }
        guard case .address(.unix) = target.endpoint else {
            let known = target.endpoint.numericAddress?.ipAddress
            return try require(
                known.map { $0.isIPv6 == source.isIPv6 } ?? true,
                "--source: \(source) can't connect to \(target), which is of the other family")
        }
        throw ValidationError("--source is for tcp:// and udp://")
    }

    private func validateDatagrams() throws {
        guard target.usesDatagrams else {
            return try require(datagramTimeout == nil, "--datagram-timeout is for udp://")
        }
        try require(
            (8...65_507).contains(size), "--size is 8 to 65507 for udp://: each has a number")
        try require(
            !hold && !churn && !receive,
            "--hold, --churn and --receive are for connections, and udp:// has none")
        try require(datagramTimeout?.duration != .zero, "--datagram-timeout is more than 0")
    }

    private static func target(in text: String) throws -> LoadTarget {
        guard let target = LoadTarget(text) else {
            throw ValidationError(
                "'\(text)' is none of tcp://HOST:PORT, udp://HOST:PORT and unix:PATH")
        }
        return target
    }

    private func require(_ holds: Bool, _ sentence: String) throws {
        if !holds { throw ValidationError(sentence) }
    }

    /// The load that the options describe.
    var workload: Workload {
        var workload = Workload(on: target)
        workload.kind = kind
        workload.connectionCount = connections
        workload.requestByteCount = size
        workload.pipeline = requestsUnderWay
        workload.duration = duration.duration
        workload.warmUp = warmUp.duration
        workload.ramp = ramp.duration
        workload.connectTimeout = connectTimeout.duration
        // They were checked when the command line was read.
        if let sources = try? SourceList.united(source) { workload.sources = sources }
        if let datagramTimeout { workload.datagramTimeout = datagramTimeout.duration }
        return workload
    }

    /// At a rate a datagram that is lost must not hold up those that are due after it.
    private var requestsUnderWay: Int {
        pipeline ?? (target.usesDatagrams && rate != nil ? 1_024 : 1)
    }

    private var kind: Workload.Kind {
        if let rate { return .paced(Pacing(requestsPerSecond: rate)) }
        if hold { return .hold }
        if churn { return .churn }
        return receive ? .receive : .closedLoop
    }

    /// What the result must reach.
    var thresholds: Thresholds {
        var thresholds = Thresholds()
        thresholds.maximumErrorRate = maxErrorRate
        thresholds.minimumRate = minRate
        thresholds.maximumP99 = maxP99?.duration
        return thresholds
    }
}
