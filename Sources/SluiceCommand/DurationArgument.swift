// SPDX-License-Identifier: Apache-2.0
//
// Times as a person writes them: `500ms`, `10s`, `2m`, or a bare number of seconds.

import ArgumentParser

/// A time on the command line.
struct DurationArgument: ExpressibleByArgument, Hashable {
    let duration: Duration

    init(_ duration: Duration) { self.duration = duration }

    /// Reads a number, with or without a fraction, and `us`, `ms`, `s`, `m` or `h`.
    ///
    /// A bare number is seconds. Negative times, more than ten years and anything else give `nil`.
    init?(argument: String) {
        let digits = argument.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        guard digits.first?.isNumber == true, digits.last?.isNumber == true,
            let count = Double(digits),
            let unit = Self.seconds[String(argument.dropFirst(digits.count))],
            count * unit <= 315_360_000
        else { return nil }
        duration = .nanoseconds(Int64((count * unit * 1e9).rounded()))
    }

    private static let seconds: [String: Double] = [
        "us": 1e-6, "ms": 1e-3, "": 1, "s": 1, "m": 60, "h": 3_600,
    ]

    var defaultValueDescription: String { Self.text(of: duration) }

    /// The shortest text in whole units, such as `1500ms`.
    static func text(of duration: Duration) -> String {
        let units: [(Duration, String)] = [
            (.seconds(60), "m"), (.seconds(1), "s"), (.milliseconds(1), "ms"),
        ]
        for (unit, name) in units {
            let count = Int((duration / unit).rounded())
            if count > 0, unit * count == duration { return "\(count)\(name)" }
        }
        return duration == .zero ? "0s" : "\(Int((duration / .microseconds(1)).rounded()))us"
    }
}
