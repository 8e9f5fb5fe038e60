// SPDX-License-Identifier: Apache-2.0
//
// One rate for several members, with a clock that the test moves by hand: who gets how much, and
// when. No socket and no time of the system's.

import Testing

@testable import Sluice

/// Members of one rate, some of which want more than they get.
private struct Sharing {
    var share: RateShare
    var now: UInt64 = 7_000_000_000
    /// How many bytes each has moved.
    var moved: [Int: Int] = [:]
    /// How late the wheel is, in nanoseconds: drawn anew each time, up to this.
    var lateness: UInt64 = 0
    private var lottery: UInt64 = 88_172_645_463_325_252
    private let start: UInt64 = 7_000_000_000

    init(_ bytesPerSecond: Int, burst: Int? = nil) {
        share = RateShare(
            ByteRate(bytesPerSecond: bytesPerSecond, burst: burst), at: 7_000_000_000)
    }

    var total: Int { moved.values.reduce(0, +) }
    /// What the rate brings in the time that has gone by.
    var due: Double { Double(now - start) / 1e9 * Double(share.rate.bytesPerSecond) }

    /// Takes all that a member may have, and has it wait for more.
    mutating func drain(_ member: Int) {
        while case let count = share.allowance(of: member, at: now), count > 0 {
            share.spend(count, of: member, at: now)
            moved[member, default: 0] += count
        }
        share.wait(member)
    }

    /// Lets the time go on to the next deal.
    ///
    /// - Returns: who was granted something.
    mutating func deal() -> [Int] {
        guard let wait = share.waitForDeal(at: now) else { return [] }
        lottery ^= lottery << 13
        lottery ^= lottery >> 7
        lottery ^= lottery << 17
        now += wait + (lateness > 0 ? lottery % lateness : 0)
        return share.deal(at: now)
    }

    /// Goes on for so long; whoever is granted something takes all of it.
    mutating func run(for nanoseconds: UInt64) {
        let end = now + nanoseconds
        while now < end { for member in deal() { drain(member) } }
    }

    mutating func join(_ count: Int) -> [Int] { (0..<count).map { _ in share.join() } }
}

private let second: UInt64 = 1_000_000_000

@Suite
struct SharingRates {
    @Test func `the burst may be taken at once, and no more`() {
        var sharing = Sharing(1_000_000, burst: 40_000)
        let member = sharing.share.join()
        #expect(sharing.share.allowance(of: member, at: sharing.now) == 40_000)
        sharing.drain(member)
        #expect(sharing.total == 40_000)
        #expect(sharing.share.allowance(of: member, at: sharing.now) == 0)
    }

    @Test func `after a rest no more than the burst has come together`() {
        var sharing = Sharing(1_000_000, burst: 40_000)
        let member = sharing.share.join()
        sharing.drain(member)
        sharing.now += 3600 * second
        #expect(sharing.deal() == [member])
        sharing.drain(member)
        #expect(sharing.total == 80_000)
    }

    @Test func `a burst that is too small for any wheel is not exceeded at the beginning`() {
        var sharing = Sharing(1_000_000, burst: 3)
        let member = sharing.share.join()
        #expect(sharing.share.allowance(of: member, wanting: 3, at: sharing.now) == 3)
        sharing.drain(member)
        sharing.run(for: second)
        #expect(Double(sharing.total) <= sharing.due + 3)
        #expect(Double(sharing.total) >= 0.98 * sharing.due)
    }

    @Test(arguments: [60, 1_000, 56_789, 1_000_000, 125_000_000, 5_000_000_000])
    func `in the long run the rate is met, and never exceeded`(rate: Int) {
        var sharing = Sharing(rate)
        sharing.lateness = 400_000
        let member = sharing.share.join()
        sharing.drain(member)
        for _ in 0..<20 {
            sharing.run(for: second / 2)
            #expect(Double(sharing.total) <= sharing.due + Double(sharing.share.rate.burst) + 1)
        }
        #expect(Double(sharing.total - sharing.share.rate.burst) >= 0.98 * sharing.due)
    }

    @Test func `in the long run many members meet the rate together`() {
        var sharing = Sharing(10_000_000)
        sharing.lateness = 2_000_000
        for member in sharing.join(50) { sharing.drain(member) }
        sharing.run(for: 10 * second)
        let burst = Double(sharing.share.rate.burst)
        #expect(Double(sharing.total) <= sharing.due + burst + 1)
        #expect(Double(sharing.total) - burst >= 0.98 * sharing.due)
    }

    @Test(arguments: [2, 3, 7, 100])
    func `members who want more than there is get the same`(count: Int) {
        var sharing = Sharing(4_000_000, burst: 20_000)
        sharing.lateness = 300_000
        for member in sharing.join(count) { sharing.drain(member) }
        sharing.run(for: 20 * second)
        let parts = sharing.moved.values.sorted()
        #expect(parts.count == count)
        // The burst is the first one's, and one may be a quantum ahead.
        #expect(parts[count - 1] - parts[0] <= 20_000 + 2 * RateShare.quantum)
    }

    @Test func `they are granted in the order in which they began to wait`() {
        var sharing = Sharing(1_000_000, burst: 100_000)
        let members = sharing.join(4)
        for member in members { sharing.drain(member) }
        for member in members + members {
            #expect(sharing.deal() == [member])
            sharing.drain(member)
        }
    }

    @Test func `what is enough for all is dealt to all, the same to each`() {
        var sharing = Sharing(1_000_000, burst: 1_000_000)
        let members = sharing.join(5)
        for member in members { sharing.drain(member) }
        sharing.now += second / 2
        #expect(sharing.deal() == members)
        for member in members {
            #expect(sharing.share.allowance(of: member, at: sharing.now) == 100_000)
        }
    }

    @Test func `nobody takes what was granted to another`() {
        var sharing = Sharing(1_000_000, burst: 100_000)
        let members = sharing.join(3)
        for member in members { sharing.drain(member) }
        sharing.now += second / 20
        #expect(sharing.deal() == members)
        let before = sharing.total
        sharing.drain(members[0])
        #expect(sharing.total - before <= 16_670)
        sharing.drain(members[1])
        sharing.drain(members[2])
        #expect((49_990...50_000).contains(sharing.total - before))
    }

    @Test func `what one does not use is dealt to the others`() {
        var sharing = Sharing(1_000_000, burst: 10_000)
        let members = sharing.join(2)
        for member in members { sharing.drain(member) }
        for _ in 0..<1_000 {
            for member in sharing.deal() where member == members[0] { sharing.drain(member) }
            // The other one is granted its part, and never has anything to move.
            sharing.share.wait(members[1])
        }
        #expect(sharing.moved[members[1]] == nil)
        #expect(Double(sharing.total) >= 0.9 * sharing.due - 20_000)
        #expect(Double(sharing.total) <= sharing.due + 10_000)
    }

    @Test func `who wants little need not wait for more`() {
        var sharing = Sharing(1_000_000, burst: 20_000)
        let member = sharing.share.join()
        sharing.share.spend(19_000, of: member, at: sharing.now)
        #expect(sharing.share.allowance(of: member, at: sharing.now) == 0)
        #expect(sharing.share.allowance(of: member, wanting: 1_000, at: sharing.now) == 1_000)
        #expect(sharing.share.allowance(of: member, wanting: 1_001, at: sharing.now) == 0)
    }

    @Test func `nobody goes before who waits`() {
        var sharing = Sharing(1_000_000, burst: 20_000)
        let members = sharing.join(2)
        sharing.drain(members[0])
        sharing.now += second
        #expect(sharing.share.allowance(of: members[1], wanting: 1, at: sharing.now) == 0)
    }

    @Test func `who holds the thread up goes before all, and takes no more than there is`() {
        var sharing = Sharing(1_000_000, burst: 60_000)
        let members = sharing.join(3)
        for member in members { sharing.drain(member) }
        sharing.now += second
        // All is granted by then, and nobody can use it.
        #expect(sharing.deal().count == 3)
        sharing.share.wait(members[0])
        let count = sharing.share.allowance(of: members[2], isUrgent: true, at: sharing.now)
        #expect(count == 60_000)
        sharing.share.spend(count, of: members[2], at: sharing.now)
        #expect(sharing.share.allowance(of: members[1], isUrgent: true, at: sharing.now) == 0)
        sharing.now += sharing.share.waitForPortion(at: sharing.now)
        #expect(sharing.share.allowance(of: members[1], isUrgent: true, at: sharing.now) > 0)
    }

    @Test func `one that leaves is granted nothing, and its grant is the others'`() {
        var sharing = Sharing(1_000_000, burst: 20_000)
        let members = sharing.join(3)
        for member in members { sharing.drain(member) }
        sharing.share.leave(members[1], at: sharing.now)
        sharing.now += second / 50
        #expect(sharing.deal() == [members[0], members[2]])
        sharing.share.leave(members[0], at: sharing.now)
        #expect(sharing.share.allowance(of: members[2], at: sharing.now) == 20_000)
        sharing.share.leave(members[2], at: sharing.now)
        #expect(sharing.share.waitForDeal(at: sharing.now) == nil)
    }

    @Test func `many who come and go leave the queue as it was`() {
        var sharing = Sharing(100, burst: 100)
        let first = sharing.share.join()
        sharing.drain(first)
        let last = sharing.share.join()
        for round in 0..<10_000 {
            let guest = sharing.share.join()
            sharing.share.wait(guest)
            if round == 5_000 { sharing.share.wait(last) }
            sharing.share.leave(guest, at: sharing.now)
        }
        #expect(sharing.deal() == [first])
        #expect(sharing.deal() == [last])
        #expect(sharing.deal() == [])
    }

    @Test func `another rate holds from when it is set`() {
        var sharing = Sharing(1_000, burst: 1_000)
        let member = sharing.share.join()
        sharing.drain(member)
        sharing.share.change(
            to: ByteRate(bytesPerSecond: 1_000_000, burst: 50_000), at: sharing.now)
        #expect(sharing.share.allowance(of: member, at: sharing.now) == 0)
        sharing.now += second / 100
        #expect(sharing.deal() == [member])
        sharing.drain(member)
        #expect(sharing.total == 11_000)
        sharing.share.change(to: ByteRate(bytesPerSecond: 100, burst: 100), at: sharing.now)
        sharing.now += second
        #expect(sharing.deal() == [member])
        sharing.drain(member)
        #expect(sharing.total == 11_100)
    }

    @Test func `a smaller burst takes what is over it`() {
        var sharing = Sharing(1_000, burst: 10_000)
        let member = sharing.share.join()
        sharing.share.change(to: ByteRate(bytesPerSecond: 1_000, burst: 500), at: sharing.now)
        #expect(sharing.share.allowance(of: member, at: sharing.now) == 500)
    }

    @Test func `more than there was is paid back before anybody goes on`() {
        var sharing = Sharing(1_000, burst: 1_000)
        let member = sharing.share.join()
        sharing.share.spend(6_000, of: member, at: sharing.now)
        #expect(sharing.share.allowance(of: member, at: sharing.now) == 0)
        sharing.share.wait(member)
        #expect((sharing.share.waitForDeal(at: sharing.now) ?? 0) > 5 * second)
    }

    @Test func `what one takes along begins without those who waited`() {
        var sharing = Sharing(1_000_000, burst: 20_000)
        let member = sharing.share.join()
        sharing.drain(member)
        var other = sharing.share.moved(at: sharing.now)
        #expect(other.waitForDeal(at: sharing.now) == nil)
        #expect(other.allowance(of: 1, at: sharing.now) == 0)
        #expect(other.allowance(of: 1, at: sharing.now + second / 50) == 20_000)
    }

    @Test func `no number is too large or too small`() {
        for number in [Int.min, -1, 0, 1, .max] {
            var rate = ByteRate(bytesPerSecond: 1)
            rate.bytesPerSecond = number
            rate.burst = number
            var share = RateShare(rate, at: 0)
            let member = share.join()
            let count = share.allowance(of: member, at: 0)
            #expect(count >= 1)
            share.spend(count, of: member, at: 0)
            share.wait(member)
            #expect(share.deal(at: .max / 2) == [member])
            #expect(share.rate.bytesPerSecond >= 1)
        }
    }
}
