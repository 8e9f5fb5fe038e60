// SPDX-License-Identifier: Apache-2.0
//
// What close(2) does with data that the peer has not taken, and how the kernel stores the choice.

import CSystemCalls
import Glibc

/// What close(2) does with data that the peer has not taken.
///
/// Source: `SO_LINGER`, socket(7).
public enum Linger: Hashable, Sendable {
    /// close(2) returns at once and the kernel goes on sending.
    case off
    /// close(2) waits this long, in whole seconds rounded up; zero cuts the connection with a
    /// reset.
    case on(Duration)
}

extension SocketOptionForm where Value == Linger {
    /// C's `struct linger`: two integers.
    static var linger: Self {
        Self(byteCount: MemoryLayout<linger>.size) { answer in
            guard let isOn = answer.number(CInt.self),
                let seconds = answer.number(CInt.self, at: MemoryLayout<CInt>.size)
            else { return nil }
            return isOn == 0 ? .off : .on(.seconds(Int(seconds)))
        } write: { value, call throws(ErrorCode) in
            switch value {
            case .off: try give(Glibc.linger(l_onoff: 0, l_linger: 0), to: call)
            case .on(let time):
                let seconds = time.count(of: .seconds(1))
                try give(Glibc.linger(l_onoff: 1, l_linger: seconds), to: call)
            }
        }
    }
}
