// SPDX-License-Identifier: Apache-2.0
//
// The five simplest services of the Internet, which every network library is tried with.
// Each one is what it does to a new channel; by datagrams they are in an extension.

import ArgumentParser
import Glibc
import Sluice

/// A service that `sluice serve` offers.
enum SimpleService: String, CaseIterable, ExpressibleByArgument {
    /// Sends back what it gets. Source: RFC 862.
    case echo
    /// Reads and drops. Source: RFC 863.
    case discard
    /// Sends lines of printable characters for as long as the client takes them. Source: RFC 864.
    case chargen
    /// Tells the date and the time in a line and closes. Source: RFC 867.
    case daytime
    /// Tells the seconds since 1900 in four bytes and closes. Source: RFC 868.
    case time

    /// Whether it can take its input line by line.
    var hasLines: Bool { self == .echo || self == .discard }

    /// Makes what all clients share, so that the first one does not wait for it.
    func prepare() {
        if self == .chargen { _ = Self.block }
    }

    /// Serves one client.
    func serve(_ channel: Channel, _ style: ServeStyle) throws(SocketError) {
        switch self {
        case .echo where style == .lines:
            channel.onLine { channel, line in try channel.writeLine(line) }
        case .discard where style == .lines: channel.onLine { _, _ in }
        case .echo: channel.onBytes { channel, bytes in try channel.write(bytes) }
        case .discard: channel.onBytes { _, _ in }
        case .chargen: Self.generate(on: channel)
        case .daytime: try Self.tell(Array(Self.daytimeLine(at: Glibc.time(nil)).utf8), on: channel)
        case .time: try Self.tell(Self.timeBytes(at: Glibc.time(nil)), on: channel)
        }
    }

    private static func tell(_ bytes: [UInt8], on channel: Channel) throws(SocketError) {
        try channel.write(bytes)
        channel.close()
    }
}

// MARK: - In a task

extension SimpleService {
    /// What serves one client to its end, in a task.
    var handler: @Sendable (isolated Connection) async throws -> Void {
        // Each by itself, so that a task holds no more than its service needs.
        switch self {
        case .echo:
            { connection in
                var result = WriteResult.accepted
                while try await connection.read({ result = try connection.write($0) }) {
                    if result == .aboveMark { try await connection.waitForRoom() }
                }
            }
        case .discard: { connection in while try await connection.read({ _ in }) {} }
        case .chargen:
            { connection in
                do throws(SocketError) {
                    while true { try await connection.write(Self.block) }
                } catch {
                    // The client is gone: that is how this service ends.
                }
            }
        case .daytime: { try await $0.write(Self.daytimeLine(at: Glibc.time(nil))) }
        case .time: { try await $0.write(Self.timeBytes(at: Glibc.time(nil))) }
        }
    }
}

// MARK: - The generator

extension SimpleService {
    /// Many times the pattern, about 1 MiB, which all channels share: a large array is sent without
    /// a copy.
    private static let block: [UInt8] = {
        let cycle = pattern
        return Array(repeatElement(cycle, count: 1_048_576 / cycle.count).joined())
    }()

    /// All 95 lines: 72 of the 95 printable characters, the first one moved on by one from line to
    /// line.
    static var pattern: [UInt8] {
        let printable = Array(UInt8(ascii: " ")...UInt8(ascii: "~"))
        return printable.indices.flatMap { start in
            (0..<72).map { printable[(start + $0) % printable.count] } + [13, 10]
        }
    }

    /// A block whenever nothing is queued: so much is queued for a client that never reads, and no
    /// more.
    private static func generate(on channel: Channel) {
        channel.onBytes { _, _ in }
        // A client that has nothing to say may still want to read.
        channel.onInputEnd { _ in }
        channel.onWritable { channel in
            do {
                try channel.write(block)
            } catch {
                channel.close()  // The client is gone: that is how this service ends.
            }
        }
    }
}

// MARK: - The time

extension SimpleService {
    /// A line such as `Monday, February 22, 1982 17:37:43-UTC`: the form that RFC 867 shows.
    static func daytimeLine(at time: time_t) -> String {
        var time = time
        var parts = tm()
        gmtime_r(&time, &parts)
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 128) { buffer in
            guard let start = buffer.baseAddress else { return "\r\n" }
            // In the C locale, which is in force until a program changes it, this fits by far.
            strftime(start, buffer.count, "%A, %B %d, %Y %H:%M:%S-UTC\r\n", &parts)
            return String(cString: start)
        }
    }

    /// The seconds since 1900 in the network's byte order, modulo 2^32.
    static func timeBytes(at time: time_t) -> [UInt8] {
        let seconds = UInt32(truncatingIfNeeded: Int64(time) + 2_208_988_800)
        return withUnsafeBytes(of: seconds.bigEndian) { Array($0) }
    }
}
