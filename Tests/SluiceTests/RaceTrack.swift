// SPDX-License-Identifier: Apache-2.0
//
// A race with a clock that the test moves, and a record of what it asks for; addresses to race.

@testable import Sluice

private let millisecond: UInt64 = 1_000_000

/// A race, its clock, and what it has asked for.
final class RaceTrack {
    var race: ConnectionRace
    /// In milliseconds.
    var now: UInt64 = 1_000
    /// Every step but those to wait, with its time: `0 start 0 2001:db8::1`.
    var log: [String] = []
    /// When it wants to be woken, in milliseconds since the start.
    var wakeTime: UInt64 = 0
    var outcome: ConnectionRace.Outcome?

    init(
        timeout: UInt64 = 10_000, _ options: ClientOptions = .init(),
        prefersIPv6: @escaping (SocketAddress, SocketAddress) -> Bool = { _, _ in true }
    ) {
        race = ConnectionRace(
            before: (now + timeout) * millisecond, options, prefersIPv6: prefersIPv6)
    }

    /// Does what the race asks for, until it waits or is over.
    func goOn() {
        while outcome == nil {
            switch race.step(at: now * millisecond) {
            case .start(let number, let address):
                note("start \(number) \(address.ipAddress.map { "\($0)" } ?? "\(address)")")
            case .cancel(let number): note("cancel \(number)")
            case .wait(let time):
                wakeTime = time / millisecond - 1_000
                return
            case .end(let outcome):
                self.outcome = outcome
                note("end")
            }
        }
    }

    private func note(_ what: String) { log.append("\(now - 1_000) \(what)") }

    /// Lets the clock run to this many milliseconds since the start, and wakes the race as it
    /// wants.
    func run(to time: UInt64) {
        goOn()
        while outcome == nil, wakeTime <= time {
            now = 1_000 + wakeTime
            goOn()
        }
        now = 1_000 + time
    }

    func find(_ addresses: [SocketAddress], isLast: Bool = true) {
        race.found(addresses, isLast: isLast, at: now * millisecond)
        goOn()
    }

    func find(none reason: ResolverError.Reason, isLast: Bool = true) {
        race.foundNone(ResolverError("example.org", reason), isLast: isLast)
        goOn()
    }

    func refuse(_ number: Int, _ address: SocketAddress) {
        race.failed(number, .refusal(address))
        goOn()
    }

    func connect(_ number: Int) {
        race.connected(number)
        goOn()
    }
}

extension SocketError {
    /// What an address that refuses has failed with.
    static func refusal(_ address: SocketAddress) -> SocketError {
        SocketError(.connect, .connectionRefused, at: address)
    }

    /// What an address that never answers has failed with.
    static func silence(_ address: SocketAddress) -> SocketError {
        SocketError(.connect, .timedOut, at: address)
    }
}

extension SocketAddress {
    /// 2001:db8::1 and so on.
    static func six(_ number: UInt64) -> SocketAddress {
        .ip(.v6(high: 0x2001_0DB8_0000_0000, low: number, scope: 0), port: 80)
    }

    /// 192.0.2.1 and so on.
    static func four(_ number: UInt32) -> SocketAddress {
        .ip(.v4(0xC000_0200 | number), port: 80)
    }
}
