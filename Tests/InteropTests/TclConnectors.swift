// SPDX-License-Identifier: Apache-2.0
//
// tcllib's transfer::connect as the partner of our connectors: each side active and passive, in
// several encodings, translations and with end marks (C1, C4 to C7, C10, C11, C13).

import Sluice
import TestSupport
import Testing

/// How both partners' channels are set.
struct PartnersText: Sendable, CustomTestStringConvertible {
    let speech: Speech
    let translation: LineTranslation

    var testDescription: String { "\(speech), \(translation)" }

    /// UTF-16 and ISO 2022 have bytes like a mark's in the middle of a character.
    static let all = Speech.all.prefix(3).flatMap { speech in
        [LineTranslation.lf, .crlf, .cr].map { PartnersText(speech: speech, translation: $0) }
    }

    var lines: [String] { speech.lines(200) }

    /// Our settings.
    var settings: TextSettings {
        get throws {
            var settings = TextSettings()
            settings.encoding = try TextEncoding(named: speech.encoding)
            settings.inputTranslation = translation
            settings.outputTranslation = translation
            settings.inputEndMark = "\u{1A}"
            return settings
        }
    }

    /// Tcl's partner: it hears all up to the mark, then says the same lines, a mark and more.
    func partner(_ options: String) -> String {
        """
        package require transfer::connect
        proc connected {object channel} {
            fconfigure $channel -blocking 0
            report [take $channel]
            give $channel [lines \(lines.count)]
            puts $channel "\\x1abehind"
            drain $channel
            set ::done [list $object [fconfigure $channel -encoding]]
        }
        transfer::connect partner \(options) -encoding \(speech.encoding) \\
            -translation \(translation.rawValue) -eofchar \\x1a

        """
    }

    /// What Tcl does once it has begun.
    static let toTheEnd = """
        vwait done
        puts -nonewline $told

        """
}

@Suite(.countingDescriptors, .serialized)
struct TclConnectors {
    let reactor: Reactor

    init() throws { reactor = try Reactor() }

    /// Says the lines and a mark with more behind it, then hears the partner's, up to its mark.
    private func talk(_ channel: Channel, _ text: PartnersText) throws -> [String] {
        let heard = Box<[String]>([])
        let isOver = Box(false)
        for line in text.lines { try channel.writeLine(line) }
        try channel.writeLine("\u{1A}behind")
        channel.onReadable { channel in
            while let line = try channel.readLine() { heard.value.append(line) }
            guard channel.isAtEnd else { return }
            channel.onReadable(nil)
            isOver.value = true
        }
        reactor.expect("the partner has said all") { isOver.value }
        channel.close()
        reactor.settle()
        return heard.value
    }

    // C1, C4, C5, C10, C11, C13
    @Test(arguments: PartnersText.all)
    func `our active connector and tcllib's passive one are partners`(text: PartnersText) throws {
        let script = try CommandProcess.tclsh(
            talking: text.speech,
            """
            \(text.partner("-mode passive"))
            puts "listening on 127.0.0.1:[partner connect connected]"
            flush stdout
            \(PartnersText.toTheEnd)
            """)
        let port = try script.listeningPort()
        let heard = try script.blamed {
            var options = ConnectorOptions.going(to: port)
            options.text = try text.settings
            let run = ConnectorRun(on: reactor, options)
            try run.start()
            return try talk(run.opened(), text)
        }
        #expect(heard == text.lines)
        expectSame(try script.said(), report(text.lines))
    }

    // C1, C4, C6, C7, C11, C13
    @Test(arguments: PartnersText.all)
    func `our passive connector and tcllib's active one are partners`(text: PartnersText) throws {
        var options = ConnectorOptions(.passive)
        options.text = try text.settings
        let run = ConnectorRun(on: reactor, options)
        try run.start()
        let port = try #require(run.port)
        let script = try CommandProcess.tclsh(
            talking: text.speech,
            """
            \(text.partner("-host 127.0.0.1 -port \(port)"))
            if {[partner connect connected] ne ""} {error "an active partner has no port"}
            \(PartnersText.toTheEnd)
            """)
        let heard = try script.blamed { try talk(run.opened(), text) }
        #expect(heard == text.lines)
        expectSame(try script.said(), report(text.lines))
        #expect(reactor.openSockets().isEmpty)
    }

    // C7
    @Test func `tcllib's rival finds the door closed`() throws {
        let run = ConnectorRun(on: reactor, .waiting)
        try run.start()
        let port = try #require(run.port)
        // Both are in the queue before the first is accepted.
        let script = try CommandProcess.tclsh(
            talking: .utf8,
            """
            package require transfer::connect
            proc connected {object channel} {
                fconfigure $channel -blocking 0
                fileevent $channel readable [list hear $object $channel]
            }
            proc hear {object channel} {
                set count [gets $channel line]
                if {$count < 0 && ![eof $channel]} return
                fileevent $channel readable {}
                lappend ::heard [namespace tail $object] $count
                if {[llength $::heard] == 4} {set ::done 1}
            }
            foreach partner {first second} {
                transfer::connect $partner -host 127.0.0.1 -port \(port)
                $partner connect connected
            }
            puts stderr "connection 1 is there"
            vwait done
            puts -nonewline [lsort -stride 2 $heard]
            """)
        try script.dialled(1)
        let channel = try script.blamed { try run.opened() }
        try channel.writeLine("hello")
        channel.close()
        reactor.settle()
        #expect(try script.said().text == "first 5 second -1")
    }

    // C5
    @Test func `tcllib's partner that does not listen is told as refused`() throws {
        let script = try CommandProcess.tclsh(
            talking: .utf8,
            """
            package require transfer::connect
            transfer::connect partner -mode passive
            set port [partner connect none]
            puts "listening on 127.0.0.1:$port"
            flush stdout
            # What destroys the object leaves the listener: it is closed by hand.
            foreach channel [chan names sock*] {close $channel}
            puts closed
            flush stdout
            """)
        let address = try script.listeningAddress()
        _ = try script.line(with: "closed")
        let run = ConnectorRun(on: reactor, .going(to: address.port))
        try run.start()
        guard case .connect(let error) = run.failed() else { throw Mishap() }
        #expect(error.cause == .refused(SocketError(.connect, .connectionRefused, at: address)))
        _ = try script.said()
    }
}
