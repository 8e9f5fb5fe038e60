// SPDX-License-Identifier: Apache-2.0
//
// When messages are due: fixed before the first one leaves, whatever the server does.

import BenchmarkSupport
import Glibc
import Sluice

/// Messages at a fixed rate.
struct Schedule: Sendable {
    /// When the first is due, on the monotonic clock.
    let begin: Int
    /// How many there are.
    let count: Int
    private let interval: Int

    /// Messages for so many milliseconds from `begin` on.
    init(begin: Int, perSecond rate: Int, milliseconds: Int) {
        self.begin = begin
        interval = 1_000_000_000 / rate
        count = rate * milliseconds / 1_000
    }

    /// When a message is due, on the monotonic clock.
    func due(_ number: Int) -> Int { begin + number * interval }

    /// Has each message sent when it is due; returns after the last.
    ///
    /// Runs on a thread of its own: a reactor's timers are late by up to 131 us, and the kernel's
    /// are not.
    func pace(_ crowd: Reactor.Reference<HonestCrowd>, as measurement: Int) {
        // These fail only where the reactor has ended, and the process with it.
        for number in 0..<count {
            MonotonicClock.sleep(until: due(number))
            try? crowd.perform { $0.send(HonestMessage(measurement: measurement, number: number)) }
        }
        try? crowd.perform { $0.sentAll(of: measurement) }
    }

    /// Has the kernel wake this process's threads when it is time, instead of up to 50 us later.
    ///
    /// Threads that are started later inherit it. Source: `timerslack_ns`, proc(5).
    static func beExact() {
        guard let file = fopen("/proc/self/timerslack_ns", "w") else { return }
        fputs("1", file)
        fclose(file)
    }
}

/// How long something took, over and over.
struct Latencies {
    private var nanoseconds: [Int] = []

    mutating func append(_ latency: Int) { nanoseconds.append(latency) }

    /// Notes the number of latencies, the percentiles and the longest, in nanoseconds.
    func note(in figures: inout Figures, as name: String = "") {
        let sorted = nanoseconds.sorted()
        figures["\(name)count"] = sorted.count
        for (key, part) in [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("max", 1)] {
            let place = Int((Double(sorted.count) * part).rounded(.up)) - 1
            figures["\(name)\(key)"] = place < 0 ? 0 : sorted[place]
        }
    }
}
