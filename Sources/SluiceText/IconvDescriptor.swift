// SPDX-License-Identifier: Apache-2.0
//
// One conversion of the system's iconv(3): opened once, closed once.
// On one side stands a charset, on the other scalars of 32 bits.

import Glibc

/// An open conversion between a charset and 32-bit scalars of this machine's byte order.
struct IconvDescriptor: ~Copyable {
    private let handle: iconv_t

    /// `WCHAR_T` are scalars of 32 bits in glibc, and what its conversions work in: one step,
    /// so that it never looks further than it tells.
    private static let scalars = "WCHAR_T"

    deinit { iconv_close(handle) }

    private init?(to target: String, from source: String) {
        let opened = iconv_open(target, source)
        // An error is the pointer of all ones: iconv_open(3).
        guard let opened, Int(bitPattern: opened) != -1 else { return nil }
        handle = opened
    }

    /// From the charset to scalars; `nil` when the system knows no such charset or is at a limit.
    init?(decoding charset: String) { self.init(to: Self.scalars, from: charset) }

    /// From scalars to the charset; `nil` when the system knows no such charset or is at a limit.
    init?(encoding charset: String) { self.init(to: charset, from: Self.scalars) }

    /// Why a conversion stopped.
    enum Stop {
        case finished
        /// The input ends within a character: `EINVAL`.
        case incomplete
        /// What follows is no character: `EILSEQ`.
        case invalid
        /// There is no room: `E2BIG`.
        case full
    }

    /// How far a conversion came, in bytes.
    struct Progress {
        var consumed: Int
        var produced: Int
        var stop: Stop
    }

    /// Converts from the front of `input`.
    mutating func convert(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) -> Progress {
        // iconv(3) has no `const` there but does not write to its input.
        var source = UnsafeMutableRawPointer(mutating: input.baseAddress)?
            .assumingMemoryBound(to: CChar.self)
        var sourceCount = input.count
        var target = output.baseAddress?.assumingMemoryBound(to: CChar.self)
        var targetCount = output.count
        let code = iconv(handle, &source, &sourceCount, &target, &targetCount)
        let reason = errno
        return Progress(
            consumed: input.count - sourceCount, produced: output.count - targetCount,
            stop: code != -1 ? .finished : Self.stop(reason))
    }

    /// Returns to the initial state; answers how many bytes that wrote into `output`.
    mutating func reset(into output: UnsafeMutableRawBufferPointer) -> Int {
        var target = output.baseAddress?.assumingMemoryBound(to: CChar.self)
        var targetCount = output.count
        iconv(handle, nil, nil, &target, &targetCount)
        return output.count - targetCount
    }

    private static func stop(_ reason: CInt) -> Stop {
        switch reason {
        case EINVAL: .incomplete
        case E2BIG: .full
        default: .invalid
        }
    }
}
