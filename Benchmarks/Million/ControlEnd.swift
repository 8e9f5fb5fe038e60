// SPDX-License-Identifier: Apache-2.0
//
// The worker's end of its line to the conductor. Where the line ends, the worker does: so no process
// is left behind, however the conductor has ended.

import ArgumentParser
import BenchmarkSupport
import Sluice

/// The line to the conductor.
final class ControlEnd {
    /// Called with what the conductor says.
    var onOrder: (ControlLine) -> Void = { _ in }
    private let channel: Channel

    /// Connects to the conductor and says who is there.
    ///
    /// - Throws: ``ConnectError`` or ``SocketError``.
    init(to name: String, as role: Role, _ number: Int, on reactor: Reactor) throws {
        var verdict: Result<Channel, ConnectError>?
        let address = SocketAddress.abstract(name: Array(name.utf8))
        try Client(on: reactor).connect(to: address) { verdict = $0 }
        reactor.run(until: { verdict != nil })
        guard let channel = try verdict?.get() else { throw Fault.lost("the conductor") }
        self.channel = channel
        channel.onLine { _, text in
            if let line = ControlLine(text) { self.onOrder(line) }
        }
        channel.onClose { _, _ in reactor.stop() }
        say(ControlLine(.hello, number, text: role.rawValue))
    }

    func say(_ line: ControlLine) {
        // A conductor that is gone is noticed by the end of the line.
        _ = try? channel.write(line.bytes)
    }
}

/// How a worker begins.
struct WorkerOptions: ParsableArguments {
    @Option(help: "The abstract name of the conductor's socket.")
    var control: String
    @Option(help: "The worker's number among those of its kind.")
    var number: Int

    /// Runs a worker's body: what it throws ends the process with a line and status 70.
    func work(_ body: () throws -> Void) throws {
        DescriptorLimit.raise()
        do {
            try body()
        } catch {
            Words.own.complain("\(error)")
            throw ExitCode(70)
        }
    }
}
