// SPDX-License-Identifier: Apache-2.0
//
// Single habits of Tcl's sockets, asked of tclsh itself: what each side sees of the other's.
// Where Tcl 8.6.13 errs, the test says what Tcl does and what we do.

import Sluice
import TestSupport
import Testing

@Suite(.countingDescriptors, .serialized)
struct TclHabits {
    /// A tclsh that connects to a server of ours, and our end of it.
    private func connected(
        to script: String, options: ChannelOptions = .standard
    ) throws -> (tcl: CommandProcess, channel: Channel) {
        let server = try ServerSocket(at: .loopback(port: 0))
        let tcl = try CommandProcess.tclsh(
            talking: .utf8,
            "set channel [dial \(server.address.port ?? 0)]\n" + script)
        return (tcl, try server.accept(1, from: tcl, options: options))
    }

    // T28, T29
    @Test func `tclsh reads the line of a server that writes and closes at once`() throws {
        let reactor = try Reactor()
        let server = try Server(on: reactor, at: [.loopback(port: 0)]) { channel, _ in
            channel.options.text.outputTranslation = .crlf
            try channel.writeLine("12:34:56")
            channel.close()
        }
        let client = try CommandProcess.tclsh(
            talking: .utf8,
            """
            set channel [dial \(server.address.port ?? 0)]
            gets $channel line
            close $channel
            puts -nonewline "<$line>"
            """)
        try client.dialled(1)
        reactor.expect("the client") { server.counters.accepted == 1 }
        reactor.expect("the end of its channel") { server.connectionCount == 0 }
        #expect(try client.said().text == "<12:34:56>")
    }

    // T28, T29, K9
    @Test(arguments: Manner.allCases)
    func `the line of a tclsh that writes and closes at once is read`(manner: Manner) throws {
        let server = try CommandProcess.tclsh(
            talking: .utf8,
            """
            proc accept {channel address port} {
                puts $channel "12:34:56"
                close $channel
                set ::done 1
            }
            listen accept
            vwait done
            """)
        let address = try server.listeningAddress()
        var heard: [String] = []
        if manner == .alone {
            let channel = try Channel.connected(to: address)
            heard = try server.blamed { [try channel.nextLine()] }
            #expect(try channel.readLine() == nil)
            channel.close()
        } else {
            let reactor = try Reactor()
            var options = ClientOptions()
            options.channel = manner.options(.standard)
            let channel = try Client(on: reactor, options: options).open(address)
            let talk = Talk(channel, [], first: .theirs)
            try talk.start(manner)
            reactor.expect("the end") { talk.isOver }
            heard = talk.heard
        }
        #expect(heard == ["12:34:56"])
        #expect(try server.said().isEmpty)
    }

    // K9
    @Test func `all three ends of a line may be mixed`() throws {
        let (tcl, channel) = try connected(
            to: """
                fconfigure $channel -translation {auto binary}
                puts -nonewline $channel "a\\nb\\rc\\r\\nd\\n\\re\\r\\r\\nf"
                close $channel write
                report [take $channel]
                puts -nonewline $told
                """)
        try channel.write("a\nb\rc\r\nd\n\re\r\r\nf")
        try channel.closeWriting()
        let expected = ["a", "b", "c", "d", "", "e", "", "f"]
        #expect(try channel.readLinesAndClose() == expected)
        expectSame(try tcl.said(), report(expected))
    }

    // K8, K10
    @Test func `auto is crlf on output and reads back as that`() throws {
        let (tcl, channel) = try connected(
            to: """
                puts -nonewline "[fconfigure $channel -translation]"
                fconfigure $channel -translation {auto auto}
                puts -nonewline ", [fconfigure $channel -translation]"
                puts $channel line
                close $channel write
                fconfigure $channel -translation binary
                puts -nonewline ", [binary encode hex [read $channel]]"
                """)
        try channel.configure("-translation", "auto auto")
        #expect(try channel.configuration(of: "-translation") == "auto crlf")
        try channel.writeLine("line")
        try channel.closeWriting()
        try channel.configure("-translation", "binary")
        #expect(try channel.readTextAndClose() == "line\r\n")
        #expect(try tcl.said().text == "auto crlf, auto crlf, 6c696e650d0a")
    }

    // X5
    @Test func `a CR and two LFs in three segments are two lines, though not for Tcl`() throws {
        let tcl = try CommandProcess.tclsh(
            talking: .utf8,
            """
            lassign [chan pipe] reading writing
            fconfigure $writing -translation binary -buffering none
            fconfigure $reading -blocking 0
            foreach piece [list a\\r \\n \\n] {
                puts -nonewline $writing $piece
                while {[gets $reading line] >= 0} {lappend got $line}
            }
            puts -nonewline "[info patchlevel] [llength $got]"
            """)
        let reactor = try Reactor()
        var pair = try Socket.makePair()
        let channel = try Channel(adopting: try Socket.taken(from: &pair.first), on: reactor)
        var lines: [String] = []
        for piece in ["a\r", "\n", "\n"] {
            try pair.second.sendAll(piece)
            while let line = try channel.readLine() { lines.append(line) }
        }
        #expect(lines == ["a", ""])
        channel.abort()
        let said = try tcl.said().text
        if said.hasPrefix("8.6.13 ") { #expect(said == "8.6.13 1", "Tcl errs in another way") }
    }

    // X6
    @Test func `an ended writing side is silent and refuses, though not for Tcl`() throws {
        let tcl = try CommandProcess.tclsh(
            talking: .utf8,
            """
            proc accept {channel address port} {set ::peer $channel}
            set port [lindex [fconfigure [socket -server accept -myaddr 127.0.0.1 0] -sockname] 2]
            # A handler that is there, and a writing side that is closed.
            set channel [socket 127.0.0.1 $port]
            vwait peer
            fconfigure $channel -blocking 0
            set fired 0
            fileevent $channel writable {incr fired}
            close $channel write
            for {set turn 0} {$turn < 10} {incr turn} {
                after 1 {set turned 1}
                vwait turned
            }
            close $channel
            # A half close that waits, as nobody reads.
            set channel [socket 127.0.0.1 $port]
            vwait peer
            fconfigure $channel -blocking 0 -translation binary
            puts -nonewline $channel [string repeat x 10000000]
            close $channel write
            set refused [catch {puts -nonewline $channel more}]
            puts -nonewline "[info patchlevel] [expr {$fired > 0}] $refused"
            """)
        let ends = try ConnectionEnds(on: Reactor(), smallBuffers: true)
        let calls = Box(0)
        ends.channel.onWritable { _ in calls.value += 1 }
        ends.reactor.settle()
        #expect(calls.value > 0)
        let count = try ends.fill()
        calls.value = 0
        try ends.channel.closeWriting()
        #expect(ends.channel.unsentByteCount > 0)
        let error = #expect(throws: SocketError.self) { try ends.channel.write(text: "more") }
        #expect(error == SocketError(.write, .shutDown, at: ends.channel.peerAddress))
        #expect(try ends.receiveAll().count == count)
        ends.reactor.settle()
        #expect(calls.value == 0)
        ends.channel.abort()
        let said = try tcl.said().text
        if said.hasPrefix("8.6.13 ") { #expect(said == "8.6.13 1 0", "Tcl errs in another way") }
    }
}
