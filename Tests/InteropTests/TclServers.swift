// SPDX-License-Identifier: Apache-2.0
//
// Our channels connect to tclsh, in every translation, five encodings and both blocking modes.
// What each side makes of the other's lines is compared byte for byte.

import Sluice
import TestSupport
import Testing

@Suite(.countingDescriptors, .serialized)
struct TclServers {
    /// Connects once after the other and talks each time.
    private func connect(
        _ manner: Manner, to script: CommandProcess, options: [ChannelOptions], first: [First],
        lines: [String]
    ) throws -> [[String]] {
        let address = try script.listeningAddress()
        let reactor = try Reactor()
        return try script.blamed {
            try options.indices.map { index in
                var clientOptions = ClientOptions()
                clientOptions.channel = options[index]
                if manner == .alone {
                    let channel = try Channel.connected(to: address, options: clientOptions)
                    let talk = Talk(channel, lines, first: first[index])
                    try talk.waitingForEach()
                    return talk.heard
                }
                // It is there before its connection is; what is said meanwhile is sent then.
                let channel = try Client(on: reactor, options: clientOptions).open(address)
                let talk = Talk(channel, lines, first: first[index])
                try talk.start(manner)
                reactor.expect("the end of talk \(index)") { talk.isOver }
                try #require(talk.isOver)
                return talk.heard
            }
        }
    }

    // T11, T12, K3, K8, K15, W27
    @Test(arguments: Manner.allCases, Speech.all)
    func `every pair of translations brings what was written`(
        manner: Manner, speech: Speech
    ) throws {
        let talk = TurnTalk(manner, speech)
        let script = try CommandProcess.tclsh(
            talking: speech,
            """
            set accepted {}
            proc accept {channel address port} {lappend ::accepted $channel}
            proc next {} {
                while {$::accepted eq ""} {vwait accepted}
                set ::accepted [lassign $::accepted channel]
                return $channel
            }
            listen accept
            \(talk.tcl)
            """)
        let heard = try connect(
            manner, to: script, options: try talk.options, first: talk.turns.map(\.first),
            lines: talk.lines)
        try talk.compare(heard: heard, reports: try script.reports())
    }

    // T11, K3, K13, K14
    @Test(arguments: TclEvents.cases)
    func `10,000 lines each way at once, without either waiting for the other`(
        manner: Manner, speech: Speech
    ) throws {
        let lines = speech.lines(10_000)
        let options = try ChannelOptions(
            translation: TclEvents.translation(speech), encoding: speech.encoding)
        let script = try CommandProcess.tclsh(
            talking: speech,
            """
            \(TclEvents.talk(speech))
            proc accept {channel address port} {talk $channel}
            listen accept
            vwait done
            """)
        let heard = try connect(
            manner, to: script, options: [manner.options(options)], first: [.both], lines: lines)
        expectSame(try script.said(), report(lines))
        #expect(heard == [lines])
    }
}
