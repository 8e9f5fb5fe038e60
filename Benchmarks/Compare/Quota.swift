// SPDX-License-Identifier: Apache-2.0
//
// A limit on the CPU time of single threads, by the kernel's control groups. With it two reactors
// can be held against one on a machine whose cores the load needs, too.

import Foundation

/// Gives each reactor's thread of a process a core, and the same part of it.
final class Quota {
    /// The percentage of one core that a reactor may use.
    static let percent = 30
    /// Where version 1 of the control groups keeps CPU time.
    private static let root = URL(fileURLWithPath: "/sys/fs/cgroup/cpu")
    /// In microseconds; short, so that a thread that has used up its part waits for milliseconds only.
    private static let period = 10_000

    /// Whether this machine has them, and this user may make them.
    static var isAvailable: Bool {
        access(root.appendingPathComponent("cpu.cfs_quota_us").path, R_OK) == 0
            && access(root.path, W_OK) == 0
    }

    private var groups: [URL] = []

    /// Limits the reactors of `process`: its threads whose name begins with `reactor-`, or its only
    /// thread.
    ///
    /// - Throws: ``Failure`` where these are not `count`.
    init(for process: Int32, count: Int) throws {
        let tasks = URL(fileURLWithPath: "/proc/\(process)/task")
        let threads = try FileManager.default.contentsOfDirectory(atPath: tasks.path)
        let reactors = threads.filter { thread in
            let name = tasks.appendingPathComponent("\(thread)/comm")
            return (try? String(contentsOf: name, encoding: .utf8))?.hasPrefix("reactor-") == true
        }
        let limited = count == 1 && reactors.isEmpty ? threads : reactors
        guard limited.count == count else {
            throw Failure("\(limited.count) reactors' threads in place of \(count)")
        }
        do {
            for (core, thread) in limited.sorted().enumerated() {
                try limit(thread)
                _ = try Measurement.capture(["taskset", "-cp", "\(core)", thread])
            }
        } catch {
            remove()
            throw error
        }
    }

    private func limit(_ thread: String) throws {
        let group = Self.root.appendingPathComponent("sluice-benchmark-\(thread)")
        try FileManager.default.createDirectory(at: group, withIntermediateDirectories: true)
        groups.append(group)
        let part = Self.period * Self.percent / 100
        for (name, value) in [
            ("cpu.cfs_period_us", "\(Self.period)"), ("cpu.cfs_quota_us", "\(part)"),
            ("tasks", thread),
        ] {
            try value.write(
                to: group.appendingPathComponent(name), atomically: false, encoding: .utf8)
        }
    }

    /// To be called when the process has ended: a group goes only without threads.
    func remove() { for group in groups { rmdir(group.path) } }
}
