// SPDX-License-Identifier: Apache-2.0
//
// A table of sources that is full: who is forgotten early, and who is refused.

import TestSupport
import Testing

@testable import Sluice

/// In nanoseconds.
private let second: UInt64 = 1_000_000_000

@Suite
struct ForgettingSources {
    private func table(_ change: (inout AdmissionOptions) -> Void) throws -> SourceTable {
        var options = AdmissionOptions()
        change(&options)
        return try #require(SourceTable(options, at: 0))
    }

    @Test func `a full table gives the place of one that rests to one that is new`() throws {
        var table = try table { options in
            options.ratePerAddress = ConnectionRate(perSecond: 1, burst: 5)
            options.sourceTableLimit = 3
        }
        for host in 0..<UInt32(3) {
            #expect(table.admit(.v4(host), at: 0) == nil)
            table.leave(.v4(host), at: 0)
        }
        #expect(table.admit(.v4(9), at: second / 2) == nil)
        #expect(table.count == 3)
        // The others go by themselves when their buckets are full.
        #expect(table.admit(.v4(10), at: 2 * second) == nil)
        #expect(table.count == 2)
    }

    @Test func `who would be forgotten soonest is forgotten first`() throws {
        var table = try table { options in
            options.ratePerAddress = ConnectionRate(perSecond: 0.01, burst: 2)
            options.sourceTableLimit = 2
        }
        // The first has an empty bucket, the second one of two tokens.
        for host: UInt32 in [1, 1, 2] {
            #expect(table.admit(.v4(host), at: 0) == nil)
            table.leave(.v4(host), at: 0)
        }
        #expect(table.admit(.v4(3), at: second) == nil)
        #expect(table.admit(.v4(1), at: second) == .addressRate)
        table.leave(.v4(3), at: second)
        #expect(table.count == 2)
    }

    @Test func `only where all have connections a new one is refused`() throws {
        var table = try table { options in
            options.ratePerAddress = ConnectionRate(perSecond: 0.01, burst: 9)
            options.sourceTableLimit = 2
        }
        for host: UInt32 in [1, 2] { #expect(table.admit(.v4(host), at: 0) == nil) }
        #expect(table.admit(.v4(3), at: 0) == .sourceTable)
        table.leave(.v4(1), at: 0)
        #expect(table.admit(.v4(3), at: 0) == nil)
        #expect(table.admit(.v4(1), at: 0) == .sourceTable)
        #expect(table.count == 2)
    }

    @Test func `the network of who is new is not forgotten for its address`() throws {
        var table = try table { options in
            options.maximumPerAddress = 9
            options.ratePerNetwork = ConnectionRate(perSecond: 0.01, burst: 2)
            options.sourceTableLimit = 3
        }
        let (first, neighbour) = (IPAddress.v4(0x0A00_0001), IPAddress.v4(0x0A00_0002))
        let elsewhere = IPAddress.v4(0x0A00_0101)
        #expect(table.admit(first, at: 0) == nil)
        // Its network stays known.
        table.leave(first, at: 0)
        #expect(table.admit(elsewhere, at: 0) == nil)
        #expect(table.admit(neighbour, at: 0) == .sourceTable)
        #expect(table.count == 3)
        table.leave(elsewhere, at: 0)
        #expect(table.admit(neighbour, at: 0) == nil)
        table.leave(neighbour, at: 0)
        #expect(table.admit(first, at: 0) == .networkRate)
        #expect(table.count == 2)
        // Both rest, also the one that was refused in vain.
        table.leave(elsewhere, at: 1_000 * second)
        #expect(table.count == 0)
    }

    @Test func `a flood of sources is let in, and takes no more than the table`() throws {
        var table = try table { options in
            options.ratePerAddress = ConnectionRate(perSecond: 0.01, burst: 2)
            options.sourceTableLimit = 1_000
        }
        var most = 0
        for host in 0..<UInt32(20_000) {
            let now = UInt64(host) * 1_000
            #expect(table.admit(.v4(host), at: now) == nil)
            most = max(most, table.count)
            table.leave(.v4(host), at: now)
        }
        #expect(most == 1_000)
    }
}
