// SPDX-License-Identifier: Apache-2.0
//
// What is done to the server, and from where.

import ArgumentParser
import Sluice

/// A way to attack a server.
enum Attack: String, CaseIterable, ExpressibleByArgument, Sendable {
    /// Very many connections, each with a byte of a line now and then, and never its end.
    case slowLoris = "slow-loris"
    /// Many connections to a service that sends without end, and nobody reads.
    case stoppedReaders = "stopped-readers"
    /// Connects, and leaves at once, at full speed.
    case connectAndLeave = "connect-and-leave"
    /// Connects at full speed, says nothing, and stays.
    case connectAndStay = "connect-and-stay"
    /// Connects at full speed, ends its own direction, and stays.
    case halfOpen = "half-open"
    /// Connects at full speed, sends a part of a line, and resets the connection.
    case resets
    /// Random bytes at full speed, to the lines and to the bytes.
    case garbage
    /// Lines that never end, at full speed.
    case endlessLines = "endless-lines"

    /// What people call it.
    var title: String {
        switch self {
        case .slowLoris: "slow-loris"
        case .stoppedReaders: "readers that stopped"
        case .connectAndLeave: "connect and leave"
        case .connectAndStay: "connect and stay"
        case .halfOpen: "connect and half-close"
        case .resets: "connect, write, reset"
        case .garbage: "random bytes"
        case .endlessLines: "endless lines"
        }
    }

    /// Whether the server lets it hold all connections that it means to, for a while.
    ///
    /// Others are refused, or ended, before there are as many.
    var isHeld: Bool { self == .slowLoris || self == .stoppedReaders }

    /// What the kernel may hold for one of its connections, both ends together.
    ///
    /// A buffer takes twice its size (`SO_SNDBUF`, socket(7)); what was read at once leaves a page
    /// at each end.
    var kernelByteCountPerConnection: Int {
        let server = 2 * DefendedServer.kernelBufferByteCount
        let reader = 2 * Siege.receiveBufferByteCount
        return switch self {
        case .slowLoris, .connectAndLeave, .connectAndStay, .halfOpen, .resets: 8_192
        case .stoppedReaders: server + reader
        case .garbage, .endlessLines: 2 * server + reader + 2 * Storm.sendBufferByteCount
        }
    }

    /// How many of its connections the server's limits have ended, or refused, as they should.
    func limitsMet(in server: Figures) -> Int {
        expectedEnds.reduce(0) { $0 + server[$1] }
    }

    /// How the server's limits end this attack's connections: one of these at least must be seen.
    private var expectedEnds: [String] {
        let refused = [RefusalReason.addressConnections, .addressRate].map {
            "refused: \($0.rawValue)"
        }
        let ends: [EndReason] =
            switch self {
            case .slowLoris: [.timedOut(.message)]
            case .stoppedReaders: [.timedOut(.writeProgress), .limit(.reactorBuffers)]
            case .connectAndLeave, .connectAndStay, .halfOpen, .resets: []
            case .garbage, .endlessLines: [.limit(.line), .limit(.input), .local]
            }
        return ends.isEmpty ? refused : ends.map { "ended: \($0)" }
    }
}

/// Where clients connect from: all of 127.0.0.0/8 is this machine.
enum Sources {
    /// The address of the honest clients, in a network of their own.
    static let honest = IPAddress.v4(0x7F00_0002)
    /// The attackers' addresses are spread over so many networks of 256 addresses.
    private static let networkCount: UInt32 = 32

    /// One of the attackers' addresses, from 127.0.1.1 on, counted from 0.
    ///
    /// - Precondition: `number` is below 8,000.
    static func attacker(_ number: Int) -> IPAddress {
        precondition((0..<8_000).contains(number), "there is no such address")
        let number = UInt32(number)
        return .v4(
            0x7F00_0101 + (number % networkCount) << 8 + number / networkCount)
    }
}
