// SPDX-License-Identifier: Apache-2.0
//
// tclsh connects to our channels, in every translation, five encodings and both blocking modes.
// What each side makes of the other's lines is compared byte for byte.

import Sluice
import TestSupport
import Testing

@Suite(.countingDescriptors, .serialized)
struct TclClients {
    /// Accepts one client after the other and talks to each.
    private func serve(
        _ manner: Manner, options: [ChannelOptions], first: [First], lines: [String],
        meanwhile start: (UInt16) throws -> CommandProcess
    ) throws -> (heard: [[String]], script: CommandProcess) {
        if manner == .alone {
            let server = try ServerSocket(at: .loopback(port: 0))
            let script = try start(server.address.port ?? 0)
            let heard = try script.blamed {
                try options.indices.map { index in
                    let channel = try server.accept(
                        index + 1, from: script, options: options[index])
                    let talk = Talk(channel, lines, first: first[index])
                    try talk.waitingForEach()
                    return talk.heard
                }
            }
            return (heard, script)
        }
        let reactor = try Reactor()
        let accepted = Box<[Channel]>([])
        let server = try Server(on: reactor, at: [.loopback(port: 0)]) { channel, _ in
            accepted.value.append(channel)
        }
        let script = try start(server.address.port ?? 0)
        let heard = try script.blamed {
            try options.indices.map { index in
                try script.dialled(index + 1)
                reactor.expect("client \(index)") { accepted.value.count > index }
                try #require(accepted.value.count > index)
                let channel = accepted.value[index]
                channel.options = options[index]
                let talk = Talk(channel, lines, first: first[index])
                try talk.start(manner)
                reactor.expect("the end of talk \(index)") { talk.isOver }
                try #require(talk.isOver)
                return talk.heard
            }
        }
        return (heard, script)
    }

    // T1, T21, K3, K8, K15, W27
    @Test(arguments: Manner.allCases, Speech.all)
    func `every pair of translations brings what was written`(
        manner: Manner, speech: Speech
    ) throws {
        let talk = TurnTalk(manner, speech)
        let (heard, script) = try serve(
            manner, options: try talk.options, first: talk.turns.map(\.first), lines: talk.lines
        ) { port in
            try .tclsh(talking: speech, "proc next {} {dial \(port)}\n" + talk.tcl)
        }
        try talk.compare(heard: heard, reports: try script.reports())
    }

    // K3, K13, K14
    @Test(arguments: TclEvents.cases)
    func `10,000 lines each way at once, without either waiting for the other`(
        manner: Manner, speech: Speech
    ) throws {
        let lines = speech.lines(10_000)
        let options = try ChannelOptions(
            translation: TclEvents.translation(speech), encoding: speech.encoding)
        let (heard, script) = try serve(
            manner, options: [manner.options(options)], first: [.both], lines: lines
        ) { port in
            try .tclsh(
                talking: speech,
                """
                \(TclEvents.talk(speech))
                talk [dial \(port)]
                vwait done
                """)
        }
        expectSame(try script.said(), report(lines))
        #expect(heard == [lines])
    }
}
