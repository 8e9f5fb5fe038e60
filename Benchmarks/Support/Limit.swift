// SPDX-License-Identifier: Apache-2.0
//
// What a measured figure is judged by.

/// A figure and what it may be.
package struct Limit {
    /// What is measured.
    package let text: String
    /// How the figure stands to the bound: `<=`, `>=`, `<` or `=`.
    package let sign: String
    package let bound: Double
    package let measured: Double
    /// How many digits of the figure are shown behind the point.
    package let digits: Int
    /// Whether the run is large enough for it to say anything.
    package let isJudged: Bool

    package init(
        _ text: String, _ measured: Double, _ sign: String, _ bound: Double, digits: Int = 0,
        isJudged: Bool = true
    ) {
        self.text = text
        self.measured = measured
        self.sign = sign
        self.bound = bound
        self.digits = digits
        self.isJudged = isJudged
    }

    package var isMet: Bool {
        switch sign {
        case "<=": measured <= bound
        case ">=": measured >= bound
        case "<": measured < bound
        default: measured == bound
        }
    }

    /// Whether it is judged and not met.
    package var isMissed: Bool { isJudged && !isMet }
}
