// SPDX-License-Identifier: Apache-2.0
//
// Clients that wait for a race without a reactor: real sockets on loopback, of which one address
// refuses, one never answers, and one works.

import Glibc
import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct RacingInPlace {
    let places: LoopbackPlaces
    let endpoint: Endpoint

    init() throws {
        places = try LoopbackPlaces()
        endpoint = .host("racing.example", port: places.port)
    }

    // N21
    @Test func `a client that waits races, too`() throws {
        let addresses = [places.silent, places.refusing(), places.working]
        var race = WaitingRace(
            to: endpoint, at: addresses,
            before: monotonicNow() + 20_000_000_000, ClientOptions())
        let before = openDescriptorCount()
        let start = ContinuousClock.now
        let channel = try race.run()
        let time = ContinuousClock.now - start
        #expect(channel.peerAddress == places.working)
        #expect(time >= .milliseconds(250) && time < .seconds(3))
        #expect(openDescriptorCount() == before + 1)
        channel.close()
    }

    // N21
    @Test func `a client that waits in vain is told each address's failure`() throws {
        let addresses = [places.refusing(), places.silent, places.refusing(1)]
        var options = ClientOptions()
        options.attemptDelay = .milliseconds(20)
        var race = WaitingRace(
            to: endpoint, at: addresses, before: monotonicNow() + 300_000_000, options)
        let before = openDescriptorCount()
        do throws(ConnectError) {
            _ = try race.run()
            Issue.record("it connected")
        } catch {
            #expect(error.cause == .timedOut)
            #expect(
                error.attempts == [
                    .refusal(addresses[0]), .silence(addresses[1]), .refusal(addresses[2]),
                ])
        }
        #expect(openDescriptorCount() == before)
    }

    @Test func `a wait that fails is told of all that was waited for`() throws {
        var race = WaitingRace(
            to: endpoint, at: [places.silent], before: monotonicNow() + 20_000_000_000,
            ClientOptions())
        try SystemCall.failing(.poll, with: .noMemory) { () throws in
            do throws(ConnectError) {
                _ = try race.run()
                Issue.record("it connected")
            } catch {
                #expect(error.cause == .refused(SocketError(.watch, .noMemory)))
            }
        }
    }

    // T8
    @Test func `addresses of another family than the local one are not tried`() throws {
        var options = ClientOptions()
        options.localAddress = .loopback
        let port = try #require(try SocketAddress.unused().port)
        do throws(ConnectError) {
            _ = try Channel.connected(to: .host("a.localhost", port: port), options: options)
            Issue.record("it connected")
        } catch {
            #expect(error.attempts == [.refusal(.loopback(port: port))])
        }
    }

    // T8
    @Test func `a name without addresses of the local one's family is told so`() throws {
        var options = ClientOptions()
        options.localAddress = .loopback6
        do throws(ConnectError) {
            // The system takes this for a number of IPv4.
            _ = try Channel.connected(to: .host("127.1", port: places.port), options: options)
            Issue.record("it connected")
        } catch {
            #expect(error.cause == .unresolved(ResolverError("127.1", .noAddressOfFamily)))
        }
    }
}

/// Nanoseconds of the monotonic clock.
private func monotonicNow() -> UInt64 {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
}
