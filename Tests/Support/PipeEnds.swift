// SPDX-License-Identifier: Apache-2.0
//
// A pipe of the system's, for tests of descriptors that are not the library's own.

import Glibc
import Testing

/// Both ends of a pipe, bare numbers as a program of its own would have them.
public struct PipeEnds: ~Copyable {
    /// The number to read from; -1 once it is closed.
    public private(set) var reading: CInt
    /// The number to write to; -1 once it is closed.
    public private(set) var writing: CInt

    /// Makes a pipe that never blocks.
    public init() throws {
        var numbers: [CInt] = [-1, -1]
        try #require(pipe(&numbers) == 0)
        reading = numbers[0]
        writing = numbers[1]
        for number in numbers { _ = fcntl(number, F_SETFL, O_NONBLOCK) }
    }

    deinit {
        if reading >= 0 { Glibc.close(reading) }
        if writing >= 0 { Glibc.close(writing) }
    }

    /// Gives both numbers away, for the caller to close.
    public consuming func released() -> (reading: CInt, writing: CInt) {
        let numbers = (reading, writing)
        discard self
        return numbers
    }

    /// Puts a text in.
    public func write(_ text: String) { _ = Glibc.write(writing, text, text.utf8.count) }

    /// Takes up to 64 bytes out and says how many.
    @discardableResult
    public func read() -> Int {
        var bytes = [UInt8](repeating: 0, count: 64)
        return Glibc.read(reading, &bytes, bytes.count)
    }

    /// Writes until nothing more goes in.
    public func fill() {
        let bytes = [UInt8](repeating: 0, count: 4_096)
        while Glibc.write(writing, bytes, bytes.count) > 0 {}
    }

    /// Closes the end that reads.
    public mutating func closeReading() {
        Glibc.close(reading)
        reading = -1
    }

    /// Closes the end that writes.
    public mutating func closeWriting() {
        Glibc.close(writing)
        writing = -1
    }
}
