// SPDX-License-Identifier: Apache-2.0
//
// A reactor's timing wheel and the one timer descriptor that drives it.
// The descriptor is armed anew only when the first deadline moves forward, or after it has fired.

internal import CSystemCalls
import Glibc

/// All deadlines of a reactor.
///
/// Times are nanoseconds of the monotonic clock; a tick is 2^17 of them, about 131 us. A deadline
/// is rounded up to a tick, so nothing fires early.
struct Deadlines: ~Copyable {
    typealias Key = TimingWheel<any DeadlineOwner>.Key

    private static let tickBits: UInt64 = 17

    private var wheel: TimingWheel<any DeadlineOwner>
    private let timer: Descriptor
    private var armedTick = UInt64.max
    /// The timer's descriptor was found readable.
    var hasFired = false

    init() throws(SocketError) {
        let number = try retrying(.create) {
            SystemCall.createTimer.made {
                timerfd_create(CLOCK_MONOTONIC, CInt(TFD_NONBLOCK | TFD_CLOEXEC))
            }
        }
        timer = Descriptor(adopting: number)
        wheel = TimingWheel(now: csystem_monotonic_nanoseconds() >> Self.tickBits)
    }

    /// The timer's descriptor: readable once the first deadline has come.
    var number: CInt { timer.number }

    /// Whether something waits to be taken, now or after ``advance()``.
    @inline(__always)
    var isDue: Bool { hasFired || wheel.hasDue }

    mutating func insert(_ owner: any DeadlineOwner, at nanoseconds: UInt64) -> Key {
        let tick = (nanoseconds &+ (1 << Self.tickBits - 1)) >> Self.tickBits
        let key = wheel.insert(owner, at: tick)
        arm()
        return key
    }

    mutating func remove(_ key: Key) {
        wheel.remove(key)
    }

    /// Collects what is due.
    mutating func advance() {
        wheel.advance(to: csystem_monotonic_nanoseconds() >> Self.tickBits)
    }

    /// Takes one of the deadlines that are due, the earliest first.
    mutating func popDue() -> (any DeadlineOwner)? { wheel.popDue() }

    /// Says that all that was due is done: the timer is armed for what comes next.
    mutating func rearm() {
        guard hasFired else { return arm() }
        hasFired = false
        var expirations: UInt64 = 0
        _ = SystemCall.read.made { Glibc.read(timer.number, &expirations, 8) }
        armedTick = .max
        arm()
    }

    /// The reactor has come to its end.
    mutating func dropAll() {
        for owner in wheel.removeAll() { owner.deadlineDropped() }
    }

    private mutating func arm() {
        guard let tick = wheel.nextTick, tick < armedTick else { return }
        armedTick = tick
        // Cannot fail: the descriptor is a timer's and the time is in range. timerfd_settime(2).
        _ = SystemCall.setTimer.made {
            csystem_arm_timer(timer.number, max(1, tick << Self.tickBits))
        }
    }
}
