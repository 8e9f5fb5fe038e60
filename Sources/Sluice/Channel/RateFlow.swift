// SPDX-License-Identifier: Apache-2.0
//
// One direction of a channel under its limits: its own rate, and one that it shares.
// It stands beside the channel, so that channels without limits keep nothing for them.

internal import CSystemCalls

/// The limits of both directions of a channel.
final class ChannelRates {
    let receiving: RateFlow
    let sending: RateFlow

    init(of channel: Channel) {
        receiving = RateFlow { [unowned channel] in channel.resumeInput() }
        sending = RateFlow { [unowned channel] in channel.resumeOutput() }
    }

    var isLimited: Bool { receiving.isLimited || sending.isLimited }
}

/// One direction of a channel, as far as it is limited.
final class RateFlow {
    /// A member's place at a limiter.
    private struct Place {
        let limiter: RateLimiter
        let number: Int

        init(at limiter: RateLimiter) {
            self.limiter = limiter
            number = limiter.join()
        }

        func leave() { limiter.leave(number) }
    }

    private var own: Place?
    private var common: Place?
    /// Whether it has found too little and waits.
    private(set) var isHeld = false
    private let goOn: () -> Void

    /// - Parameter goOn: called when it may have found enough after it was held.
    init(_ goOn: @escaping () -> Void) { self.goOn = goOn }

    var isLimited: Bool { own != nil || common != nil }

    /// The limiter that it shares with others.
    var limiter: RateLimiter? { common?.limiter }

    /// How much may be moved now; 0 where it is held from now on.
    ///
    /// - Parameter isUrgent: as that of ``RateShare/allowance(of:wanting:isUrgent:at:)``.
    func allowance(wanting wanted: Int, isUrgent: Bool) -> Int {
        // First its own rate, which nobody else needs while the other is waited for.
        let mine = ask(own, wanted, isUrgent)
        let allowed = mine == 0 ? 0 : min(mine, ask(common, wanted, isUrgent))
        isHeld = allowed == 0
        return allowed
    }

    private func ask(_ place: Place?, _ wanted: Int, _ isUrgent: Bool) -> Int {
        guard let place else { return .max }
        let count = place.limiter.allowance(of: place.number, wanting: wanted, isUrgent: isUrgent)
        if count == 0 { place.limiter.wait(place.number, self) }
        return count
    }

    /// Bytes were moved.
    func spend(_ count: Int) {
        own?.limiter.spend(count, of: own?.number ?? 0)
        common?.limiter.spend(count, of: common?.number ?? 0)
    }

    /// When it is worth asking again, for who waits by itself, in nanoseconds of the monotonic
    /// clock.
    var due: UInt64 {
        let wait = max(own?.limiter.waitForPortion ?? 0, common?.limiter.waitForPortion ?? 0)
        return csystem_monotonic_nanoseconds() &+ wait
    }

    /// A limiter it waits at has something for it.
    func resume() {
        isHeld = false
        goOn()
    }

    /// Sets its own rate; `nil` for none.
    func limit(to rate: ByteRate?, on reactor: Reactor?) {
        if let rate, let own {
            own.limiter.rate = rate
        } else {
            let share = rate.map { RateShare($0, at: csystem_monotonic_nanoseconds()) }
            go(on: share, on: reactor)
        }
        recheck()
    }

    /// Sets the limiter that it shares with others; `nil` for none.
    func share(_ limiter: RateLimiter?) {
        if common?.limiter === limiter { return }
        common?.leave()
        common = limiter.map(Place.init)
        recheck()
    }

    /// What was held may go on under other limits: it asks again.
    private func recheck() { if isHeld { resume() } }

    /// Leaves its limiters.
    func end() {
        own?.leave()
        common?.leave()
        own = nil
        common = nil
        isHeld = false
    }

    /// Its own rate as it stands, for the same channel on another reactor.
    var ownShare: RateShare? { own?.limiter.moved() }

    /// Goes on with its own rate as it stood.
    func go(on share: RateShare?, on reactor: Reactor?) {
        own?.leave()
        own = share.map { Place(at: RateLimiter($0, link: reactor?.link)) }
    }
}
