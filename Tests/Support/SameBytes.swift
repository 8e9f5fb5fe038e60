// SPDX-License-Identifier: Apache-2.0
//
// Compares many bytes and tells the first difference alone.

public import Testing

/// Fails the test where the bytes are not the ones expected.
///
/// `#expect` would look for the smallest difference of the two, which takes for ever with so many.
public func expectSame(
    _ received: [UInt8], _ expected: [UInt8], sourceLocation: SourceLocation = #_sourceLocation
) {
    if received == expected { return }
    let place = zip(received, expected).prefix { $0 == $1 }.count
    Issue.record(
        "\(received.count) bytes for \(expected.count), different from byte \(place) on",
        sourceLocation: sourceLocation)
}
