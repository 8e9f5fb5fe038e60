// SPDX-License-Identifier: Apache-2.0
//
// `sluice serve` talks to tclsh, whose socket command and event loop nobody here wrote.

import Glibc
import TestSupport
import Testing

@Suite(.countingDescriptors, .serialized)
struct ServingTcl {
    @Test func `tclsh gets 10,000 lines back byte for byte`() throws {
        let (server, port) = try CommandProcess.serving("echo")
        let client = try CommandProcess.tclsh(
            """
            set socket [socket 127.0.0.1 [lindex $argv 0]]
            fconfigure $socket -translation binary -blocking 0 -buffersize 1000000
            proc collect {socket} {
                append ::received [read $socket]
                if {[eof $socket] || [string length $::received] == $::expected} {set ::done 1}
            }
            set text [join [makeLines] \\n]\\n
            set expected [string length $text]
            fileevent $socket readable [list collect $socket]
            puts -nonewline $socket $text
            flush $socket
            vwait done
            puts -nonewline $received
            """, port)
        #expect(try client.ended() == .exited(0), "\(client.errors.text)")
        expectSame(client.output, Lines.bytes)
        withExtendedLifetime(server) {}
    }

    @Test func `tclsh asks 10,000 times, line by line`() throws {
        let (server, port) = try CommandProcess.serving("echo")
        let client = try CommandProcess.tclsh(
            """
            set socket [socket 127.0.0.1 [lindex $argv 0]]
            fconfigure $socket -translation lf -buffering line
            foreach line [makeLines] {
                puts $socket $line
                puts [gets $socket]
            }
            """, port)
        #expect(try client.ended() == .exited(0), "\(client.errors.text)")
        expectSame(client.output, Lines.bytes)
        withExtendedLifetime(server) {}
    }

    @Test func `tclsh closes its writing side and still gets the rest`() throws {
        let (server, port) = try CommandProcess.serving("echo")
        let client = try CommandProcess.tclsh(
            """
            set socket [socket 127.0.0.1 [lindex $argv 0]]
            fconfigure $socket -translation binary
            puts -nonewline $socket [string repeat "0123456789" 1000]
            close $socket write
            puts -nonewline [read $socket]
            puts "end [eof $socket]"
            """, port)
        #expect(try client.ended() == .exited(0), "\(client.errors.text)")
        let digits = String(repeating: "0123456789", count: 1_000)
        expectSame(client.output, Array((digits + "end 1\n").utf8))
        withExtendedLifetime(server) {}
    }

    @Test func `tclsh reads the day and the time as a date it knows`() throws {
        let (server, port) = try CommandProcess.serving("daytime")
        let before = time(nil)
        let client = try CommandProcess.tclsh(
            """
            set socket [socket 127.0.0.1 [lindex $argv 0]]
            fconfigure $socket -translation crlf
            gets $socket line
            puts [clock scan $line -format "%A, %B %d, %Y %H:%M:%S-UTC" -gmt 1]
            puts "[string length [read $socket]] more"
            """, port)
        #expect(try client.ended() == .exited(0), "\(client.errors.text)")
        let lines = client.output.text.split(separator: "\n")
        let seconds = try #require(lines.first.flatMap { Int($0) })
        #expect((before...time(nil)).contains(seconds))
        #expect(lines.last == "0 more")
        withExtendedLifetime(server) {}
    }

    @Test func `tclsh reads the time as four bytes`() throws {
        let (server, port) = try CommandProcess.serving("time")
        let before = time(nil)
        let client = try CommandProcess.tclsh(
            """
            set socket [socket 127.0.0.1 [lindex $argv 0]]
            fconfigure $socket -translation binary
            set answer [read $socket]
            binary scan $answer Iu seconds
            puts "[string length $answer] [expr {$seconds - 2208988800}]"
            """, port)
        #expect(try client.ended() == .exited(0), "\(client.errors.text)")
        let words = client.output.text.split(whereSeparator: \.isWhitespace)
        #expect(words.first == "4")
        let seconds = try #require(words.last.flatMap { Int($0) })
        #expect((before...time(nil)).contains(seconds))
        withExtendedLifetime(server) {}
    }

    @Test func `tclsh reads 10,000 lines of the character generator`() throws {
        let (server, port) = try CommandProcess.serving("chargen")
        let client = try CommandProcess.tclsh(
            """
            set socket [socket 127.0.0.1 [lindex $argv 0]]
            fconfigure $socket -translation binary
            puts -nonewline [read $socket 740000]
            close $socket
            """, port)
        #expect(try client.ended() == .exited(0), "\(client.errors.text)")
        // RFC 864: 72 of the 95 printable characters, the start moved on by one.
        let lines = (0..<10_000).flatMap { line -> [UInt8] in
            (0..<72).map { UInt8(32 + (line + $0) % 95) } + [13, 10]
        }
        expectSame(client.output, lines)
        withExtendedLifetime(server) {}
    }

    @Test func `tclsh has 10,000 lines discarded and meets the end`() throws {
        let (server, port) = try CommandProcess.serving("discard")
        let client = try CommandProcess.tclsh(
            """
            set socket [socket 127.0.0.1 [lindex $argv 0]]
            fconfigure $socket -translation lf
            foreach line [makeLines] {puts $socket $line}
            close $socket write
            puts "[string length [read $socket]] [eof $socket]"
            """, port)
        #expect(try client.ended() == .exited(0), "\(client.errors.text)")
        #expect(client.output.text == "0 1\n")
        withExtendedLifetime(server) {}
    }
}
