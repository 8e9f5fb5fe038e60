// SPDX-License-Identifier: Apache-2.0
//
// The report of a load: for people as a short table, for programs as one JSON object.

import SluiceLoad
import SluiceReport

/// What `sluice load` prints at its end.
struct LoadReport {
    let workload: Workload
    let result: LoadResult
    /// What the observed process cost; `nil` where none was observed.
    let cost: ServerCost?

    private static let percentiles: [(key: String, name: String, percentile: Double)] = [
        ("p50", "p50", 50), ("p90", "p90", 90), ("p99", "p99", 99), ("p99_9", "p99.9", 99.9),
    ]
}

// MARK: - For people

extension LoadReport {
    /// The lines of the report, without the last line's end.
    var text: String {
        let rows = [
            [("load", "\(workload.target), \(kindText)")], countRows, latencyRows, errorRows,
            costRows,
        ]
        return rows.joined().map { name, value in
            name + String(repeating: " ", count: max(1, 14 - name.count)) + value
        }.joined(separator: "\n")
    }

    private var kindText: String {
        let size = "\(NumberText.bytes(Double(workload.requestByteCount))) a request"
        return switch workload.kind {
        case .closedLoop: "\(size), \(workload.pipeline) at a time"
        case .paced(let pacing):
            "\(size), at \(NumberText.fixed(pacing.requestsPerSecond, digits: 0)) a second"
        case .hold: "connections held open"
        case .churn: "\(size), a connection for each"
        case .receive: "reading only"
        }
    }

    /// What one of those is that are open.
    private var noun: String { workload.target.usesDatagrams ? "socket" : "connection" }

    private var countRows: [(String, String)] {
        var rows = [("\(noun)s", NumberText.grouped(result.connectionCount))]
        if !workload.sources.isEmpty {
            rows.append(("sources", NumberText.grouped(workload.sources.count)))
        }
        rows.append(("measured", NumberText.fixed(result.duration / .seconds(1), digits: 2) + " s"))
        if expectsAnswers {
            let rate = NumberText.grouped(Int(result.requestsPerSecond.rounded()))
            rows.append(
                ("requests", "\(NumberText.grouped(result.requestCount)), \(rate) a second"))
        }
        if workload.kind == .churn {
            let rate = NumberText.grouped(Int(result.connectionsPerSecond.rounded()))
            rows.append(("churn", "\(NumberText.grouped(result.churnCount)), \(rate) a second"))
        }
        if workload.kind != .hold {
            rows.append(("sent", throughput(result.bytesSent)))
            rows.append(("received", throughput(result.bytesReceived)))
        }
        return rows
    }

    private func throughput(_ count: Int) -> String {
        let rate = NumberText.bytes(result.perSecond(count))
        return "\(NumberText.bytes(Double(count))), \(rate) a second"
    }

    private var expectsAnswers: Bool { workload.kind != .hold && workload.kind != .receive }

    private var latencyRows: [(String, String)] {
        guard let longest = result.latencies.longest else { return [] }
        let values = Self.percentiles.compactMap { entry in
            result.latencies.latency(atPercentile: entry.percentile).map {
                "\(entry.name) \(NumberText.time($0))"
            }
        }
        return [("latency", (values + ["max \(NumberText.time(longest))"]).joined(separator: ", "))]
    }

    private var errorRows: [(String, String)] {
        let kinds = result.errors.sorted { $0.key < $1.key }
            .map { "\(NumberText.grouped($0.value)) \($0.key)" }
        let total = NumberText.grouped(result.errorCount)
        return [("errors", kinds.isEmpty ? total : "\(total): \(kinds.joined(separator: ", "))")]
    }

    private var costRows: [(String, String)] {
        guard let cost else { return [] }
        var rows: [(String, String)] = []
        if let user = cost.userMicrosecondsPerRequest, let total = cost.totalMicrosecondsPerRequest
        {
            let text = "\(NumberText.fixed(user, digits: 3)) us in the program, "
            rows.append(
                ("server time", text + "\(NumberText.fixed(total, digits: 3)) us in all, a request")
            )
        }
        if let idle = cost.idleBytesPerConnection {
            let after = cost.bytesPerConnectionAfterTraffic.map {
                ", \(NumberText.bytes($0)) after"
            }
            rows.append(("server memory", "\(NumberText.bytes(idle)) a \(noun)\(after ?? "")"))
        }
        return rows
    }
}

// MARK: - For programs

extension LoadReport {
    /// The report as a JSON object; times in microseconds, latencies null where nothing was
    /// answered.
    var json: JSONValue {
        var members: [(String, JSONValue)] = [
            ("target", .string("\(workload.target)")),
            ("connections", .integer(result.connectionCount)),
            ("requests", .integer(result.requestCount)),
            ("errors", .integer(result.errorCount)),
            ("error_kinds", errorKinds),
            ("connect_seconds", .number(result.connectDuration / .seconds(1))),
            ("seconds", .number(result.duration / .seconds(1))),
            ("requests_per_second", .number(result.requestsPerSecond)),
            ("latency_us", latencies),
            ("bytes_sent", .integer(result.bytesSent)),
            ("bytes_received", .integer(result.bytesReceived)),
            ("bytes_received_per_second", .number(result.perSecond(result.bytesReceived))),
        ]
        if !workload.sources.isEmpty {
            members.append(("sources", .integer(workload.sources.count)))
        }
        if workload.kind == .churn {
            members.append(("connections_per_second", .number(result.connectionsPerSecond)))
        }
        return .object(members + costMembers)
    }

    private var errorKinds: JSONValue {
        .object(
            result.errors.sorted { $0.key < $1.key }.map { ($0.key.rawValue, .integer($0.value)) })
    }

    private var latencies: JSONValue {
        let values = Self.percentiles.map {
            ($0.key, microseconds(result.latencies.latency(atPercentile: $0.percentile)))
        }
        return .object(values + [("max", microseconds(result.latencies.longest))])
    }

    private func microseconds(_ duration: Duration?) -> JSONValue {
        .optional(duration.map { $0 / .microseconds(1) })
    }

    private var costMembers: [(String, JSONValue)] {
        guard let cost else { return [] }
        return [
            ("server_cpu_us", .optional(cost.totalMicroseconds)),
            (
                "server_cpu_us_per_request",
                .object([
                    ("user", .optional(cost.userMicrosecondsPerRequest)),
                    ("total", .optional(cost.totalMicrosecondsPerRequest)),
                ])
            ),
            ("server_cpu_us_per_connection", .optional(cost.microsecondsPerConnection)),
            (
                "server_memory_per_connection",
                .object([
                    ("idle", .optional(cost.idleBytesPerConnection)),
                    ("after_traffic", .optional(cost.bytesPerConnectionAfterTraffic)),
                ])
            ),
        ]
    }
}
