// SPDX-License-Identifier: Apache-2.0
//
// One server on one core, the load on another, and the report that the load gives.
// The server's CPU time and memory are read by the load from /proc.

import Foundation

/// What `sluice load --json` says, as far as it is used here.
struct Report: Decodable {
    struct Latency: Decodable {
        let p50: Double?
        let p99: Double?
        let p999: Double?
    }

    struct CPU: Decodable {
        let user: Double?
        let total: Double?
    }

    struct Memory: Decodable {
        let idle: Double?
        let afterTraffic: Double?
    }

    let connections: Int
    let errors: Int
    let seconds: Double
    let connectSeconds: Double?
    let requestsPerSecond: Double
    let bytesReceived: Double
    let latencyUs: Latency?
    let connectionsPerSecond: Double?
    let serverCpuUs: Double?
    let serverCpuUsPerRequest: CPU?
    let serverCpuUsPerConnection: Double?
    let serverMemoryPerConnection: Memory?
}

enum Measurement {
    static func run(
        _ scenario: Scenario, _ contestant: Contestant, _ arguments: Arguments
    ) throws -> Report {
        let server = try Server(contestant, scenario.service, scenario.placement, arguments)
        var quota: Quota?
        defer {
            server.stop()
            quota?.remove()
        }
        if scenario.placement == .quota {
            quota = try Quota(
                for: server.process.processIdentifier, count: contestant.reactorCount)
        }
        return try load(scenario, on: server, scenario.placement, arguments, contestant)
    }

    /// Puts a scenario's load on a server.
    static func load(
        _ scenario: Scenario, on server: Server, _ placement: Placement, _ arguments: Arguments,
        _ contestant: Contestant
    ) throws -> Report {
        let output = try capture(
            (placement == .apart ? ["taskset", "-c", "1"] : []) + [
                arguments.sluice.path, "load", "\(scenario.scheme)://\(server.address)", "--json",
                "--no-progress", "--observe", "\(server.process.processIdentifier)",
            ] + scenario.load)
        do {
            let decoder = JSONDecoder()
            decoder.keyDecodingStrategy = .convertFromSnakeCase
            return try decoder.decode(Report.self, from: output)
        } catch {
            throw Failure(
                "\(contestant.name), \(scenario.name): the load's report can't be read: \(error)\n"
                    + String(decoding: output, as: UTF8.self))
        }
    }

    /// What a program beside this one prints.
    static func output(of program: String) throws -> String {
        String(decoding: try capture([peer(program).path]), as: UTF8.self)
    }

    private static func peer(_ program: String) -> URL {
        URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
            .appendingPathComponent(program)
    }

    static func capture(_ words: [String]) throws -> Data {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = words
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return output
    }

    /// A contestant's process; placed apart, it is pinned to the first core.
    final class Server {
        let process = Process()
        let address: String

        init(
            _ contestant: Contestant, _ service: String, _ placement: Placement,
            _ arguments: Arguments, environment: [String] = []
        ) throws {
            let program =
                contestant.program == "sluice"
                ? arguments.sluice
                : Measurement.peer(contestant.program)
            process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            process.arguments =
                environment + (placement == .apart ? ["taskset", "-c", "0"] : [])
                + [program.path] + contestant.before + [service, "--port", "0"] + contestant.after
            let pipe = Pipe()
            process.standardOutput = pipe
            try process.run()
            let line = String(decoding: pipe.fileHandleForReading.availableData, as: UTF8.self)
            guard let range = line.firstRange(of: "listening on ") else {
                process.terminate()
                throw Failure("\(contestant.name) is not ready: \(line)")
            }
            address = line[range.upperBound...].trimmingCharacters(in: .whitespacesAndNewlines)
        }

        func stop() {
            process.terminate()
            process.waitUntilExit()
        }
    }
}
