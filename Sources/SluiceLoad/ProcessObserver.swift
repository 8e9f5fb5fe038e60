// SPDX-License-Identifier: Apache-2.0
//
// What another process costs: its processor time and its memory, as the kernel tells them.
// It works for a server in any language, since it asks nothing of the server.

import Glibc

/// Processor time of a process since its start.
public struct ProcessorTime: Hashable, Sendable {
    /// In the program itself: the exact total, divided in the proportion of the clock ticks.
    public var user: Duration
    /// In the program and in the kernel for it.
    public var total: Duration
}

/// Reads what a process has used from `/proc`.
///
/// Source: proc(5).
public struct ProcessObserver: Hashable, Sendable {
    /// The process.
    public let processID: Int32

    /// An observer of a process that may or may not exist.
    public init(processID: Int32) { self.processID = processID }

    /// Whether the process exists.
    public var exists: Bool { text(of: "stat") != nil }

    /// Resident memory in bytes; `nil` when the process is gone.
    ///
    /// From `smaps_rollup`, which is exact; where that may not be read from `statm`, which is
    /// coarser.
    public var residentByteCount: Int? {
        if let rollup = text(of: "smaps_rollup"), let count = Self.residentByteCount(in: rollup) {
            return count
        }
        guard
            let pages = text(of: "statm")?.split(separator: " ").dropFirst().first.flatMap({
                Int($0)
            })
        else { return nil }
        return pages * sysconf(CInt(_SC_PAGESIZE))
    }

    /// Processor time so far; `nil` when the process is gone.
    ///
    /// The total is the scheduler's, in nanoseconds, of all threads that still run; the share of
    /// user time has the resolution of clock ticks.
    public var processorTime: ProcessorTime? {
        guard let text = text(of: "stat"), let ticks = Self.ticks(in: text) else { return nil }
        let second = UInt64(max(1, sysconf(CInt(_SC_CLK_TCK))))
        let coarse = (ticks.user + ticks.system) * (1_000_000_000 / second)
        let total = scheduledNanoseconds ?? coarse
        let share = Double(ticks.user) / Double(max(1, ticks.user + ticks.system))
        return ProcessorTime(
            user: .nanoseconds(Int64(Double(total) * share)), total: .nanoseconds(Int64(total)))
    }

    /// The sum over the threads; `nil` where the kernel keeps no such count.
    private var scheduledNanoseconds: UInt64? {
        guard let folder = opendir("/proc/\(processID)/task") else { return nil }
        defer { closedir(folder) }
        var sum: UInt64 = 0
        while let entry = readdir(folder) {
            // In place: an entry may be shorter than the type that C declares for it.
            let name = withUnsafePointer(to: &entry.pointee.d_name) { field in
                String(cString: UnsafeRawPointer(field).assumingMemoryBound(to: CChar.self))
            }
            guard Int32(name) != nil, let text = text(of: "task/\(name)/schedstat") else {
                continue
            }
            sum += text.split(separator: " ").first.flatMap { UInt64($0) } ?? 0
        }
        return sum > 0 ? sum : nil
    }

    private func text(of file: String) -> String? {
        guard let stream = fopen("/proc/\(processID)/\(file)", "re") else { return nil }
        defer { fclose(stream) }
        var bytes = [UInt8](repeating: 0, count: 8_192)
        let count = fread(&bytes, 1, bytes.count, stream)
        return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
    }
}

// MARK: - The kernel's text

extension ProcessObserver {
    /// The clock ticks in a line of `/proc/PID/stat`; the name in it may hold blanks and brackets.
    static func ticks(in stat: String) -> (user: UInt64, system: UInt64)? {
        guard let end = stat.lastIndex(of: ")") else { return nil }
        // After the name comes field 3; utime is field 14 and stime field 15.
        let fields = stat[stat.index(after: end)...].split(separator: " ")
        guard fields.count > 12, let user = UInt64(fields[11]), let system = UInt64(fields[12])
        else { return nil }
        return (user, system)
    }

    /// The resident bytes in `/proc/PID/smaps_rollup`, which tells them in KiB.
    static func residentByteCount(in rollup: String) -> Int? {
        for line in rollup.split(separator: "\n") where line.hasPrefix("Rss:") {
            return line.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map {
                $0 * 1_024
            }
        }
        return nil
    }
}
