// SPDX-License-Identifier: Apache-2.0
//
// The part of the honest clients: they connect, and measure when they are told to.

import ArgumentParser
import BenchmarkSupport
import Sluice

/// The hidden `attacks clients`.
struct ClientsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "clients", abstract: "Play the honest clients.", shouldDisplay: false)

    @Option(help: "The port of the lines.")
    var lines: UInt16

    @Option(help: "How many connections stay.")
    var connections: Int

    @Option(help: "How many messages a second they send together.")
    var rate: Int

    @Option(help: "How many milliseconds a newcomer may take for each of two steps.")
    var limit: Int

    func run() throws {
        DescriptorLimit.raise()
        Schedule.beExact()
        let goesFirst = Priority.goFirst()
        let reactor = try Reactors.make()
        let pacer = try ReactorGroup(count: 1)
        let crowd = HonestCrowd(
            on: reactor, from: Sources.honest, to: .loopback(port: lines),
            newcomerLimit: .milliseconds(limit))
        let rate = rate
        let line = try ControlLine(on: reactor) { order, line in
            guard case .measure(let milliseconds) = order else { return }
            let schedule = Schedule(
                begin: MonotonicClock.now, perSecond: rate, milliseconds: milliseconds)
            let number = crowd.begin(schedule) { line.say($0) }
            let reference = reactor.reference(to: crowd)
            try pacer.handles[0].perform { _ in schedule.pace(reference, as: number) }
        }
        crowd.open(connections) {
            var ready = Figures()
            ready["goes first"] = goesFirst ? 1 : 0
            line.say(ready)
        }
        reactor.run()
    }
}
