// SPDX-License-Identifier: Apache-2.0
//
// The race of an endpoint's addresses as a pure value, with a clock that the test moves: dead, slow
// and refusing addresses, and the one deadline (RFC 8305).

import Testing

@testable import Sluice

@Suite
struct RacingAddresses {
    // MARK: One address

    @Test func `one address is tried at once, and nothing but the deadline is waited for`() {
        let track = RaceTrack()
        track.find([.six(1)])
        #expect(track.log == ["0 start 0 2001:db8::1"])
        #expect(track.wakeTime == 10_000)
        track.connect(0)
        #expect(track.outcome == .connected(0))
        #expect(track.race.failures == [])
    }

    @Test func `one address that refuses ends it at once`() {
        let track = RaceTrack()
        track.find([.four(1)])
        track.refuse(0, .four(1))
        #expect(track.outcome == .failed(.refused(.refusal(.four(1)))))
        #expect(track.race.failures == [.refusal(.four(1))])
    }

    @Test func `a Unix address is one like any other`() {
        let track = RaceTrack()
        track.find([.unix(path: "/run/socket")])
        #expect(track.log == ["0 start 0 /run/socket"])
    }

    @Test func `an address that has come is known, tried or not`() {
        let track = RaceTrack()
        track.find([.six(1), .six(2), .four(1)])
        let known: [SocketAddress] = [.six(1), .six(2), .four(1)]
        #expect(known.allSatisfy { track.race.knows($0) })
        #expect(!track.race.knows(.four(2)))
        #expect(!track.race.knows(.six(3)))
    }

    // MARK: Turns of the families

    @Test func `the families take turns, and the one that came first begins`() {
        let track = RaceTrack()
        track.find([.six(1), .six(2), .six(3), .four(1), .four(2)])
        track.run(to: 1_100)
        #expect(
            track.log == [
                "0 start 0 2001:db8::1", "250 start 1 192.0.2.1", "500 start 2 2001:db8::2",
                "750 start 3 192.0.2.2", "1000 start 4 2001:db8::3",
            ])
        let other = RaceTrack()
        other.find([.four(1), .six(1), .six(2)])
        other.run(to: 600)
        #expect(
            other.log == [
                "0 start 0 192.0.2.1", "250 start 1 2001:db8::1", "500 start 2 2001:db8::2",
            ])
    }

    // MARK: Dead, slow, refused

    // N2
    @Test func `a dead IPv6 costs the start that it had`() {
        let track = RaceTrack()
        track.find([.six(1), .four(1)])
        track.run(to: 253)
        track.connect(1)
        #expect(
            track.log == [
                "0 start 0 2001:db8::1", "250 start 1 192.0.2.1", "253 cancel 0", "253 end",
            ])
        #expect(track.outcome == .connected(1))
    }

    @Test func `a slow address wins where it is still the first`() {
        let track = RaceTrack()
        track.find([.six(1), .four(1), .six(2)])
        track.run(to: 700)
        track.connect(0)
        #expect(track.outcome == .connected(0))
        #expect(track.log.suffix(3) == ["700 cancel 1", "700 cancel 2", "700 end"])
    }

    @Test func `one that refuses makes room for the next at once`() {
        let track = RaceTrack()
        track.find([.six(1), .four(1), .six(2)])
        track.run(to: 5)
        track.refuse(0, .six(1))
        track.run(to: 9)
        track.refuse(1, .four(1))
        #expect(
            track.log == [
                "0 start 0 2001:db8::1", "5 start 1 192.0.2.1", "9 start 2 2001:db8::2",
            ])
        // The one that follows has its whole start again.
        #expect(track.race.failures == [.refusal(.six(1)), .refusal(.four(1))])
    }

    @Test func `what follows one that refused has its whole start`() {
        let track = RaceTrack()
        track.find([.six(1), .four(1), .six(2)])
        track.run(to: 200)
        track.refuse(0, .six(1))
        track.run(to: 449)
        #expect(track.log == ["0 start 0 2001:db8::1", "200 start 1 192.0.2.1"])
        track.run(to: 450)
        #expect(track.log.last == "450 start 2 2001:db8::2")
    }

    @Test func `failures are told in the order of the attempts, not of the answers`() {
        let track = RaceTrack()
        track.find([.six(1), .four(1), .six(2)])
        track.run(to: 600)
        track.refuse(2, .six(2))
        track.refuse(0, .six(1))
        #expect(track.outcome == nil)
        track.refuse(1, .four(1))
        let failures: [SocketError] = [.refusal(.six(1)), .refusal(.four(1)), .refusal(.six(2))]
        #expect(track.race.failures == failures)
        #expect(track.outcome == .failed(.refused(failures[2])))
    }

    @Test func `sixty addresses that refuse at once are all tried at once`() {
        let track = RaceTrack()
        let addresses = (1...60).map { SocketAddress.four(UInt32($0)) }
        track.find(addresses)
        for (number, address) in addresses.enumerated() { track.refuse(number, address) }
        #expect(track.log.count == 61)
        #expect(track.log.allSatisfy { $0.hasPrefix("0 ") })
        #expect(track.race.failures == addresses.map(SocketError.refusal))
        #expect(track.outcome == .failed(.refused(.refusal(addresses[59]))))
    }

    @Test func `of sixty dead addresses one starts each 250 ms, until time is up`() {
        let track = RaceTrack()
        let addresses = (1...60).map { SocketAddress.four(UInt32($0)) }
        track.find(addresses)
        track.run(to: 20_000)
        #expect(track.outcome == .failed(.timedOut))
        let starts = track.log.filter { $0.contains("start") }
        #expect(starts.count == 40)
        #expect(starts.last == "9750 start 39 192.0.2.40")
        #expect(track.log.count { $0.hasPrefix("10000 cancel") } == 40)
        #expect(track.race.failures == addresses.prefix(40).map(SocketError.silence))
    }

    // MARK: The deadline

    @Test func `time may run out before there is an address`() {
        let track = RaceTrack(timeout: 100)
        track.run(to: 100)
        #expect(track.outcome == .failed(.timedOut))
        #expect(track.race.failures == [])
    }

    @Test func `time that runs out ends what is under way, and says so`() {
        let track = RaceTrack(timeout: 300)
        track.find([.six(1), .four(1), .six(2)])
        track.run(to: 100)
        track.refuse(0, .six(1))
        track.run(to: 300)
        #expect(track.log.suffix(2) == ["300 cancel 1", "300 end"])
        #expect(track.outcome == .failed(.timedOut))
        #expect(track.race.failures == [.refusal(.six(1)), .silence(.four(1))])
    }

    @Test func `what an attempt has met is what it fails with`() {
        let track = RaceTrack(timeout: 300)
        track.find([.unnamed])
        let full = SocketError(.connect, .wouldBlock, at: .unnamed)
        track.race.met(full, in: 0)
        track.run(to: 300)
        #expect(track.race.failures == [full])
    }

    @Test func `who connects as time runs out has connected`() {
        let track = RaceTrack(timeout: 300)
        track.find([.six(1)])
        track.run(to: 299)
        track.now = 1_300
        track.connect(0)
        #expect(track.outcome == .connected(0))
    }

    // MARK: After the end

    @Test func `what comes too late changes nothing`() {
        let track = RaceTrack()
        track.find([.six(1), .four(1)], isLast: false)
        track.run(to: 260)
        track.connect(0)
        let log = track.log
        track.race.connected(1)
        track.race.failed(1, .refusal(.four(1)))
        track.race.failed(7, .refusal(.four(1)))
        track.find([.six(2)])
        #expect(track.outcome == .connected(0))
        #expect(track.race.step(at: .max) == .end(.connected(0)))
        #expect(track.log == log)
        #expect(track.race.failures == [])
    }

    @Test func `of two that connect together the first one told wins`() {
        let track = RaceTrack()
        track.find([.six(1), .four(1)])
        track.run(to: 260)
        track.race.connected(1)
        track.race.connected(0)
        track.goOn()
        #expect(track.outcome == .connected(1))
        #expect(track.log.suffix(2) == ["260 cancel 0", "260 end"])
    }

    // MARK: The options

    @Test func `the start can be chosen, down to 10 ms`() {
        for (delay, expected) in [(100, 100), (10, 10), (1, 10), (-5, 10)] {
            var options = ClientOptions()
            options.attemptDelay = .milliseconds(delay)
            let track = RaceTrack(options)
            track.find([.six(1), .four(1)])
            #expect(track.wakeTime == UInt64(expected))
        }
    }

    @Test func `the moment for IPv6 can be chosen, and be none`() {
        for (delay, log) in [(0, ["0 start 0 192.0.2.1"]), (80, [])] {
            var options = ClientOptions()
            options.resolutionDelay = .milliseconds(delay)
            let track = RaceTrack(options)
            track.find([.four(1)], isLast: false)
            #expect(track.log == log)
            if delay > 0 { #expect(track.wakeTime == 80) }
        }
    }
}
