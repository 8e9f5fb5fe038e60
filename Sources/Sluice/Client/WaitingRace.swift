// SPDX-License-Identifier: Apache-2.0
//
// A race that its caller waits for, without a reactor: the same rules, moved by poll(2).

internal import CSystemCalls

/// A race of bare sockets, which blocks the thread until it is over.
struct WaitingRace {
    private final class Racer {
        let number: Int
        let address: SocketAddress
        var socket: Socket?
        /// The address is a Unix listener's without room, which is asked again every 10 ms.
        var isCrowded = false

        init(_ number: Int, _ address: SocketAddress, _ socket: consuming Socket) {
            self.number = number
            self.address = address
            self.socket = consume socket
        }

        var descriptor: CInt {
            switch socket {
            case .some(let socket): isCrowded ? -1 : socket.number
            case .none: -1
            }
        }
    }

    private let endpoint: Endpoint
    private let options: ClientOptions
    private var race: ConnectionRace
    private var racers: [Racer] = []

    /// A race between an endpoint's addresses, in the order in which they should be tried, that
    /// ends at a time of the monotonic clock.
    init(
        to endpoint: Endpoint, at addresses: [SocketAddress], before deadline: UInt64,
        _ options: ClientOptions
    ) {
        self.endpoint = endpoint
        self.options = options
        race = ConnectionRace(before: deadline, options)
        race.found(addresses, isLast: true, at: csystem_monotonic_nanoseconds())
    }

    /// Runs to the end.
    mutating func run() throws(ConnectError) -> Channel {
        while true {
            switch race.step(at: csystem_monotonic_nanoseconds()) {
            case .start(let number, let address): start(number, address)
            case .cancel(let number): racers.removeAll { $0.number == number }
            case .wait(let time): wait(until: time)
            case .end(.connected(let number)): return try winner(number)
            case .end(.failed(let cause)): throw error(cause)
            }
        }
    }

    private mutating func winner(_ number: Int) throws(ConnectError) -> Channel {
        let winner = racers.first { $0.number == number }
        racers = []
        guard let winner, let socket = winner.socket.take() else {
            throw error(.refused(SocketError(.connect, .badDescriptor)))
        }
        return Channel(alone: socket, winner.address, options.channel)
    }

    private func error(_ cause: ConnectError.Cause) -> ConnectError {
        ConnectError(endpoint: endpoint, cause: cause, attempts: race.failures)
    }

    private mutating func start(_ number: Int, _ address: SocketAddress) {
        do throws(SocketError) {
            let racer = Racer(number, address, try options.makeSocket(for: address))
            racers.append(racer)
            try ask(racer)
        } catch {
            fail(number, error)
        }
    }

    private mutating func ask(_ racer: Racer) throws(SocketError) {
        racer.isCrowded = false
        do throws(SocketError) {
            if try racer.socket?.connect(to: racer.address) == .connected {
                race.connected(racer.number)
            }
        } catch {
            // There will be room, and nothing tells when. unix(7), connect(2).
            guard error.code == .wouldBlock else { throw error }
            racer.isCrowded = true
        }
    }

    private mutating func fail(_ number: Int, _ error: SocketError) {
        racers.removeAll { $0.number == number }
        race.failed(number, error)
    }

    /// Waits until a racer has an answer or the time has come.
    private mutating func wait(until time: UInt64) {
        let waiting = racers
        let crowded = waiting.filter(\.isCrowded)
        let step = csystem_monotonic_nanoseconds() &+ 10_000_000
        do throws(SocketError) {
            let answered = try Socket.areWritable(
                waiting.map(\.descriptor), before: crowded.isEmpty ? time : min(time, step))
            for (racer, hasAnswered) in zip(waiting, answered) where hasAnswered { settle(racer) }
        } catch {
            // What can't be waited for has failed.
            for racer in waiting { fail(racer.number, error) }
            return
        }
        for racer in crowded {
            do throws(SocketError) { try ask(racer) } catch { fail(racer.number, error) }
        }
    }

    private mutating func settle(_ racer: Racer) {
        do throws(SocketError) {
            let code = try racer.socket?.get(.pendingError) ?? .badDescriptor
            if code != .success { throw SocketError(.connect, code, at: racer.address) }
            race.connected(racer.number)
        } catch {
            fail(racer.number, error)
        }
    }
}
