// SPDX-License-Identifier: Apache-2.0
//
// What a connector sets of its channel's text: all of it before the completion has the channel, in
// the order that counts, and nothing that nobody has set (C13).

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct SettingText {
    let reactor: Reactor

    init() throws { reactor = try Reactor() }

    /// What is set beforehand in all of these tests.
    private var born: ChannelOptions {
        var options = ChannelOptions()
        options.text.encoding = .ascii
        options.text.inputTranslation = .cr
        options.text.outputTranslation = .crlf
        options.text.inputEndMark = "i"
        options.text.outputEndMark = "o"
        options.text.lineLimit = 77
        options.buffering = .line
        return options
    }

    /// The settings of both partners' channels as their completions find them.
    private func found(_ text: TextSettings) throws -> [ChannelOptions] {
        let found = Box<[ChannelOptions]>([])
        func run(_ options: ConnectorOptions) throws -> UInt16? {
            var options = options
            options.channel = born
            options.text = text
            return try Connector(on: reactor, options: options).connect { result in
                guard case .success(let channel) = result else { return wrongly() }
                found.value.append(channel.options)
                channel.abort()
            }
        }
        let port = try run(.waiting)
        _ = try run(.going(to: port))
        reactor.expect("both have come to an end") { found.value.count == 2 }
        return found.value
    }

    // C13
    @Test func `what is set holds before the completion, and the rest is left alone`() throws {
        var text = TextSettings()
        text.encoding = .latin1
        text.inputEndMark = "\u{1A}"
        var expected = born
        expected.text.encoding = .latin1
        expected.text.inputEndMark = "\u{1A}"
        #expect(try found(text) == [expected, expected])
    }

    // C13
    @Test func `where nothing is set nothing changes`() throws {
        #expect(try found(TextSettings()) == [born, born])
    }

    // C13
    @Test func `every setting has its own effect`() throws {
        var text = TextSettings()
        text.inputTranslation = .crlf
        text.outputTranslation = .cr
        text.encoding = .utf16BigEndian
        text.inputEndMark = "I"
        text.outputEndMark = "O"
        var expected = born
        expected.text.inputTranslation = .crlf
        expected.text.outputTranslation = .cr
        expected.text.encoding = .utf16BigEndian
        expected.text.inputEndMark = "I"
        expected.text.outputEndMark = "O"
        #expect(try found(text) == [expected, expected])
    }

    // C13
    @Test func `binary comes first, and encoding and end marks after it`() throws {
        var binary = born
        binary.text.makeBinary()
        #expect(try found(.binary) == [binary, binary])
        var text = TextSettings.binary
        text.encoding = .utf8
        text.outputTranslation = .crlf
        text.inputEndMark = "!"
        var expected = binary
        expected.text.encoding = .utf8
        expected.text.outputTranslation = .crlf
        expected.text.inputEndMark = "!"
        #expect(try found(text) == [expected, expected])
        // As Tcl has it: `-translation binary -encoding utf-8`.
        var inTcl = ChannelOptions()
        try inTcl.configure("-translation", "binary")
        try inTcl.configure("-encoding", "utf-8")
        var inSwift = TextOptions()
        var same = TextSettings.binary
        same.encoding = .utf8
        same.apply(to: &inSwift)
        #expect(inSwift == inTcl.text)
    }

    // C13
    @Test func `what came before the completion is read as the settings say`() throws {
        var options = ConnectorOptions.waiting
        options.text.encoding = .utf16LittleEndian
        options.text.inputEndMark = "\u{1A}"
        let run = ConnectorRun(on: reactor, options)
        try run.start()
        let peer = try Socket.connecting(to: .loopback(port: run.port ?? 0))
        try peer.sendAll("a\0\n\0b\0")
        let channel = try run.opened()
        let lines = Box<[String]>([])
        channel.onLine { _, line in lines.value.append(line) }
        reactor.expect("the line") { lines.value == ["a"] }
        channel.close()
    }
}
