// SPDX-License-Identifier: Apache-2.0
//
// Whether a run fits what the system allows. What can't fit is refused before a process is started,
// for without swap a machine that runs out of memory ends others.

import BenchmarkSupport
import Sluice
import SluiceReport

/// What the system allows, as far as it bounds a run.
struct SystemLimits {
    /// Descriptors of one process.
    var descriptors: Int
    /// Open files of all processes.
    var files: Int
    /// Descriptors that all epoll instances of a user watch.
    var watches: Int
    /// Ports that one address connects from.
    var ports: Int
    /// Bytes of memory that may be had.
    var memory: Int

    /// Those of this machine, now; what can't be read bounds nothing.
    ///
    /// Source: proc(5), `ip_local_port_range` of ip(7), `max_user_watches` of epoll(7).
    static var current: SystemLimits {
        let range = SystemFile("/proc/sys/net/ipv4/ip_local_port_range").numbers
        return SystemLimits(
            descriptors: DescriptorLimit.highest,
            files: SystemFile("/proc/sys/fs/file-max").numbers.first ?? .max,
            watches: SystemFile("/proc/sys/fs/epoll/max_user_watches").numbers.first ?? .max,
            ports: range.count == 2 ? max(1, range[1] - range[0] + 1) : 28_232,
            memory: SystemFile("/proc/meminfo").byteCount(of: "MemAvailable") ?? .max)
    }
}

/// What a run has too little of.
struct Shortage {
    /// The resource, such as `memory`.
    let resource: String
    /// What is needed of it, and what there is.
    let text: String

    init(of resource: String, _ text: String) {
        self.resource = resource
        self.text = text
    }
}

extension Settings {
    /// Descriptors that a worker needs besides those of its connections.
    static let spareDescriptors = 64
    /// What a connection costs at most in all: both ends, in the kernel and in the processes.
    private static let bytesPerConnection = 16_384

    /// The same run with as many connections as fit, but no more than `most`, and what there would
    /// be too little of with one more; `nil` where not even one for each client fits.
    func fitted(to limits: SystemLimits, atMost most: Int) -> Settings? {
        let fits = { (count: Int) in with(count).shortage(under: limits) == nil }
        guard fits(clients) else { return nil }
        var (low, high) = (clients, max(clients, most) + 1)
        // `low` fits; `high` does not, or is more than is wanted.
        while high - low > 1 {
            let middle = low + (high - low) / 2
            if fits(middle) { low = middle } else { high = middle }
        }
        var fitted = with(low)
        fitted.shortage = with(low + 1).shortage(under: limits)
        return fitted
    }

    private func with(_ connections: Int) -> Settings {
        var settings = self
        settings.connections = connections
        return settings
    }

    /// Why a run can't fit; `nil` where it can.
    func shortage(under limits: SystemLimits) -> Shortage? {
        let room = limits.descriptors - Self.spareDescriptors
        let sources = clients * sourcesPerClient(ports: limits.ports)
        if crowd > Double(room) {
            return Shortage(
                of: "descriptors",
                "too few servers (\(servers)): the kernel divides the connections by chance, "
                    + "up to \(NumberText.grouped(Int(crowd.rounded(.up)))) on one, and a process "
                    + "has room for \(NumberText.grouped(room))")
        }
        if share(of: 0) > room {
            return Shortage(
                of: "descriptors",
                "too few clients (\(clients)): \(NumberText.grouped(share(of: 0))) on each, "
                    + "and a process has room for \(NumberText.grouped(room))")
        }
        if sources > Self.sourceLimit {
            return Shortage(
                of: "addresses", "there are not \(sources) addresses in 127.0.0.0/16")
        }
        if 2 * connections + 64 * (servers + clients) > limits.files {
            return Shortage(
                of: "open files",
                "the system has room for \(NumberText.grouped(limits.files)) open files")
        }
        if 2 * connections > limits.watches {
            return Shortage(
                of: "epoll watches",
                "epoll watches at most \(NumberText.grouped(limits.watches)) descriptors")
        }
        let needed = connections * Self.bytesPerConnection
        // A tenth stays free.
        if needed > limits.memory / 10 * 9 {
            return Shortage(
                of: "memory",
                "\(NumberText.grouped(connections)) connections may need "
                    + "\(NumberText.gibibytes(needed)) of memory, of "
                    + "\(NumberText.gibibytes(limits.memory)) that there are")
        }
        return nil
    }

    /// So many connections a server has at most, but for one time in 30,000.
    ///
    /// Each connection falls on any server with the same chance: four standard deviations above the
    /// mean.
    private var crowd: Double {
        let chance = 1 / Double(servers)
        let mean = Double(connections) * chance
        return mean + 4 * (mean * (1 - chance)).squareRoot()
    }
}
