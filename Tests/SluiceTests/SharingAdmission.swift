// SPDX-License-Identifier: Apache-2.0
//
// What several servers share: the overall rate and the sources, without a socket or a clock.

import TestSupport
import Testing

@testable import Sluice

/// In nanoseconds.
private let second: UInt64 = 1_000_000_000

@Suite
struct SharingAdmission {
    private func control(
        _ change: (inout AdmissionOptions) -> Void
    ) throws -> AdmissionControl {
        var options = AdmissionOptions()
        change(&options)
        return try #require(AdmissionControl(options, at: 0))
    }

    private func client(_ text: String) throws -> SocketAddress {
        .ip(try #require(IPAddress(text)), port: 1)
    }

    @Test func `an IPv4-mapped client counts as the IPv4 client that it is`() throws {
        let control = try control { $0.maximumPerAddress = 2 }
        #expect(try control.admit(client("192.0.2.1"), at: 0) == nil)
        #expect(try control.admit(client("::ffff:192.0.2.1"), at: 0) == nil)
        #expect(try control.admit(client("192.0.2.1"), at: 0) == .addressConnections)
        try control.leave(client("::ffff:192.0.2.1"), at: 0)
        try control.leave(client("192.0.2.1"), at: 0)
        #expect(control.sourceCount == 0)
    }

    @Test func `the port and the flow of a client do not count`() throws {
        let control = try control { $0.maximumPerAddress = 1 }
        let ip = try #require(IPAddress("2001:db8::1"))
        #expect(control.admit(.ip(ip, port: 1), at: 0) == nil)
        #expect(control.admit(.ip(ip, port: 2), at: 0) == .addressConnections)
        let flow = SocketAddress.flow(ip, port: 3, information: 4)
        #expect(control.admit(flow, at: 0) == .addressConnections)
    }

    @Test(arguments: [SocketAddress.unnamed, .unix(path: "/a"), .vsock(contextID: 3, port: 1)])
    func `clients without an IP address have no source, and the overall rate`(
        peer: SocketAddress
    ) throws {
        let control = try control { options in
            options.maximumPerAddress = 1
            options.maximumPerNetwork = 1
            options.rate = ConnectionRate(perSecond: 1, burst: 3)
            options.whenFull = .refuse
        }
        for _ in 0..<3 { #expect(control.admit(peer, at: 0) == nil) }
        #expect(control.sourceCount == 0)
        #expect(control.admit(peer, at: 0) == .rate)
        control.leave(peer, at: 0)
    }

    @Test func `connections over the rate are refused, where that is wanted`() throws {
        let control = try control { options in
            options.rate = ConnectionRate(perSecond: 2, burst: 2)
            options.whenFull = .refuse
        }
        #expect(!control.clientsWait)
        for host in 1...2 { #expect(try control.admit(client("192.0.2.\(host)"), at: 0) == nil) }
        #expect(try control.admit(client("192.0.2.3"), at: 0) == .rate)
        #expect(try control.admit(client("192.0.2.3"), at: second / 2 + 1_000) == nil)
        #expect(try control.admit(client("192.0.2.3"), at: second / 2 + 1_000) == .rate)
    }

    @Test func `whoever is refused for its source does not count for the overall rate`() throws {
        let control = try control { options in
            options.rate = ConnectionRate(perSecond: 1, burst: 2)
            options.maximumPerAddress = 1
            options.whenFull = .refuse
        }
        #expect(try control.admit(client("192.0.2.1"), at: 0) == nil)
        for _ in 0..<100 {
            #expect(try control.admit(client("192.0.2.1"), at: 0) == .addressConnections)
        }
        #expect(try control.admit(client("192.0.2.2"), at: 0) == nil)
        #expect(try control.admit(client("192.0.2.3"), at: 0) == .rate)
    }

    @Test func `where clients wait they are told for how long, and nobody is refused`() throws {
        let control = try control { $0.rate = ConnectionRate(perSecond: 4, burst: 2) }
        #expect(control.clientsWait)
        #expect(control.pause(at: 0) == 0)
        let peer = try client("192.0.2.1")
        #expect(control.admit(peer, at: 0) == nil)
        #expect(control.pause(at: 0) == 0)
        #expect(control.admit(peer, at: 0) == nil)
        #expect(control.pause(at: 0) == second / 4)
        // Another reactor had accepted one already: the pause is the longer.
        #expect(control.admit(peer, at: 0) == nil)
        #expect(control.pause(at: 0) == second / 2)
        #expect(control.pause(at: second / 2) == 0)
    }

    @Test func `equal refusals make equal counters`() {
        var counters = RefusalCounters()
        for reason in RefusalReason.allCases { #expect(counters[reason] == 0) }
        counters.count(.denied)
        counters.count(.addressRate)
        counters.count(.denied)
        #expect(counters[.denied] == 2)
        #expect(counters[.addressRate] == 1)
        #expect(counters.sum == 3)
        var others = RefusalCounters()
        for reason in [RefusalReason.addressRate, .denied, .denied] { others.count(reason) }
        #expect(counters == others)
        #expect(counters != RefusalCounters())
    }
}
