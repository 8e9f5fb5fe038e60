// SPDX-License-Identifier: Apache-2.0
//
// Races that begin before all answers of the name service are there: IPv6 is waited for a moment,
// and what comes late is tried with the rest (RFC 8305).

import Testing

@testable import Sluice

@Suite
struct RacingAnswers {
    // MARK: Answers that come apart

    @Test func `IPv6 that comes first begins at once`() {
        let track = RaceTrack()
        track.find([.six(1)], isLast: false)
        #expect(track.log == ["0 start 0 2001:db8::1"])
        track.run(to: 20)
        track.find([.four(1)])
        track.run(to: 250)
        #expect(track.log.last == "250 start 1 192.0.2.1")
    }

    @Test func `IPv4 that comes first waits a moment for IPv6`() {
        let track = RaceTrack()
        track.find([.four(1)], isLast: false)
        #expect(track.log == [])
        #expect(track.wakeTime == 50)
        track.run(to: 30)
        track.find([.six(1)])
        #expect(track.log == ["30 start 0 2001:db8::1"])
        track.run(to: 280)
        #expect(track.log.last == "280 start 1 192.0.2.1")
    }

    @Test func `IPv4 begins where IPv6 does not come in time, and IPv6 is next when it does`() {
        let track = RaceTrack()
        track.find([.four(1), .four(2)], isLast: false)
        track.run(to: 100)
        #expect(track.log == ["50 start 0 192.0.2.1"])
        track.find([.six(1)])
        track.run(to: 600)
        #expect(
            track.log == [
                "50 start 0 192.0.2.1", "300 start 1 2001:db8::1", "550 start 2 192.0.2.2",
            ])
    }

    @Test func `IPv4 begins at once when IPv6 has no answer`() {
        for reason in [ResolverError.Reason.noAddress, .unknownName, .temporaryFailure] {
            let track = RaceTrack()
            track.find([.four(1)], isLast: false)
            track.run(to: 10)
            track.find(none: reason)
            #expect(track.log == ["10 start 0 192.0.2.1"])
        }
    }

    @Test func `IPv4 does not wait where it is all that comes`() {
        let late = RaceTrack()
        late.find(none: .noAddress, isLast: false)
        #expect(late.log == [])
        late.run(to: 10)
        late.find([.four(1)])
        #expect(late.log == ["10 start 0 192.0.2.1"])
    }

    @Test func `of two families that come together the preferred one begins`() {
        for prefersIPv6 in [true, false] {
            var asked: [SocketAddress] = []
            let track = RaceTrack { ipv6, other in
                asked = [ipv6, other]
                return prefersIPv6
            }
            track.find([.four(1), .four(2)], isLast: false)
            track.find([.six(1), .six(2)])
            #expect(asked == [.six(1), .four(1)])
            #expect(track.log == ["0 start 0 \(prefersIPv6 ? "2001:db8::1" : "192.0.2.1")"])
        }
    }

    @Test func `late addresses are tried when all others have failed`() {
        let track = RaceTrack()
        track.find([.four(1)], isLast: false)
        track.run(to: 60)
        track.refuse(0, .four(1))
        #expect(track.outcome == nil)
        #expect(track.wakeTime == 10_000)
        track.run(to: 800)
        track.find([.six(1)])
        #expect(track.log == ["50 start 0 192.0.2.1", "800 start 1 2001:db8::1"])
        track.connect(1)
        #expect(track.outcome == .connected(1))
        #expect(track.race.failures == [.refusal(.four(1))])
    }

    // MARK: No address

    @Test func `a name without addresses is told with its reason`() {
        let track = RaceTrack()
        track.find(none: .unknownName)
        let error = ResolverError("example.org", .unknownName)
        #expect(track.outcome == .failed(.unresolved(error)))
    }

    @Test func `of two reasons the one that says more is told`() {
        let reasons: [ResolverError.Reason] = [.noAddress, .temporaryFailure]
        for order in [reasons, reasons.reversed()] {
            let track = RaceTrack()
            track.find(none: order[0], isLast: false)
            #expect(track.outcome == nil)
            track.find(none: order[1])
            let error = ResolverError("example.org", .temporaryFailure)
            #expect(track.outcome == .failed(.unresolved(error)))
        }
    }

    @Test func `a refusal says more than a family that has no answer`() {
        let track = RaceTrack()
        track.find([.four(1)], isLast: false)
        track.find(none: .temporaryFailure)
        track.refuse(0, .four(1))
        #expect(track.outcome == .failed(.refused(.refusal(.four(1)))))
    }

    @Test func `no addresses at all are a failure, too`() {
        let track = RaceTrack()
        track.find([])
        #expect(
            track.outcome == .failed(.refused(SocketError(.connect, .addressNotAvailable))))
    }
}
