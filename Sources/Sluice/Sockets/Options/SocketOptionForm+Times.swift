// SPDX-License-Identifier: Apache-2.0
//
// How the kernel stores times: in seconds, milliseconds or microseconds, each option as it does.
// A time that is set is never cut short: it is rounded up to the unit.

import CSystemCalls
import Glibc

extension SocketOptionForm where Value == Duration {
    /// An `int` of whole seconds, rounded up; less than 0 counts as 0.
    public static var seconds: Self { whole(.seconds(1)) }
    /// An `int` of whole milliseconds, rounded up; less than 0 counts as 0.
    public static var milliseconds: Self { whole(.milliseconds(1)) }
    /// An `int` of whole microseconds, rounded up; less than 0 counts as 0.
    public static var microseconds: Self { whole(.microseconds(1)) }

    private static func whole(_ unit: Duration) -> Self {
        Self(byteCount: MemoryLayout<CInt>.size) { answer in
            answer.integer.map { unit * Int($0) }
        } write: { value, call throws(ErrorCode) in
            try give(value.count(of: unit), to: call)
        }
    }
}

extension SocketOptionForm where Value == Duration? {
    /// An `int` of whole milliseconds, rounded up, that is 0 for `nil`; 0 and less are refused as
    /// `.invalidArgument`.
    public static var milliseconds: Self {
        Self(byteCount: MemoryLayout<CInt>.size) { answer in
            answer.integer.map { $0 == 0 ? nil : .milliseconds(Int($0)) }
        } write: { value, call throws(ErrorCode) in
            if let value, value <= .zero { throw .invalidArgument }
            try give(value.map { $0.count(of: .milliseconds(1)) } ?? 0, to: call)
        }
    }

    /// An `int` of whole seconds, rounded up, that is -1 for `nil`; less than 0 counts as 0.
    static var secondsOrNone: Self {
        Self(byteCount: MemoryLayout<CInt>.size) { answer in
            answer.integer.map { $0 < 0 ? nil : .seconds(Int($0)) }
        } write: { value, call throws(ErrorCode) in
            try give(value.map { $0.count(of: .seconds(1)) } ?? -1, to: call)
        }
    }

    /// C's `struct timeval`, rounded up to microseconds, of zeros for `nil`; 0 and less are refused
    /// as `.invalidArgument`.
    ///
    /// The kernel takes a negative time for one that is over, which nobody wants to wait for.
    public static var timeValue: Self {
        Self(byteCount: 2 * MemoryLayout<Int64>.size) { answer in
            guard let seconds = answer.number(Int64.self),
                let fraction = answer.number(Int64.self, at: MemoryLayout<Int64>.size)
            else { return nil }
            if seconds == 0, fraction == 0 { return .some(nil) }
            return .seconds(seconds) + .microseconds(fraction)
        } write: { value, call throws(ErrorCode) in
            if let value, value <= .zero { throw .invalidArgument }
            let (seconds, fraction) = (value ?? .zero).roundedToMicroseconds
            // The layout of `struct timeval` on every machine of 64 bits.
            try give((seconds, fraction), to: call)
        }
    }
}

extension Duration {
    /// How many of `unit` make up the time, rounded up, within what an `int` holds and not below 0.
    func count(of unit: Duration) -> CInt {
        if self <= .zero { return 0 }
        // Cut first: the larger ones would not fit, and more than this the kernel can't be told.
        let time = min(self, unit * Int(CInt.max))
        let whole = CInt(clamping: Int((time / unit).rounded(.down)))
        return unit * Int(whole) < time ? whole + 1 : whole
    }

    /// Seconds and microseconds, rounded up, as they are told to the kernel.
    fileprivate var roundedToMicroseconds: (Int64, Int64) {
        let (seconds, attoseconds) = components
        let microseconds = (attoseconds + 999_999_999_999) / 1_000_000_000_000
        if microseconds < 1_000_000 { return (seconds, microseconds) }
        return seconds == .max ? (seconds, 999_999) : (seconds + 1, 0)
    }
}
