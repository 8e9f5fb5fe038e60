// SPDX-License-Identifier: Apache-2.0
//
// Very many connects on one reactor, of which half are refused: each gets its verdict, and the
// process is afterwards as it was before.

import Glibc
import Sluice
import TestSupport
import Testing

@Suite(.countingDescriptors)
struct ConnectingManyTimes {
    /// 100,000 with `make soak`, and fewer in a test that is run often or is slowed down.
    private let count =
        getenv("SOAK_SECONDS") != nil && CommandProcess.hasTrueMemory ? 100_000 : 20_000
    /// By how much the resident memory may grow, of which fragments of the heap are a part.
    private static let margin = 4 << 20

    // W30, N21
    @Test func `half of the connects are refused, half are closed again, and nothing is left`()
        throws
    {
        let reactor = try Reactor()
        // A port of the client's rests for a minute for each address that it went to.
        let addresses = (1...16).map { SocketAddress.ip(.v4(0x7F00_0000 + $0), port: 0) }
        let server = try Server(on: reactor, at: addresses) { channel, _ in
            // The side that closes first keeps its port for a minute; that shall be this one.
            channel.close()
        }
        let refusing = try HeldSocket(Socket(for: .loopback(port: 0)))
        try refusing.socket.bind(to: .loopback(port: 0))
        let refused = try refusing.socket.localAddress

        func connect(_ count: Int) {
            let series = ConnectSeries(count, on: reactor, to: server.addresses, refused: refused)
            series.run(on: reactor)
            #expect(series.hasEachOnce)
            #expect(series.faults.first == nil, "\(series.faults.count) verdicts are wrong")
            #expect(series.highestUnderWay <= ConnectSeries.mostAtOnce)
            reactor.expect("the server's ends are closed") { server.connectionCount == 0 }
        }
        // The memory that the first ones take is kept for those that follow.
        connect(count / 10)
        let before = (descriptors: openDescriptorCount(), memory: residentByteCount())
        connect(count - count / 10)
        #expect(openDescriptorCount() == before.descriptors)
        let growth = residentByteCount() - before.memory
        if CommandProcess.hasTrueMemory {
            #expect(growth < Self.margin, "\(growth / 1_024) KiB more")
        }
        #expect(server.counters.accepted == UInt64(count / 2))
        server.close()
        reactor.settle()
    }
}

/// Connects so many times, every second one in vain, and keeps what came of each.
private final class ConnectSeries {
    /// How many connects are under way at most.
    static let mostAtOnce = 256

    private let client: Client
    private let addresses: [SocketAddress]
    private let refused: SocketAddress
    private let count: Int
    private var begun = 0
    private var underWay = 0
    private var openCount = 0
    private var verdictCount = 0
    private var verdictCounts: [UInt8]

    /// How many were under way at once.
    private(set) var highestUnderWay = 0
    /// Verdicts other than the right one.
    private(set) var faults: [String] = []

    init(_ count: Int, on reactor: Reactor, to addresses: [SocketAddress], refused: SocketAddress) {
        client = Client(on: reactor)
        self.addresses = addresses
        self.refused = refused
        self.count = count
        verdictCounts = Array(repeating: 0, count: count)
    }

    /// Whether each has one verdict and no more.
    var hasEachOnce: Bool { verdictCounts.allSatisfy { $0 == 1 } }

    /// Runs for as long as verdicts come, to the end of the last channel.
    func run(on reactor: Reactor) {
        for _ in 0..<Self.mostAtOnce { connectNext() }
        while verdictCount < count {
            let next = min(count, verdictCount + 1_000)
            reactor.expect("verdicts come") { self.verdictCount >= next }
            if verdictCount < next { return }
        }
        reactor.expect("all channels are closed") { self.openCount == 0 }
    }

    private func connectNext() {
        guard begun < count else { return }
        let number = begun
        begun += 1
        underWay += 1
        highestUnderWay = max(highestUnderWay, underWay)
        let isRefused = number % 2 == 1
        let address = isRefused ? refused : addresses[number / 2 % addresses.count]
        do {
            try client.connect(to: address) { verdict in
                self.take(verdict, of: number, isRefused: isRefused)
                self.connectNext()
            }
        } catch {
            faults.append("connect \(number): \(error)")
        }
    }

    private func take(
        _ verdict: Result<Channel, ConnectError>, of number: Int, isRefused: Bool
    ) {
        underWay -= 1
        verdictCount += 1
        verdictCounts[number] += 1
        switch verdict {
        case .success(let channel):
            if isRefused { faults.append("connect \(number) is not refused") }
            openCount += 1
            channel.onClose { _, _ in self.openCount -= 1 }
            // Without a handler for the end of the input, the channel is closed there.
            channel.onBytes { _, _ in }
        case .failure(let error):
            let expected = SocketError(.connect, .connectionRefused, at: refused)
            if !isRefused || error.cause != .refused(expected) || error.attempts != [expected] {
                faults.append("connect \(number): \(error)")
            }
        }
    }
}
