// SPDX-License-Identifier: Apache-2.0
//
// The part of the attackers: they attack until they are told to stop.

import ArgumentParser
import Sluice

/// The hidden `attacks attackers`.
struct AttackersCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "attackers", abstract: "Play the attackers.", shouldDisplay: false)

    @Option(help: "What to do.")
    var attack: Attack

    @Option(help: "The port of the lines.")
    var lines: UInt16

    @Option(help: "The port of the bytes.")
    var bytes: UInt16

    @Option(help: "The port of the generator.")
    var generator: UInt16

    @Option(help: "How many connections are held at most.")
    var connections: Int

    @Option(help: "How many milliseconds it takes to visit each held connection once.")
    var circuit: Int

    @Option(help: "How many addresses a flood comes from.")
    var sources: Int

    @Flag(help: "Leave the processor to everybody else who wants it.")
    var givesWay = false

    func run() throws {
        DescriptorLimit.raise()
        if givesWay { Priority.giveWay() }
        let reactor = try Reactors.make()
        let assault = makeAssault()
        var isStopped = false
        let line = try ControlLine(on: reactor) { order, line in
            switch order {
            case .stop:
                isStopped = true
                line.say(assault.count.figures)
            case .mark, .tell, .measure: line.say(assault.count.figures)
            }
        }
        line.say(Figures())
        while !isStopped {
            if assault.step() {
                reactor.runPending()
            } else {
                reactor.after(.milliseconds(1)) {}
                reactor.runOnce()
            }
        }
        reactor.runPending()
    }

    private func makeAssault() -> any Assault {
        switch attack {
        case .slowLoris:
            siege(lines, [UInt8(ascii: "x")])
        case .stoppedReaders: siege(generator, [])
        case .connectAndLeave: flood(.leave)
        case .connectAndStay: flood(.stay)
        case .halfOpen: flood(.closeWriting)
        case .resets: flood(.reset)
        case .garbage: storm([lines, bytes], Storm.noise())
        case .endlessLines: storm([lines], Storm.letters)
        }
    }

    private func siege(_ port: UInt16, _ bytes: [UInt8]) -> Siege {
        Siege(on: port, connections: connections, visitedEvery: circuit, sending: bytes)
    }

    private func flood(_ manner: Flood.Manner) -> Flood {
        Flood(on: lines, manner, connections: connections, sources: sources)
    }

    private func storm(_ ports: [UInt16], _ bytes: [UInt8]) -> Storm {
        Storm(on: ports, connections: connections, sources: sources, sending: bytes)
    }
}
