// SPDX-License-Identifier: Apache-2.0
//
// Tcl's fcopy against our channels, and our copy against Tcl's: relays both ways at once, with and
// without translation, limits, and files.

import Sluice
import TestSupport
import Testing

/// What two connections are set to that are copied to each other.
struct Relay: Sendable, CustomStringConvertible {
    let near: (encoding: String, translation: String)
    let far: (encoding: String, translation: String)

    var description: String { "\(near) to \(far)" }

    static let speech = Speech(encoding: "any", sample: "a日本ソ ")
    static let untouched = Relay(near: ("utf-8", "lf"), far: ("utf-8", "lf"))
    static let all = [
        untouched,
        Relay(near: ("utf-8", "lf"), far: ("shiftjis", "crlf")),
        Relay(near: ("iso2022-jp", "lf"), far: ("unicode", "cr")),
        Relay(near: ("utf-8", "crlf"), far: ("utf-8", "lf")),
    ]

    /// The lines of the one and the other side: not as many, so that no end waits for the other.
    static let nearLines = speech.lines(10_000)
    static let farLines = Array(speech.lines(10_000).dropLast(10).reversed())

    /// Whether both sides have one encoding.
    var isOneEncoding: Bool { near.encoding == far.encoding }

    /// How many characters the lines are.
    static func characters(of lines: [String]) -> Int {
        lines.reduce(0) { $0 + $1.unicodeScalars.count + 1 }
    }

    /// How many bytes the lines are, with an LF each.
    static func bytes(of lines: [String]) -> Int { lines.reduce(0) { $0 + $1.utf8.count + 1 } }

    static func options(_ side: (encoding: String, translation: String)) throws -> ChannelOptions {
        try ChannelOptions(
            translation: "\(side.translation) \(side.translation)", encoding: side.encoding)
    }

    static func tcl(_ side: (encoding: String, translation: String)) -> String {
        "-translation \(side.translation) -encoding \(side.encoding)"
    }
}

@Suite(.countingDescriptors, .serialized)
struct TclCopying {
    // K31, K35, K36
    @Test(arguments: Relay.all)
    func `fcopy relays 10,000 lines both ways between our channels`(relay: Relay) throws {
        let tcl = try CommandProcess.tclsh(
            talking: Relay.speech,
            """
            proc accept {channel address port} {
                lappend ::ends $channel
                if {[llength $::ends] < 2} return
                lassign $::ends near far
                fconfigure $near \(Relay.tcl(relay.near))
                fconfigure $far \(Relay.tcl(relay.far))
                fcopy $near $far -command [list copied near $far]
                fcopy $far $near -command [list copied far $near]
            }
            proc copied {source to count {error ""}} {
                set ::counts($source) $count$error
                close $to write
                if {[array size ::counts] == 2} {set ::done 1}
            }
            listen accept
            vwait done
            puts -nonewline "$counts(near) $counts(far)"
            """)
        let address = try tcl.listeningAddress()
        let reactor = try Reactor()
        var options = ClientOptions()
        options.channel = try Relay.options(relay.near)
        let near = Talk(
            try Client(on: reactor, options: options).open(address), Relay.nearLines, first: .both)
        options.channel = try Relay.options(relay.far)
        let far = Talk(
            try Client(on: reactor, options: options).open(address), Relay.farLines, first: .both)
        try near.start(.pushed)
        try far.start(.polled)
        reactor.expect("both have heard all") { near.isOver && far.isOver }
        #expect(near.heard == Relay.farLines)
        #expect(far.heard == Relay.nearLines)
        // X7: characters; bytes where no encoding changes.
        let counts = [Relay.nearLines, Relay.farLines].map {
            "\(relay.isOneEncoding ? Relay.bytes(of: $0) : Relay.characters(of: $0))"
        }
        #expect(try tcl.said().text == counts.joined(separator: " "))
    }

    /// A tclsh that connects twice; each connection gives its lines and hears all of the other's.
    private func talkers(_ relay: Relay, at address: SocketAddress) throws -> CommandProcess {
        try .tclsh(
            talking: Relay.speech,
            """
            set near [dial \(address.port ?? 0)]
            set far [dial \(address.port ?? 0)]
            fconfigure $near -blocking 0 \(Relay.tcl(relay.near))
            fconfigure $far -blocking 0 \(Relay.tcl(relay.far))
            proc hear {channel} {
                while {[gets $channel line] >= 0} {lappend ::got($channel) $line}
                if {[eof $channel]} {
                    close $channel
                    incr ::ended
                }
            }
            set ended 0
            array set got [list $near {} $far {}]
            foreach channel [list $near $far] {fileevent $channel readable [list hear $channel]}
            give $near [lines 10000]
            close $near write
            give $far [lreverse [lrange [lines 10000] 0 end-10]]
            close $far write
            while {$ended < 2} {vwait ended}
            report $got($near)
            report $got($far)
            puts -nonewline $told
            """)
    }

    // K31, K33, K35, K36
    @Test(arguments: Relay.all)
    func `our copy relays 10,000 lines both ways between Tcl's channels`(relay: Relay) throws {
        let reactor = try Reactor()
        let ends = Box<[Channel]>([])
        let server = try Server(on: reactor, at: [.loopback(port: 0)]) { channel, _ in
            ends.value.append(channel)
        }
        let tcl = try talkers(relay, at: server.address)
        try tcl.dialled(2)
        reactor.expect("both connections") { ends.value.count == 2 }
        try #require(ends.value.count == 2)
        let (near, far) = (ends.value[0], ends.value[1])
        near.options = try Relay.options(relay.near)
        far.options = try Relay.options(relay.far)
        var results: [CopyResult?] = [nil, nil]
        var errors: [any Error] = []
        func end(_ channel: Channel) {
            do { try channel.closeWriting() } catch { errors.append(error) }
        }
        try near.copy(to: far) {
            results[0] = $0
            end(far)
        }
        try far.copy(to: near) {
            results[1] = $0
            end(near)
        }
        reactor.expect("both copies") { results.allSatisfy { $0 != nil } }
        near.close()
        far.close()
        reactor.expect("both closed") { near.status == .closed && far.status == .closed }
        #expect(errors.isEmpty)
        let reports = try tcl.reports()
        try #require(reports.count == 2)
        expectSame(reports[0], report(Relay.farLines))
        expectSame(reports[1], report(Relay.nearLines))
        for (result, lines) in zip(results, [Relay.nearLines, Relay.farLines]) {
            #expect(result?.error == nil)
            if relay.description == Relay.untouched.description {
                let count = Relay.bytes(of: lines)
                #expect(result?.counts.read == count)
                #expect(result?.counts.bytesWritten == count)
            } else {
                #expect(result?.counts.read == Relay.characters(of: lines))
            }
        }
    }

    // K31
    @Test(arguments: Relay.all)
    func `our copy that waits moves 10,000 lines from Tcl to Tcl, each way`(relay: Relay) throws {
        let server = try ServerSocket(at: .loopback(port: 0))
        let tcl = try talkers(relay, at: server.address)
        let near = try server.accept(1, from: tcl, options: try Relay.options(relay.near))
        let far = try server.accept(2, from: tcl, options: try Relay.options(relay.far))
        try tcl.blamed {
            try near.copy(to: far)
            try far.closeWriting()
            try far.copy(to: near)
            try near.closeWriting()
        }
        near.close()
        far.close()
        let reports = try tcl.reports()
        try #require(reports.count == 2)
        expectSame(reports[0], report(Relay.farLines))
        expectSame(reports[1], report(Relay.nearLines))
    }

    // K31, K35
    @Test func `both count characters where both translate, and leave what is behind a limit`()
        throws
    {
        let server = try ServerSocket(at: .loopback(port: 0))
        let tcl = try CommandProcess.tclsh(
            talking: Relay.speech,
            """
            set near [dial \(server.address.port ?? 0)]
            set far [dial \(server.address.port ?? 0)]
            fconfigure $near -translation crlf -encoding utf-8
            fconfigure $far -translation lf -encoding shiftjis
            set count [fcopy $near $far -size 4]
            flush $far
            gets $near rest
            close $near
            puts -nonewline "$count <$rest>"
            """)
        let near = try server.accept(
            1, from: tcl, options: try ChannelOptions(translation: "crlf", encoding: "utf-8"))
        let far = try server.accept(
            2, from: tcl, options: try ChannelOptions(translation: "crlf", encoding: "shiftjis"))
        try near.write("日\n本語テ\n")
        // What Tcl has copied comes back, up to a limit of ours.
        try near.closeWriting()
        var back = try Socket.makePair()
        let sink = try Channel(
            blocking: try Socket.taken(from: &back.first),
            options: try ChannelOptions(translation: "lf", encoding: "utf-8"))
        let source = try Channel(blocking: try Socket.taken(from: &back.second))
        // Tcl's line end on this side is LF, which is a character like any other in crlf.
        let counts = try far.copy(to: sink, limit: 3)
        #expect(counts.read == 3)
        #expect(counts.bytesWritten == 7)
        #expect(try source.read(characters: 3) == "日\n本")
        #expect(try far.readText() == "語")
        for channel in [near, far, sink, source] { channel.close() }
        #expect(try tcl.said().text == "4 <テ>")
    }

    // K31, W16
    @Test func `a file goes from Tcl to us and back, byte for byte`() throws {
        let folder = try TemporaryFolder()
        let reactor = try Reactor()
        let ends = Box<[Channel]>([])
        let server = try Server(on: reactor, at: [.loopback(port: 0)]) { channel, _ in
            ends.value.append(channel)
        }
        let tcl = try CommandProcess.tclsh(
            talking: Relay.speech,
            """
            set file [open \(folder.path)/theirs w+]
            fconfigure $file -encoding utf-8
            give $file [lines 10000]
            seek $file 0
            fconfigure $file -translation binary
            set channel [dial \(server.address.port ?? 0)]
            fconfigure $channel -translation binary
            set there [fcopy $file $channel]
            close $channel write
            set back [open \(folder.path)/back w+]
            fconfigure $back -translation binary
            set here [fcopy $channel $back]
            seek $file 0
            seek $back 0
            puts -nonewline "$there $here [expr {[read $file] eq [read $back]}]"
            file delete \(folder.path)/theirs \(folder.path)/back \(folder.path)/ours
            """)
        try tcl.dialled(1)
        reactor.expect("the connection") { ends.value.count == 1 }
        let channel = try #require(ends.value.first)
        var received: CopyResult?
        var sent: CopyResult?
        try channel.receiveFile(folder.path + "/ours") { received = $0 }
        reactor.expect("the file") { received != nil }
        try channel.sendFile(folder.path + "/ours") { sent = $0 }
        reactor.expect("the way back") { sent != nil }
        channel.close()
        reactor.expect("the end") { channel.status == .closed }
        let count = Relay.bytes(of: Relay.nearLines)
        #expect(received?.counts.bytesWritten == count && received?.error == nil)
        #expect(sent?.counts.bytesWritten == count && sent?.error == nil)
        #expect(try tcl.said().text == "\(count) \(count) 1")
    }
}
