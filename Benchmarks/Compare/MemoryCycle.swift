// SPDX-License-Identifier: Apache-2.0
//
// What 10,000 connections leave in a server: while they are there, when all have closed, and when as
// many come a second time.

import Foundation

/// One server that has 10,000 connections twice.
struct MemoryCycle {
    let style: String
    let reactors: Int
    /// How many arenas the allocator may have; `nil` for as many as it likes.
    let arenas: Int?
    /// Bytes a connection the first time: idle, and after traffic.
    let first: Report.Memory
    /// Growth of the resident set when all have closed, in KiB, after the first time and the second.
    let left: [Int]

    static let connections = 10_000

    /// Callbacks and tasks, on 1, 2 and 8 reactors, the last with one arena, too.
    static func all(_ arguments: Arguments) throws -> [MemoryCycle] {
        try ["callback", "async"].flatMap { style in
            try [(1, nil), (2, nil), (8, nil), (8, 1)].map { reactors, arenas in
                Progress.write("memory, \(style), \(reactors) reactors")
                return try MemoryCycle(style, reactors, arenas, arguments)
            }
        }
    }

    private init(
        _ style: String, _ reactors: Int, _ arenas: Int?, _ arguments: Arguments
    ) throws {
        self.style = style
        self.reactors = reactors
        self.arenas = arenas
        let contestant = Contestant(
            style, "sluice", before: ["serve"],
            after: ["--style", style, "--workers", "\(reactors)"])
        let environment = arenas.map { ["MALLOC_ARENA_MAX=\($0)"] } ?? []
        let server = try Measurement.Server(
            contestant, "echo", .anywhere, arguments, environment: environment)
        defer { server.stop() }
        let process = server.process.processIdentifier
        let before = try Self.resident(process)
        let descriptors = try Self.descriptorCount(process)
        let scenario = Scenario(
            name: "memory", service: "echo",
            load: ["--connections", "\(Self.connections)", "--ramp", "1s", "--duration", "1s"],
            contestants: [])
        var reports: [Report] = []
        var left: [Int] = []
        for _ in 1...2 {
            let report = try Measurement.load(
                scenario, on: server, .anywhere, arguments, contestant)
            guard report.errors == 0, report.connections == Self.connections else {
                throw Failure("\(report.connections) connections, \(report.errors) errors")
            }
            reports.append(report)
            try Self.waitForClose(process, until: descriptors)
            left.append(try Self.resident(process) - before)
        }
        guard let memory = reports[0].serverMemoryPerConnection else {
            throw Failure("the load did not tell the memory of \(style)")
        }
        first = memory
        self.left = left
    }

    /// Until the server has as many descriptors as before the first connection, at most 10 s.
    private static func waitForClose(_ process: Int32, until count: Int) throws {
        for _ in 0..<200 {
            if try descriptorCount(process) <= count { return }
            usleep(50_000)
        }
        throw Failure("connections stay open in the server")
    }

    private static func descriptorCount(_ process: Int32) throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/fd").count
    }

    /// The resident set in KiB, to the page, which the sum in `status` is not.
    private static func resident(_ process: Int32) throws -> Int {
        let text = try String(contentsOfFile: "/proc/\(process)/smaps_rollup", encoding: .utf8)
        let line = text.split(separator: "\n").first { $0.hasPrefix("Rss:") } ?? ""
        guard let value = line.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else {
            throw Failure("/proc does not tell the memory of \(process)")
        }
        return value
    }
}
