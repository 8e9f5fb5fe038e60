// SPDX-License-Identifier: Apache-2.0
//
// Who may come in from where, and how fast: the table of sources, without a socket or a clock.

import TestSupport
import Testing

@testable import Sluice

/// In nanoseconds.
private let second: UInt64 = 1_000_000_000

/// So long after it could be, at most, a source is forgotten.
private let slack: UInt64 = 2_200_000

private func table(_ change: (inout AdmissionOptions) -> Void) throws -> SourceTable {
    var options = AdmissionOptions()
    change(&options)
    return try #require(SourceTable(options, at: 0))
}

private func ip(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }

@Suite
struct AdmittingSources {
    private let first = IPAddress.v4(0x0A00_0001)
    private let neighbour = IPAddress.v4(0x0A00_0002)
    private let elsewhere = IPAddress.v4(0x0A00_0101)

    @Test func `without a limit for an address or a network nothing is known of them`() {
        var options = AdmissionOptions()
        #expect(SourceTable(options, at: 0) == nil)
        #expect(AdmissionControl(options, at: 0) == nil)
        options.rate = ConnectionRate(perSecond: 1)
        #expect(SourceTable(options, at: 0) == nil)
        #expect(AdmissionControl(options, at: 0) != nil)
    }

    // MARK: Connections

    @Test func `an address has as many connections as it may, and another one its own`() throws {
        var table = try table { $0.maximumPerAddress = 2 }
        #expect(table.admit(first, at: 0) == nil)
        #expect(table.admit(first, at: 0) == nil)
        #expect(table.admit(first, at: 0) == .addressConnections)
        #expect(table.admit(neighbour, at: 0) == nil)
        table.leave(first, at: 0)
        #expect(table.admit(first, at: 0) == nil)
        #expect(table.admit(first, at: 0) == .addressConnections)
    }

    @Test func `a network has as many as it may, whatever its addresses have`() throws {
        var table = try table { options in
            options.maximumPerAddress = 2
            options.maximumPerNetwork = 3
        }
        for address in [first, first, neighbour] { #expect(table.admit(address, at: 0) == nil) }
        #expect(table.admit(neighbour, at: 0) == .networkConnections)
        // What holds first is told.
        #expect(table.admit(first, at: 0) == .addressConnections)
        #expect(table.admit(elsewhere, at: 0) == nil)
        table.leave(first, at: 0)
        #expect(table.admit(neighbour, at: 0) == nil)
    }

    @Test(arguments: [Int.min, -1, 0, 1])
    func `a limit is one at least`(maximum: Int) throws {
        var table = try table { $0.maximumPerAddress = maximum }
        #expect(table.admit(first, at: 0) == nil)
        #expect(table.admit(first, at: 0) == .addressConnections)
    }

    // MARK: Networks

    @Test(arguments: [
        (48, "2001:db8:1:ffff::1", "2001:db8:2::1"), (56, "2001:db8:1:ff::1", "2001:db8:1:100::1"),
        (64, "2001:db8:1:0:ffff::1", "2001:db8:1:1::1"), (128, "2001:db8:1::1", "2001:db8:1::2"),
        (127, "2001:db8:1::", "2001:db8:1::2"),
    ])
    func `an IPv6 network is as wide as its prefix says`(
        length: Int, inside: String, outside: String
    ) throws {
        var table = try table { options in
            options.maximumPerNetwork = 1
            options.networkPrefixes.ipv6 = length
        }
        #expect(try table.admit(ip("2001:db8:1::1"), at: 0) == nil)
        #expect(try table.admit(ip(inside), at: 0) == .networkConnections)
        #expect(try table.admit(ip(outside), at: 0) == nil)
    }

    @Test func `at first a network is an IPv4 24 or an IPv6 64`() throws {
        var table = try table { $0.maximumPerNetwork = 1 }
        for text in ["192.0.2.1", "192.0.3.1", "2001:db8::1", "2001:db8:0:1::1"] {
            #expect(try table.admit(ip(text), at: 0) == nil)
        }
        for text in ["192.0.2.255", "192.0.3.0", "2001:db8::ffff:0:0:1", "2001:db8:0:1::"] {
            #expect(try table.admit(ip(text), at: 0) == .networkConnections)
        }
    }

    @Test(arguments: [0, -5])
    func `a prefix of nothing makes one network of each family`(length: Int) throws {
        var table = try table { options in
            options.maximumPerNetwork = 1
            options.networkPrefixes = NetworkPrefixes(ipv4: length, ipv6: length)
        }
        #expect(try table.admit(ip("192.0.2.1"), at: 0) == nil)
        #expect(try table.admit(ip("2001:db8::1"), at: 0) == nil)
        #expect(try table.admit(ip("8.8.8.8"), at: 0) == .networkConnections)
        #expect(try table.admit(ip("fe80::1"), at: 0) == .networkConnections)
    }

    @Test func `a prefix that is too long is a whole address`() throws {
        var table = try table { options in
            options.maximumPerNetwork = 1
            options.networkPrefixes = NetworkPrefixes(ipv4: 99, ipv6: .max)
        }
        for text in ["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"] {
            #expect(try table.admit(ip(text), at: 0) == nil)
            #expect(try table.admit(ip(text), at: 0) == .networkConnections)
        }
    }

    @Test func `a link-local address counts with its interface, and its network without`() throws {
        let here = IPAddress.v6(high: 0xFE80 << 48, low: 1, scope: 1)
        let there = IPAddress.v6(high: 0xFE80 << 48, low: 1, scope: 2)
        var table = try table { options in
            options.maximumPerAddress = 1
            options.maximumPerNetwork = 2
        }
        #expect(table.admit(here, at: 0) == nil)
        #expect(table.admit(here, at: 0) == .addressConnections)
        #expect(table.admit(there, at: 0) == nil)
        let third = IPAddress.v6(high: 0xFE80 << 48, low: 2, scope: 3)
        #expect(table.admit(third, at: 0) == .networkConnections)
    }

    // MARK: Rates

    @Test func `an address comes as fast as it may, after a burst`() throws {
        var table = try table { $0.ratePerAddress = ConnectionRate(perSecond: 2, burst: 3) }
        for _ in 0..<3 { #expect(table.admit(first, at: 0) == nil) }
        #expect(table.admit(first, at: 0) == .addressRate)
        #expect(table.admit(neighbour, at: 0) == nil)
        #expect(table.admit(first, at: second / 2 - 1_000) == .addressRate)
        #expect(table.admit(first, at: second / 2 + 1_000) == nil)
        #expect(table.admit(first, at: second / 2 + 1_000) == .addressRate)
    }

    @Test func `a network comes as fast as it may, whatever its addresses do`() throws {
        var table = try table { $0.ratePerNetwork = ConnectionRate(perSecond: 1, burst: 2) }
        #expect(table.admit(first, at: 0) == nil)
        #expect(table.admit(neighbour, at: 0) == nil)
        #expect(table.admit(first, at: 0) == .networkRate)
        #expect(table.admit(elsewhere, at: 0) == nil)
        #expect(table.admit(first, at: second + 1_000) == nil)
    }

    @Test func `whoever is refused has lost nothing`() throws {
        var table = try table { options in
            options.ratePerAddress = ConnectionRate(perSecond: 0.001, burst: 2)
            options.ratePerNetwork = ConnectionRate(perSecond: 1, burst: 1)
        }
        #expect(table.admit(neighbour, at: 0) == nil)
        // A hundred refusals, and both of its two are there.
        for _ in 0..<100 { #expect(table.admit(first, at: 0) == .networkRate) }
        #expect(table.admit(first, at: 2 * second) == nil)
        #expect(table.admit(first, at: 4 * second) == nil)
        #expect(table.admit(first, at: 6 * second) == .addressRate)
    }

    @Test func `whoever leaves and comes again is remembered`() throws {
        var table = try table { $0.ratePerAddress = ConnectionRate(perSecond: 1, burst: 2) }
        for _ in 0..<2 {
            #expect(table.admit(first, at: 0) == nil)
            table.leave(first, at: 0)
        }
        #expect(table.admit(first, at: 1) == .addressRate)
        #expect(table.admit(first, at: second + 1_000) == nil)
        table.leave(first, at: second + 1_000)
        #expect(table.admit(first, at: second + 2_000) == .addressRate)
    }

    @Test(arguments: [0, -1, .nan, 1e-300, .infinity, 1e300])
    func `any number may be a rate`(perSecond: Double) throws {
        for burst in [nil, Int.min, 0, 1, Int.max] {
            var table = try table { options in
                options.ratePerAddress = ConnectionRate(perSecond: perSecond, burst: burst)
            }
            #expect(table.admit(first, at: 0) == nil)
            table.leave(first, at: 0)
            _ = table.admit(first, at: 1)
            _ = table.admit(first, at: .max / 2)
            table.leave(first, at: .max / 2)
        }
    }

    @Test(arguments: [(0.2, 1), (1, 1), (1.5, 2), (99, 99), (1e12, 1_000_000_000)])
    func `a burst is at first what a second brings`(perSecond: Double, burst: Int) {
        #expect(ConnectionRate(perSecond: perSecond).burst == burst)
    }

    // MARK: Forgetting

    @Test func `without a rate a source is forgotten with its last connection`() throws {
        var table = try table { options in
            options.maximumPerAddress = 9
            options.maximumPerNetwork = 9
        }
        for address in [first, first, neighbour] { #expect(table.admit(address, at: 0) == nil) }
        #expect(table.count == 3)
        table.leave(first, at: 0)
        #expect(table.count == 3)
        table.leave(first, at: 0)
        #expect(table.count == 2)
        table.leave(neighbour, at: 0)
        #expect(table.count == 0)
        // One that was not let in changes nothing.
        table.leave(neighbour, at: 0)
        #expect(table.count == 0)
    }

    @Test func `with a rate a source is forgotten as soon as its bucket is full`() throws {
        var table = try table { $0.ratePerAddress = ConnectionRate(perSecond: 1, burst: 1_000) }
        #expect(table.admit(first, at: 0) == nil)
        table.leave(first, at: 0)
        table.leave(elsewhere, at: second - 1_000)
        #expect(table.count == 1)
        // Not after the thousand seconds that an empty one takes.
        table.leave(elsewhere, at: second + slack)
        #expect(table.count == 0)
    }

    @Test func `a source with a connection is not forgotten, however long it lasts`() throws {
        var table = try table { $0.ratePerAddress = ConnectionRate(perSecond: 1_000, burst: 1) }
        #expect(table.admit(first, at: 0) == nil)
        table.leave(first, at: 0)
        // It comes again while it waits to be forgotten.
        #expect(table.admit(first, at: second) == nil)
        table.leave(elsewhere, at: 1_000 * second)
        #expect(table.count == 1)
        table.leave(first, at: 1_000 * second)
        #expect(table.count == 0)
    }

    @Test func `a table that is full refuses who is new, and lets in who is known`() throws {
        var table = try table { options in
            options.maximumPerAddress = 9
            options.sourceTableLimit = 4
        }
        for host in 0..<UInt32(4) { #expect(table.admit(.v4(host), at: 0) == nil) }
        #expect(table.admit(first, at: 0) == .sourceTable)
        #expect(table.admit(.v4(3), at: 0) == nil)
        table.leave(.v4(0), at: 0)
        #expect(table.admit(first, at: 0) == nil)
        #expect(table.count == 4)
    }

    @Test func `an address and its network take two places`() throws {
        var table = try table { options in
            options.maximumPerAddress = 9
            options.maximumPerNetwork = 9
            options.sourceTableLimit = 4
        }
        for address in [first, neighbour] { #expect(table.admit(address, at: 0) == nil) }
        #expect(table.count == 3)
        #expect(table.admit(elsewhere, at: 0) == .sourceTable)
        #expect(table.count == 3)
        #expect(table.admit(.v4(0x0A00_0003), at: 0) == nil)
    }

    @Test(arguments: [Int.min, 0, 1])
    func `there is room for one client at least`(limit: Int) throws {
        var table = try table { options in
            options.maximumPerAddress = 1
            options.maximumPerNetwork = 1
            options.sourceTableLimit = limit
        }
        #expect(table.admit(first, at: 0) == nil)
        #expect(table.admit(elsewhere, at: 0) == .sourceTable)
    }

    @Test func `forgetting looks at each source once, and at few in one call`() throws {
        var table = try table { $0.ratePerAddress = ConnectionRate(perSecond: 1, burst: 4) }
        let count: UInt32 = 20_000
        var most = 0
        func noteLooks(_ body: () -> Void) {
            let before = table.lookCount
            body()
            most = max(most, table.lookCount - before)
        }
        for host in 0..<count {
            let now = UInt64(host) * 10_000
            noteLooks { _ = table.admit(.v4(host), at: now) }
            noteLooks { table.leave(.v4(host), at: now) }
        }
        #expect(table.count == Int(count))
        // All that they left is looked at a little in each call.
        for _ in 0..<count where table.count > 0 {
            noteLooks { table.leave(elsewhere, at: 10 * second) }
        }
        #expect(table.count == 0)
        #expect(table.lookCount <= Int(count) + 100)
        #expect(most <= 64)
    }

    @Test(arguments: 0..<8)
    func `a table that forgets decides as one that forgets nothing`(seed: UInt64) throws {
        var random = Lottery(seed: seed)
        var options = AdmissionOptions()
        options.maximumPerAddress = 3
        options.maximumPerNetwork = 6
        options.ratePerAddress = ConnectionRate(perSecond: 0.5, burst: 2)
        options.ratePerNetwork = ConnectionRate(perSecond: 1.5, burst: 5)
        var table = try #require(SourceTable(options, at: 0))
        var model = PlainTable(options)
        var now: UInt64 = 0
        var mistakes = 0
        var verdicts: Set<RefusalReason?> = []
        for step in 0..<4_000 {
            now += UInt64.random(in: 1...90_000_007, using: &random)
            // Times of coming and times of going.
            let share = step / 500 % 2 == 0 ? 9 : 4
            if Int.random(in: 0..<10, using: &random) < share {
                let network = UInt32.random(in: 0..<3, using: &random)
                let host = UInt32.random(in: 0..<4, using: &random)
                let address = IPAddress.v4(network << 8 | host)
                let verdict = table.admit(address, at: now)
                verdicts.insert(verdict)
                if verdict != model.admit(address, at: now) { mistakes += 1 }
            } else if let address = model.takeAny(using: &random) {
                table.leave(address, at: now)
            }
        }
        #expect(mistakes == 0)
        #expect(verdicts.count == 5)
    }
}

/// What the table must decide: by looking through all connections, and with buckets that stay.
private struct PlainTable {
    private let options: AdmissionOptions
    private var connections: [IPAddress] = []
    private var ofAddresses: [IPAddress: TokenBucket] = [:]
    private var ofNetworks: [AddressRange: TokenBucket] = [:]

    init(_ options: AdmissionOptions) { self.options = options }

    mutating func admit(_ address: IPAddress, at now: UInt64) -> RefusalReason? {
        let network = AddressRange(address, prefixLength: 24)
        guard var own = ofAddresses[address] ?? options.ratePerAddress?.bucket(at: 0),
            var shared = ofNetworks[network] ?? options.ratePerNetwork?.bucket(at: 0)
        else { return nil }
        let mine = connections.count { $0 == address }
        if mine >= options.maximumPerAddress ?? .max { return .addressConnections }
        if own.count(at: now) < 1 { return .addressRate }
        let ours = connections.count { network.contains($0) }
        if ours >= options.maximumPerNetwork ?? .max { return .networkConnections }
        if shared.count(at: now) < 1 { return .networkRate }
        own.spend(1, at: now)
        shared.spend(1, at: now)
        ofAddresses[address] = own
        ofNetworks[network] = shared
        connections.append(address)
        return nil
    }

    /// Ends one of the connections and says whose it was.
    mutating func takeAny(using random: inout Lottery) -> IPAddress? {
        guard let index = connections.indices.randomElement(using: &random) else { return nil }
        return connections.remove(at: index)
    }
}
