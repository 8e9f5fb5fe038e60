// SPDX-License-Identifier: Apache-2.0
//
// A byte rate on a reactor: its wheel wakes those who wait for their part of it.

internal import CSystemCalls

/// A byte rate that several channels of a reactor share.
///
/// The channels that have it as their ``Channel/receiveLimiter`` or ``Channel/sendLimiter`` move no
/// more than the rate together. While there is less than they want they have it in turn: each that
/// waits gets the same part, 16 KiB at most where there is not as much for each, in the order in
/// which they began to wait. What one does not use is the others'.
///
/// A burst of less than 20 ms of the rate counts as that once bytes have flowed: no wheel is fine
/// enough to keep the rate else. Blocking channels go before the others, which could not go on
/// meanwhile anyhow.
public final class RateLimiter {
    private var share: RateShare
    /// The way to the reactor; `nil` for the one of a channel that stands alone.
    private let link: ReactorLink?
    private var waiting: [Int: RateFlow] = [:]
    private var key = Deadlines.Key.none
    /// What the wheel has been asked for.
    private var due = UInt64.max

    /// A rate with its whole burst free, for channels of this reactor.
    public convenience init(_ rate: ByteRate, on reactor: Reactor) {
        self.init(RateShare(rate, at: csystem_monotonic_nanoseconds()), link: reactor.link)
    }

    init(_ share: RateShare, link: ReactorLink?) {
        self.share = share
        self.link = link
    }

    /// How fast all of them together may be.
    ///
    /// What is changed holds from now on, also for those who wait.
    public var rate: ByteRate {
        get { share.rate }
        set {
            share.change(to: newValue, at: now)
            arm()
        }
    }

    /// Whether the wheel that wakes is this reactor's.
    func isOn(_ reactor: Reactor?) -> Bool { link?.reactor === reactor }

    private var now: UInt64 { csystem_monotonic_nanoseconds() }

    private func arm() {
        let now = now
        guard let reactor = link?.reactor, let wait = share.waitForDeal(at: now) else { return }
        if now &+ wait >= due { return }
        due = now &+ wait
        reactor.deadlines.remove(key)
        key = reactor.deadlines.insert(self, at: due)
    }
}

/// Limiters stay on their reactor's thread.
@available(*, unavailable)
extension RateLimiter: Sendable {}

// MARK: - Its members

extension RateLimiter {
    func join() -> Int { share.join() }

    func leave(_ member: Int) {
        share.leave(member, at: now)
        guard waiting.removeValue(forKey: member) != nil, waiting.isEmpty else { return }
        link?.reactor?.deadlines.remove(key)
        key = .none
        due = .max
    }

    func allowance(of member: Int, wanting wanted: Int, isUrgent: Bool) -> Int {
        share.allowance(of: member, wanting: wanted, isUrgent: isUrgent, at: now)
    }

    func spend(_ count: Int, of member: Int) { share.spend(count, of: member, at: now) }

    /// Has the wheel tell a flow when it may go on; where there is no wheel nobody is told.
    func wait(_ member: Int, _ flow: RateFlow) {
        if link?.reactor == nil { return }
        waiting[member] = flow
        share.wait(member)
        arm()
    }

    /// How long it is until something comes, in nanoseconds, for who waits without the wheel.
    var waitForPortion: UInt64 { share.waitForPortion(at: now) }

    /// The rate as it stands, for one that goes elsewhere.
    func moved() -> RateShare { share.moved(at: now) }
}

extension RateLimiter: DeadlineOwner {
    func deadlinePassed() {
        key = .none
        due = .max
        for member in share.deal(at: now) { waiting.removeValue(forKey: member)?.resume() }
        arm()
    }
}
