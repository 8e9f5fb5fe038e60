// SPDX-License-Identifier: Apache-2.0
//
// What processes and the kernel use, as /proc tells it.

import BenchmarkSupport
import Glibc

/// What one process uses.
///
/// Source: proc(5).
struct ProcessFigures {
    let processID: Int32

    /// Memory that no other process shares: the code and the constants of the program are left out.
    ///
    /// Source: `smaps_rollup`.
    var privateByteCount: Int {
        let file = SystemFile("/proc/\(processID)/smaps_rollup")
        return ["Private_Clean", "Private_Dirty"].reduce(0) {
            $0 + (file.byteCount(of: $1) ?? 0)
        }
    }

    /// Processor time of all threads so far, to the nanosecond.
    ///
    /// Source: `schedstat`.
    var processorTime: Duration {
        guard let folder = opendir("/proc/\(processID)/task") else { return .zero }
        defer { closedir(folder) }
        var sum = 0
        while let entry = readdir(folder) {
            // In place: an entry may be shorter than the type that C declares for it.
            let name = withUnsafePointer(to: &entry.pointee.d_name) { field in
                String(cString: UnsafeRawPointer(field).assumingMemoryBound(to: CChar.self))
            }
            guard Int32(name) != nil else { continue }
            let file = SystemFile("/proc/\(processID)/task/\(name)/schedstat")
            sum += file.numbers.first ?? 0
        }
        return .nanoseconds(sum)
    }

    static func privateByteCount(of processes: [Int32]) -> Int {
        processes.reduce(0) { $0 + ProcessFigures(processID: $1).privateByteCount }
    }

    static func processorTime(of processes: [Int32]) -> Duration {
        processes.reduce(.zero) { $0 + ProcessFigures(processID: $1).processorTime }
    }
}

/// What is used at one time.
struct MemorySnapshot {
    let servers: Int
    let clients: Int
    /// All that is neither free, nor a file's, nor a process's own: sockets, files, what epoll keeps,
    /// queues, page tables.
    ///
    /// Not `MemAvailable`: it takes half of the memory of open sockets for free to be had.
    let kernel: Int

    init(servers: [Int32], clients: [Int32]) {
        self.servers = ProcessFigures.privateByteCount(of: servers)
        self.clients = ProcessFigures.privateByteCount(of: clients)
        let file = SystemFile("/proc/meminfo")
        let elsewhere = ["MemFree", "Buffers", "Cached", "SwapCached", "AnonPages"]
        kernel = elsewhere.reduce(file.byteCount(of: "MemTotal") ?? 0) {
            $0 - (file.byteCount(of: $1) ?? 0)
        }
    }

    /// What has come to it for each of so many connections.
    func growth(since empty: MemorySnapshot, for count: Int) -> ConnectionMemory {
        let count = Double(max(1, count))
        return ConnectionMemory(
            server: Double(servers - empty.servers) / count,
            client: Double(clients - empty.clients) / count,
            kernel: Double(kernel - empty.kernel) / count)
    }
}

/// What a connection costs, in bytes.
struct ConnectionMemory {
    /// In the server that holds it.
    var server = 0.0
    /// In the client.
    var client = 0.0
    /// In the kernel, for both ends together.
    var kernel = 0.0
}
