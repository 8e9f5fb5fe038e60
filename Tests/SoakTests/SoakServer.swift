// SPDX-License-Identifier: Apache-2.0
//
// The server of the soak: a line says what the client wants, and the rest is done as it says.

import Sluice
import TestSupport
import Testing

/// What a client may ask for, each with a number.
enum Wish: String, CaseIterable {
    /// So many lines come, and go back.
    case lines
    /// So many bytes come, and go back.
    case bytes
    /// So many bytes go out.
    case flood
    /// So many bytes come, and are read slowly; then a line goes back.
    case sink
    /// A message in a frame comes, and goes back.
    case frame
    /// Nothing comes for so many milliseconds; then a line goes back.
    case silence
    /// Bytes come to the end; then a line with their number goes back.
    case count
    /// The server resets the connection.
    case drop
}

/// Serves until the client ends; adds to `pressed` when a client does not read fast enough.
func serve(_ connection: isolated Connection, _ pressed: Tally) async throws {
    while let line = try await connection.readLine() {
        let words = line.split(separator: " ")
        guard words.count == 2, let wish = Wish(rawValue: String(words[0])),
            let number = Int(words[1])
        else {
            Issue.record("a client asked for '\(line)'")
            return
        }
        try await serve(wish, number, connection, pressed)
        if wish == .drop { return }
    }
}

private func serve(
    _ wish: Wish, _ number: Int, _ connection: isolated Connection, _ pressed: Tally
) async throws {
    switch wish {
    case .lines:
        for _ in 0..<number {
            guard let line = try await connection.readLine() else { return }
            try await connection.writeLine(line)
        }
    case .bytes: try await connection.write(connection.read(exactly: number))
    case .flood:
        for start in stride(from: 0, to: number, by: 16_384) {
            let bytes = pattern(from: start, to: min(start + 16_384, number))
            if try connection.write(bytes.span.bytes) == .aboveMark {
                pressed.add(1)
                try await connection.waitForRoom()
            }
        }
    case .sink:
        var rest = number
        while rest > 0 {
            let bytes = try await connection.read(upTo: min(rest, 32_768))
            if bytes.isEmpty { return }
            rest -= bytes.count
            try await connection.executor.sleep(for: .milliseconds(1))
        }
        try await connection.writeLine("swallowed")
    case .frame:
        var rule = LengthFraming(.twoBytes)
        guard let message = try await connection.read(by: &rule) else { return }
        try await connection.write(rule.framed(message))
    case .silence:
        do {
            let line = try await connection.within(.milliseconds(number)) {
                try await connection.readLine()
            }
            // The client has gone.
            if let line { Issue.record("'\(line)' came in a silence") }
        } catch ChannelError.socket(let error) where error.code == .timedOut {
            try await connection.writeLine("silence")
        }
    case .count:
        var count = 0
        for try await bytes in connection.chunks { count += bytes.count }
        try await connection.writeLine("\(count)")
    case .drop: connection.abort()
    }
}

/// The bytes that a flood has from one place to another, at most 100,000.
func pattern(from start: Int, to end: Int) -> [UInt8] {
    Array(wheel[(start % 251)..<(start % 251 + end - start)])
}

private let wheel = (0..<100_000 + 251).map { UInt8($0 % 251) }
