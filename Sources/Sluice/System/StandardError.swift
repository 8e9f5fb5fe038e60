// SPDX-License-Identifier: Apache-2.0
//
// The one line that the library itself may write, when nobody took its errors.

import Glibc

/// Standard error, for what nobody else has taken.
enum StandardError {
    static func write(_ text: String) {
        var text = text
        // Nothing can be done where standard error itself fails.
        text.withUTF8 { _ = Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
