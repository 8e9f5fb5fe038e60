// SPDX-License-Identifier: Apache-2.0
//
// The clocks of messages and of output that waits, without a channel: what counts, and what does
// not.

import Testing

@testable import Sluice

struct TimingMessages {
    // MARK: Messages

    @Test func `no message is due before one has begun, nor after its end`() {
        var clock = MessageClock()
        #expect(clock.due(after: 10) == nil)
        clock.begin(now: 5)
        #expect(clock.due(after: 10) == 15)
        clock.end()
        #expect(clock.due(after: 10) == nil)
    }

    @Test func `more of a message does not begin it anew`() {
        var clock = MessageClock()
        clock.found(restAt: 100, now: 5)
        clock.found(restAt: 100, now: 9)
        #expect(clock.due(after: 10) == 15)
    }

    @Test func `what stands behind a consumed message is another one`() {
        var clock = MessageClock()
        clock.found(restAt: 100, now: 5)
        clock.found(restAt: 101, now: 9)
        #expect(clock.due(after: 10) == 19)
    }

    @Test func `what the program has begun goes before what is unread`() {
        var clock = MessageClock()
        clock.begin(now: 5)
        clock.found(restAt: 100, now: 9)
        #expect(clock.due(after: 10) == 15)
        clock.begin(now: 12)
        #expect(clock.due(after: 10) == 22)
        clock.end()
        clock.found(restAt: 100, now: 13)
        #expect(clock.due(after: 10) == 23)
    }

    @Test func `the time of a hold does not count`() {
        var clock = MessageClock()
        clock.begin(now: 5)
        clock.hold(now: 8)
        clock.hold(now: 9)
        #expect(clock.due(after: 10) == nil)
        clock.letGo(now: 100)
        clock.letGo(now: 200)
        #expect(clock.due(after: 10) == 107)
    }

    @Test func `a message that begins in a hold has all its time behind it`() {
        var clock = MessageClock()
        clock.hold(now: 5)
        clock.begin(now: 8)
        clock.letGo(now: 20)
        #expect(clock.due(after: 10) == 30)
    }

    @Test func `a message that is due is put off twice at most`() {
        var clock = MessageClock()
        clock.begin(now: 5)
        #expect(clock.isPutOff(isReported: false) == true)
        #expect(clock.isPutOff(isReported: true) == true)
        #expect(clock.isPutOff(isReported: true) == false)
        clock.restart(now: 9)
        #expect(clock.isPutOff(isReported: false) == true)
        #expect(clock.isPutOff(isReported: false) == false)
    }

    // MARK: Output

    private func limits(byteCount: Int) -> TimeLimits {
        var options = ChannelOptions()
        options.writeProgressTimeout = .nanoseconds(10)
        options.writeProgressByteCount = byteCount
        return TimeLimits(options)
    }

    @Test(arguments: [1, 0, -5])
    func `where a byte is enough, the last one counts`(byteCount: Int) {
        var clock = ProgressClock()
        clock.begin(sent: 50, now: 100)
        let limits = limits(byteCount: byteCount)
        #expect(clock.due(limits, sent: 50, lastSent: 90, now: 105) == 110)
        #expect(clock.due(limits, sent: 51, lastSent: 107, now: 110) == 117)
    }

    @Test func `where more is wanted, each stretch needs it`() {
        var clock = ProgressClock()
        clock.begin(sent: 50, now: 100)
        let limits = limits(byteCount: 20)
        #expect(clock.due(limits, sent: 69, lastSent: 109, now: 109) == 110)
        #expect(clock.due(limits, sent: 70, lastSent: 110, now: 110) == 120)
        #expect(clock.due(limits, sent: 89, lastSent: 119, now: 120) == 120)
        clock.stop()
        #expect(!clock.isRunning)
    }

    @Test func `a blocking channel has the idle limit alone`() {
        var options = ChannelOptions()
        #expect(!TimeLimits(options).isAny)
        options.idleTimeout = .zero
        options.messageTimeout = .seconds(1)
        options.lifetime = .seconds(1)
        #expect(TimeLimits(options).needClocks)
        options.isBlocking = true
        #expect(!TimeLimits(options).needClocks)
        #expect(TimeLimits(options).idle == 1)
        #expect(TimeLimits(options).lifetime == 0)
    }
}
