// SPDX-License-Identifier: Apache-2.0
//
// Options by name and text, as scripts and configuration files have them.
// What a value does to the bytes is tested with the typed options.

import Glibc
import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct Configuring: ConnectionSuite {
    static let names = [
        "-blocking", "-buffering", "-buffersize", "-encoding", "-eofchar", "-translation",
        "-connecting", "-error", "-keepalive", "-nodelay", "-peername", "-sockname",
    ]

    let ends: ConnectionEnds

    private func value(_ name: String) throws -> String { try channel.configuration(of: name) }

    /// Expects that a value is refused with a message, and that the option stays as it was.
    private func expectRefusal(
        _ name: String, _ text: String, _ message: String,
        _ place: SourceLocation = #_sourceLocation
    ) throws {
        let before = try value(name)
        let error = #expect(throws: OptionError.self, sourceLocation: place) {
            try channel.configure(name, text)
        }
        #expect(error?.description == message, sourceLocation: place)
        #expect(try value(name) == before, sourceLocation: place)
    }

    // K1
    @Test func `without a name every option is told with its value`() throws {
        let all = try channel.configuration()
        #expect(all.map(\.name).sorted() == Self.names.sorted())
        for option in all { #expect(try value(option.name) == option.value) }
    }

    // K1
    @Test func `pairs are set from left to right, and what precedes an error stays`() throws {
        let error = #expect(throws: OptionError.self) {
            try channel.configure(["-translation": "lf", "-bad": "1", "-encoding": "ascii"])
        }
        #expect(error == .unknownOption("-bad", valid: Self.names))
        #expect(try value("-translation") == "lf lf")
        #expect(throws: OptionError.self) {
            try channel.configure(["-translation": "cr", "-buffering": "x", "-encoding": "ascii"])
        }
        #expect(try value("-translation") == "cr cr")
        #expect(try value("-encoding") == "utf-8")
    }

    // K2
    @Test(arguments: [
        ("-bl", "-blocking"), ("-buffering", "-buffering"), ("-bufferi", "-buffering"),
        ("-buffers", "-buffersize"), ("-en", "-encoding"), ("-eo", "-eofchar"),
        ("-t", "-translation"), ("-c", "-connecting"), ("-er", "-error"), ("-k", "-keepalive"),
        ("-n", "-nodelay"), ("-p", "-peername"), ("-s", "-sockname"),
    ])
    func `a name may be shortened while it is unique`(short: String, whole: String) throws {
        #expect(try value(short) == value(whole))
    }

    // K2
    @Test func `options are changed by shortened names, too`() throws {
        try channel.configure(["-bl": "1", "-buffers": "77", "-buffering": "line", "-tr": "cr"])
        #expect(channel.options.isBlocking)
        #expect(channel.options.bufferByteCount == 77)
        #expect(channel.options.buffering == .line)
        #expect(channel.options.text.inputTranslation == .cr)
    }

    // K2, N7
    @Test(arguments: [
        "-b", "-buffer", "-e", "-", "", "b", "blocking", "-xyz", "-blockingx", "-BL", "-inputmode",
    ])
    func `an unknown or ambiguous name is refused with the valid ones`(name: String) throws {
        let message =
            "bad option \"\(name)\": should be one of -blocking, -buffering, -buffersize, "
            + "-encoding, -eofchar, -translation, -connecting, -error, -keepalive, -nodelay, "
            + "-peername or -sockname"
        let reading = #expect(throws: OptionError.self) { try value(name) }
        #expect(reading?.description == message)
        let changing = #expect(throws: OptionError.self) { try channel.configure(name, "1") }
        #expect(changing?.description == message)
    }

    // K2
    @Test func `a Unix socket has no options of TCP`() throws {
        let alone = try LoneEnds().channel
        let names = try alone.configuration().map(\.name)
        #expect(Set(names) == Set(Self.names).subtracting(["-keepalive", "-nodelay"]))
        let error = #expect(throws: OptionError.self) { try alone.configuration(of: "-nodelay") }
        #expect(error?.description.contains("-nodelay, ") == false)
    }

    // K3
    @Test(arguments: ["1", "true", "TRUE", "tru", "t", "yes", "y", "on", "On"])
    func `truth has many spellings`(word: String) throws {
        try channel.configure("-blocking", word)
        #expect(channel.options.isBlocking)
        #expect(try value("-blocking") == "1")
    }

    // K3
    @Test(arguments: ["0", "false", "f", "no", "n", "off", "of", "OFF"])
    func `untruth has as many`(word: String) throws {
        channel.options.isBlocking = true
        try channel.configure("-blocking", word)
        #expect(!channel.options.isBlocking)
        #expect(try value("-blocking") == "0")
    }

    // K3
    @Test(arguments: ["o", "", "maybe", "truer", "2", "-1", "1.0", "0x0", " 1 "])
    func `what is no truth value is refused, as by Tcl`(word: String) throws {
        try expectRefusal(
            "-blocking", word, "bad value \"\(word)\" for -blocking: should be a truth value")
        try expectRefusal(
            "-nodelay", word, "bad value \"\(word)\" for -nodelay: should be a truth value")
    }

    // K3
    @Test func `a channel that stands alone goes on blocking`() throws {
        let alone = try LoneEnds().channel
        #expect(try alone.configuration(of: "-blocking") == "1")
        try alone.configure("-blocking", "0")
        #expect(try alone.configuration(of: "-blocking") == "1")
    }

    // K4
    @Test func `a bad buffering keeps the old one and lists the good ones`() throws {
        for mode in ["none", "line", "full", "turn"] {
            try channel.configure("-buffering", mode)
            #expect(try value("-buffering") == mode)
        }
        try expectRefusal(
            "-buffering", "half",
            "bad value \"half\" for -buffering: should be one of full, line, none or turn")
    }

    // K5
    @Test(arguments: [
        ("0", "1"), ("-5", "1"), ("1", "1"), ("10", "10"), ("1000000", "1000000"),
        ("1048576", "1048576"), ("1048577", "1048576"), ("99999999", "1048576"),
    ])
    func `a size is brought into its bounds without a word`(size: String, result: String) throws {
        try channel.configure("-buffersize", size)
        #expect(try value("-buffersize") == result)
    }

    // K5
    @Test(arguments: ["abc", "", "1.5", "99999999999999999999"])
    func `a size that is no integer is refused`(size: String) throws {
        try expectRefusal(
            "-buffersize", size, "bad value \"\(size)\" for -buffersize: should be an integer")
    }

    // K6
    @Test(arguments: [
        ("binary", "binary"), ("", "binary"), ("ISO8859-1", "iso8859-1"), ("utf8", "utf-8"),
        ("Shift_JIS", "shiftjis"), ("iso2022-jp", "iso2022-jp"), ("utf-16be", "utf-16be"),
    ])
    func `an encoding is told by its one name`(name: String, canonical: String) throws {
        try channel.configure("-encoding", name)
        #expect(try value("-encoding") == canonical)
    }

    // K6
    @Test func `an unknown encoding is refused`() throws {
        try channel.configure("-encoding", "koi8-r")
        try expectRefusal(
            "-encoding", "nosuch",
            "bad value \"nosuch\" for -encoding: should be the name of an encoding")
    }

    // K7
    @Test(arguments: [
        ("\u{1A}", "\u{1A} \u{1A}"), ("\u{1A} \u{4}", "\u{1A} \u{4}"), ("{} \u{1A}", "{} \u{1A}"),
        ("\u{1A} {}", "\u{1A} {}"), ("", "{} {}"), ("{}", "{} {}"), ("{ }", "{ } { }"),
        (" ", "{} {}"), ("a", "a a"),
    ])
    func `end marks are one for both ways, or a pair`(text: String, result: String) throws {
        try channel.configure("-eofchar", "x y")
        try channel.configure("-eofchar", text)
        #expect(try value("-eofchar") == result)
    }

    // K7
    @Test func `what is told of end marks sets them again`() throws {
        for number in UInt8(1)...127 {
            let mark = Unicode.Scalar(number)
            channel.options.text.inputEndMark = mark
            channel.options.text.outputEndMark = nil
            let told = try value("-eofchar")
            try channel.configure("-eofchar", "{} {}")
            #expect(throws: Never.self, "\(number)") { try channel.configure("-eofchar", told) }
            #expect(channel.options.text.inputEndMark == mark, "\(number)")
            #expect(channel.options.text.outputEndMark == nil, "\(number)")
        }
    }

    // K7, N10
    @Test(arguments: ["\u{E9}", "ab", "\0", "\u{80}"])
    func `an end mark is one ASCII character, and not zero`(word: String) throws {
        try channel.configure("-eofchar", "x")
        try expectRefusal(
            "-eofchar", word,
            "bad value \"\(word)\" for -eofchar: should be one ASCII character from 1 to 127, "
                + "or none")
        #expect(throws: OptionError.self) { try channel.configure("-eofchar", "a b c") }
    }

    // K8, K10, N10
    @Test(arguments: [
        ("lf", "lf lf"), ("cr crlf", "cr crlf"), ("auto auto", "auto crlf"), ("auto", "auto crlf"),
        ("crlf", "crlf crlf"), ("{} lf", "cr lf"), ("lf {}", "lf cr"), ("binary", "lf lf"),
        ("platform", "lf lf"), ("auto binary", "auto lf"), ("binary {}", "lf cr"),
        ("{} binary", "cr lf"),
    ])
    func `translations are one for both ways, or a pair`(text: String, result: String) throws {
        try channel.configure("-translation", "cr")
        try channel.configure("-translation", text)
        #expect(try value("-translation") == result)
    }

    // K8
    @Test(arguments: ["bad", "lf bad", "bad lf", "lf lf lf", "", " ", "{lf", "LF", "{lf}x"])
    func `what is no translation changes neither way`(text: String) throws {
        try channel.configure("-translation", "cr crlf")
        #expect(throws: OptionError.self) { try channel.configure("-translation", text) }
        #expect(try value("-translation") == "cr crlf")
    }

    // K8
    @Test func `a bad translation is refused with the good ones`() throws {
        try expectRefusal(
            "-translation", "lf bad",
            "bad value \"bad\" for -translation: should be one of auto, binary, cr, crlf, lf or "
                + "platform")
    }

    // K11, N10
    @Test func `binary is a translation, an encoding and no end marks, until one is set`() throws {
        try channel.configure(["-eofchar": "x", "-encoding": "ascii", "-translation": "binary"])
        #expect(try value("-translation") == "lf lf")
        #expect(try value("-encoding") == "binary")
        #expect(try value("-eofchar") == "{} {}")
        try channel.configure(["-translation": "binary", "-encoding": "utf-8"])
        #expect(try value("-encoding") == "utf-8")
    }

    // K11
    @Test(arguments: [("auto binary", "\u{1A} {}"), ("binary auto", "{} \u{4}")])
    func `binary one way leaves the end mark of the other`(text: String, marks: String) throws {
        try channel.configure(["-eofchar": "\u{1A} \u{4}", "-translation": text])
        #expect(try value("-eofchar") == marks)
        #expect(try value("-encoding") == "binary")
    }
}
