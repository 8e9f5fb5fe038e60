// SPDX-License-Identifier: Apache-2.0
//
// Reads a million lines in each way and says what that cost in allocations and time, as a table.

import CAllocations
import Sluice

/// A million lines of one length, in blocks that fit the kernel's buffer.
struct Lines {
    static let count = 1_000_000
    private static let block = 500

    let byteCount: Int
    private let bytes: [UInt8]

    /// - Parameter byteCount: of one line, with its end.
    init(of byteCount: Int) {
        self.byteCount = byteCount
        let line = Array(repeating: UInt8(ascii: "x"), count: byteCount - 1) + [10]
        bytes = Array(repeatElement(line, count: Self.block).joined())
    }

    /// Sends all of them, and has `read` take each block.
    func pass(to peer: borrowing Socket, _ read: () throws -> Void) throws {
        for _ in 0..<Self.count / Self.block {
            guard try peer.send(bytes.span.bytes) == .bytes(bytes.count) else {
                fatalError("a block does not fit the kernel's buffer")
            }
            try read()
        }
    }
}

/// How a program reads its lines.
enum Way: String, CaseIterable {
    case onLine, readLine
}

/// What a million lines cost, as a row of the table.
func row(_ way: Way, _ lines: Lines) throws -> String {
    let reactor = try Reactor()
    var pair = try Socket.makePair()
    let end = exchange(&pair.first, with: try Socket(for: .unnamed))
    let channel = try Channel(adopting: end, on: reactor)
    defer { channel.abort() }
    var received = 0
    switch way {
    case .onLine: channel.onLine { _, _ in received += 1 }
    case .readLine:
        channel.onReadable { channel in while try channel.readLine() != nil { received += 1 } }
    }
    // What is made once is made in the first pass.
    try lines.pass(to: pair.second) { reactor.runPending() }
    let before = allocations_so_far()
    let start = ContinuousClock.now
    try lines.pass(to: pair.second) { reactor.runPending() }
    let time = ContinuousClock.now - start
    let allocations = allocations_so_far() - before
    precondition(received == 2 * Lines.count, "\(received) lines came")
    let nanoseconds = Int(time / .nanoseconds(Lines.count))
    return "| `\(way.rawValue)`, \(lines.byteCount) B a line | \(allocations) | \(nanoseconds) |"
}

print("| 1,000,000 lines | allocations | ns a line, sending included |")
print("| --- | --: | --: |")
for way in Way.allCases {
    // Strings of up to 15 bytes are kept without an allocation.
    for byteCount in [16, 64] { print(try row(way, Lines(of: byteCount))) }
}
