// SPDX-License-Identifier: Apache-2.0
//
// Numbers as people read them: digits in groups, bytes and times with a unit that fits.

/// Writes numbers for people.
package enum NumberText {
    /// `1234567` as `1,234,567`.
    package static func grouped(_ number: Int) -> String {
        var text = ""
        for (place, digit) in String(number.magnitude).reversed().enumerated() {
            if place > 0, place % 3 == 0 { text.append(",") }
            text.append(digit)
        }
        return (number < 0 ? "-" : "") + String(text.reversed())
    }

    /// A number with so many digits after the point, and no more; 0 to 9.
    package static func fixed(_ number: Double, digits: Int) -> String {
        let scale = (0..<digits).reduce(1) { scale, _ in scale * 10 }
        guard number.isFinite, abs(number) < 1e9 else { return "\(number)" }
        let scaled = Int((abs(number) * Double(scale)).rounded())
        let fraction = String(scaled % scale)
        let zeros = String(repeating: "0", count: max(0, digits - fraction.count))
        let sign = number < 0 && scaled > 0 ? "-" : ""
        return sign + "\(scaled / scale)" + (digits > 0 ? "." + zeros + fraction : "")
    }

    /// `1536` as `1.5 KiB`.
    package static func bytes(_ count: Double) -> String {
        var rest = count
        for unit in ["B", "KiB", "MiB", "GiB"] {
            if abs(rest) < 1_024 { return fixed(rest, digits: unit == "B" ? 0 : 1) + " " + unit }
            rest /= 1_024
        }
        return fixed(rest, digits: 1) + " TiB"
    }

    /// A time in microseconds, milliseconds or seconds, whichever is short.
    package static func time(_ duration: Duration) -> String {
        let microseconds = duration / .microseconds(1)
        if microseconds < 1_000 { return fixed(microseconds, digits: 0) + " us" }
        if microseconds < 1_000_000 { return fixed(microseconds / 1e3, digits: 2) + " ms" }
        return fixed(microseconds / 1e6, digits: 2) + " s"
    }
}
