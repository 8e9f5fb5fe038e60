// SPDX-License-Identifier: Apache-2.0
//
// The section of the results page: limits, phases, memory, machine and method.

import BenchmarkSupport
import Glibc
import SluiceReport

/// Results as Markdown.
struct Page {
    let results: Results
    /// Further lines about the machine.
    let notes: [String]

    private var settings: Settings { results.settings }

    var text: String {
        """
        ## A million connections

        From one run of `make million`: \(settings.servers) server processes on one port, under one supervisor,
        and \(settings.clients) client processes hold \(NumberText.grouped(results.held)) connections at once, both ends on this machine.

        \(limits)

        \(phases)

        \(memory)

        \(machine)
        \(method)\(errors)
        """
    }

    private var limits: String {
        TableText.table(
            ["", "limit", "measured", "met"],
            results.limits.map { limit in
                [
                    limit.text, "\(limit.sign) \(Self.number(limit.bound, 0))",
                    Self.number(limit.measured, limit.digits),
                    limit.isJudged ? (limit.isMet ? "yes" : "**no**") : "not judged",
                ]
            })
    }

    private var phases: String {
        TableText.table(
            ["phase", "connections", "s", "connections/s", "errors"],
            results.phases.map { phase in
                // Where time passes by order, the quotient says nothing.
                let isWork = !["settle", "idle", "memory"].contains(phase.name)
                let rate = Double(phase.count) / max(phase.seconds, 1e-6)
                return [
                    names[phase.name] ?? phase.name, NumberText.grouped(phase.count),
                    Self.number(phase.seconds, 2), isWork ? Self.number(rate, 0) : "-",
                    "\(phase.errors)",
                ]
            })
    }

    private var names: [String: String] {
        let percent = NumberText.fixed(settings.churnPercent, digits: 1)
        return [
            "open": "open all", "settle": "until the servers have them, and rest",
            "idle": "do nothing", "memory": "measure memory",
            "echo": "a message of \(Settings.messageByteCount) B on each, there and back",
            "broadcast": "a message of \(settings.broadcastByteCount) B to all",
            "churn": "close and open anew, \(percent) % a second",
            "close": "close all",
        ]
    }

    private var memory: String {
        let both = [("idle", results.memory), ("after traffic", results.memoryAfterTraffic)]
        let heads = [
            "memory for a connection, B", "server process", "client process", "kernel, both ends",
        ]
        return TableText.table(
            heads,
            both.map { name, memory in
                [name] + [memory.server, memory.client, memory.kernel].map { Self.number($0, 0) }
            })
    }

    private var machine: String {
        ([MachineLine.text] + shortage + notes).map { "- \($0)" }.joined(separator: "\n")
    }

    /// Why there are no more connections, where the machine has decided that.
    ///
    /// Scripts/million.sh looks for the beginning of the line.
    private var shortage: [String] {
        settings.shortage.map {
            ["Fitted to this machine, bounded by \($0.resource): for one more, \($0.text)"]
        } ?? []
    }

    private var method: String {
        """
        - One program in three roles. The servers are callbacks on channels that the library's `Supervisor` has started
          with a socket each (`SO_REUSEPORT`); the clients connect from addresses of their own, \(settings.underWay) connects,
          messages or closes under way in each. At most \(NumberText.grouped(SystemLimits.current.descriptors)) descriptors a process.
        - User memory is growth of what no other process shares (`smaps_rollup`); the kernel's is growth of all that is
          neither free nor a file's nor a process's own (`meminfo`). CPU is from `schedstat`, over
          \(Self.number(settings.idleTime / .seconds(1), 0)) s; the clients used \(Self.number(results.clientsIdleShare * 100, 3)) % of a core meanwhile.
        - Opened is what servers hold: from the order to the clients to the last accept, without the rest that follows.
        - Every byte that comes is compared. Where \(settings.broadcasters) servers have sent to theirs, the next do. A connection is
          closed by the client's end first, then the server's, and none by a reset: what waits behind (`TIME_WAIT`) waits
          at the client's ports.
        """
    }

    private var errors: String {
        results.errors.sorted { $0.key < $1.key }.reduce(into: "") {
            $0 += "\n- \($1.value) errors: `\($1.key.replacing("`", with: "'"))`"
        }
    }

    /// As the other tables have it, but with groups of digits where there are many.
    private static func number(_ value: Double, _ digits: Int) -> String {
        digits == 0 && abs(value) < 1e15
            ? NumberText.grouped(Int(value.rounded())) : NumberText.fixed(value, digits: digits)
    }
}

/// What is measured on.
enum MachineLine {
    /// The date, the processor and how many, the kernel and the memory.
    ///
    /// Source: `cpuinfo` and `meminfo` of proc(5), uname(2).
    static var text: String {
        let processor = SystemFile("/proc/cpuinfo").value(of: "model name") ?? "unknown processor"
        let kernel = SystemFile("/proc/sys/kernel/osrelease").text.split(separator: "\n").first
        let memory = SystemFile("/proc/meminfo").byteCount(of: "MemTotal") ?? 0
        return "\(today); \(processor); \(sysconf(CInt(_SC_NPROCESSORS_ONLN))) cores; "
            + "kernel \(kernel ?? "unknown"); \(NumberText.gibibytes(memory)) of memory"
    }

    private static var today: String {
        var now = time(nil)
        var parts = tm()
        gmtime_r(&now, &parts)
        let two = { (number: CInt) in (number < 10 ? "0" : "") + "\(number)" }
        return "\(parts.tm_year + 1_900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))"
    }
}
