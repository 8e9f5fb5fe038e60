// SPDX-License-Identifier: Apache-2.0
//
// Bytes as tests like to say them: texts that channels read and write, and numbered bytes.

public import Sluice

extension RawSpan {
    /// The bytes as UTF-8 text.
    public var text: String { withUnsafeBytes { String(decoding: $0, as: UTF8.self) } }

    /// A copy.
    public var array: [UInt8] { withUnsafeBytes { Array($0) } }
}

extension Channel {
    /// Writes a text.
    @discardableResult
    public func write(text: String) throws(SocketError) -> WriteResult {
        try write(Array(text.utf8))
    }

    /// Reads once, as text; empty where nothing waits, and at the end of the input.
    public func readOnce() throws -> String {
        let text = Box("")
        try read { text.value = $0.text }
        return text.value
    }
}

/// Numbered bytes, so that an exchange of any two pieces is seen.
public func pattern(_ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 / 256) }
}
