// SPDX-License-Identifier: Apache-2.0
//
// What a handler of lines may do in the middle of a batch, and how a batch is cut short.
// Nothing of the rest is lost, and nothing comes twice.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct LineHandlerTurns: ConnectionSuite {
    let ends: ConnectionEnds

    private func send(_ text: String) throws { try ends.peer?.sendAll(text) }

    /// What has come before the batch: nothing, or the beginning of its first line.
    static let beginnings = ["", "be"]

    /// Has the batch `be`, `c`, `d`, `e` and the beginning `f` come after a beginning; the handler
    /// does this after the first line, and nothing special later.
    private func batch(
        after beginning: String, then change: @escaping (Channel) throws -> Void
    ) throws -> Heard {
        let heard = Heard(channel, reactor)
        channel.onLine { channel, line in
            heard.lines.append(line)
            if heard.lines.count == 1 { try change(channel) }
        }
        if !beginning.isEmpty {
            try send(beginning)
            reactor.settle()
        }
        try send("\("be".dropFirst(beginning.count))\nc\nd\ne\nf")
        reactor.settle()
        return heard
    }

    // MARK: Pausing

    // K15
    @Test(arguments: beginnings)
    func `a pause keeps the rest for later`(_ beginning: String) throws {
        let heard = try batch(after: beginning) { $0.pauseReading() }
        #expect(heard.lines == ["be"])
        #expect(channel.unreadByteCount == 7)
        channel.resumeReading()
        reactor.settle()
        #expect(heard.lines == ["be", "c", "d", "e"])
        try send("\n")
        reactor.settle()
        #expect(heard.lines == ["be", "c", "d", "e", "f"])
    }

    // K15
    @Test func `a pause at every line loses none, and the end is told after the last`() throws {
        let heard = Heard(channel, reactor)
        channel.onLine { channel, line in
            heard.lines.append(line)
            channel.pauseReading()
        }
        channel.onInputEnd { _ in heard.ends += 1 }
        try send("a\nb\r\nc\ntail")
        ends.peer = nil
        for count in 1...4 {
            reactor.settle()
            #expect(heard.lines.count == count)
            #expect(heard.ends == 0)
            channel.resumeReading()
        }
        reactor.settle()
        #expect(heard.lines == ["a", "b", "c", "tail"])
        #expect(heard.ends == 1)
    }

    // MARK: Closing

    // K15
    @Test(arguments: beginnings)
    func `no line follows a close`(_ beginning: String) throws {
        let heard = try batch(after: beginning) { $0.close() }
        #expect(heard.lines == ["be"])
        #expect(heard.reasons == [.local])
        #expect(channel.unreadByteCount == 0)
    }

    // K15
    @Test(arguments: beginnings)
    func `no line follows an abort`(_ beginning: String) throws {
        let heard = try batch(after: beginning) { $0.abort() }
        #expect(heard.lines == ["be"])
        #expect(heard.reasons == [.local])
    }

    // K15
    @Test(arguments: beginnings)
    func `no line follows a close of the reading side`(_ beginning: String) throws {
        let heard = try batch(after: beginning) { try $0.closeReading() }
        #expect(heard.lines == ["be"])
        #expect(channel.unreadByteCount == 0)
        #expect(channel.status == .halfClosed)
    }

    // MARK: Giving way

    // K15
    @Test(arguments: beginnings)
    func `another handler of lines goes on with the next one`(_ beginning: String) throws {
        let others = Box<[String]>([])
        let heard = try batch(after: beginning) { $0.onLine { others.value.append($1) } }
        #expect(heard.lines == ["be"])
        #expect(others.value == ["c", "d", "e"])
    }

    // K15, K27
    @Test(arguments: beginnings)
    func `a handler that reads by itself hears of the rest`(_ beginning: String) throws {
        let others = Box<[String]>([])
        let heard = try batch(after: beginning) {
            $0.onReadable { if let line = try $0.readLine() { others.value.append(line) } }
        }
        #expect(heard.lines == ["be"])
        #expect(others.value == ["c", "d", "e"])
    }

    // K15
    @Test(arguments: beginnings)
    func `a handler of bytes is given the rest`(_ beginning: String) throws {
        let bytes = Box("")
        let heard = try batch(after: beginning) { $0.onBytes { bytes.value += $1.text } }
        #expect(heard.lines == ["be"])
        #expect(bytes.value == "c\nd\ne\nf")
    }

    // K15
    @Test(arguments: beginnings)
    func `without a handler the rest stays`(_ beginning: String) throws {
        let heard = try batch(after: beginning) { $0.onLine(nil) }
        #expect(heard.lines == ["be"])
        #expect(channel.unreadByteCount == 7)
        let later = Box<[String]>([])
        channel.onLine { later.value.append($1) }
        reactor.settle()
        #expect(later.value == ["c", "d", "e"])
    }

    // MARK: Reading on

    // K15
    @Test(arguments: beginnings)
    func `the rest counts as unread while the handler runs`(_ beginning: String) throws {
        _ = try batch(after: beginning) { #expect($0.unreadByteCount == 7) }
        #expect(channel.unreadByteCount == 1)
    }

    // K15, A13
    @Test(arguments: beginnings)
    func `a handler may look at the rest`(_ beginning: String) throws {
        let seen = Box("")
        let heard = try batch(after: beginning) { seen.value = try $0.peekText() }
        #expect(seen.value == "c\nd\ne\nf")
        #expect(heard.lines == ["be", "c", "d", "e"])
    }

    // K15
    @Test(arguments: beginnings)
    func `a handler may read the next line itself`(_ beginning: String) throws {
        let heard = try batch(after: beginning) { channel in
            let line = try channel.readLine()
            #expect(line == "c")
        }
        #expect(heard.lines == ["be", "d", "e"])
        try send("\n")
        reactor.settle()
        #expect(heard.lines == ["be", "d", "e", "f"])
    }

    // K15
    @Test(arguments: beginnings)
    func `a handler may read all lines that are there`(_ beginning: String) throws {
        let heard = try batch(after: beginning) {
            #expect(Array($0.lines) == ["c", "d", "e"])
        }
        #expect(heard.lines == ["be"])
        try send("\n")
        reactor.settle()
        #expect(heard.lines == ["be", "f"])
    }

    // K15, K17
    @Test(arguments: beginnings)
    func `a handler may read characters`(_ beginning: String) throws {
        let heard = try batch(after: beginning) { channel in
            let text = try channel.read(characters: 3)
            #expect(text == "c\nd")
        }
        #expect(heard.lines == ["be", "", "e"])
    }

    // K15
    @Test(arguments: beginnings)
    func `a handler may read bytes`(_ beginning: String) throws {
        let heard = try batch(after: beginning) { channel in
            let text = try channel.readBytes(upTo: 5).text
            #expect(text == "c\nd\ne")
        }
        #expect(heard.lines == ["be", ""])
    }

    // K15
    @Test(arguments: beginnings)
    func `a handler may parse`(_ beginning: String) throws {
        let heard = try batch(after: beginning) { channel in
            let result = try channel.parse { _ in 4 }
            #expect(result == .bytes(4))
        }
        #expect(heard.lines == ["be", "e"])
    }

    // K15
    @Test func `another channel that is read in the handler does not disturb the rest`() throws {
        let ends = try DrivenEnds(on: reactor)
        let other = ends.channel
        try ends.send("other\n" + String(repeating: "x", count: 100))
        let heard = try batch(after: "") { _ in
            let line = try other.readLine()
            #expect(line == "other")
        }
        #expect(heard.lines == ["be", "c", "d", "e"])
        other.close()
    }

    // MARK: Changing settings

    // K15
    @Test(arguments: beginnings)
    func `another translation holds from the next line`(_ beginning: String) throws {
        let heard = try batch(after: beginning) { $0.options.text.inputTranslation = .cr }
        #expect(heard.lines == ["be"])
        try send("\r")
        reactor.settle()
        #expect(heard.lines == ["be", "c\nd\ne\nf"])
    }

    // K15
    @Test(arguments: ["a", "\u{E4}"])
    func `another encoding holds from the next line`(_ first: String) throws {
        let heard = Heard(channel, reactor)
        channel.onLine { channel, line in
            heard.lines.append(line)
            channel.options.text.encoding = heard.lines.count == 1 ? .latin1 : .utf8
        }
        let bytes = Array("\(first)\n".utf8) + [0xE4, 0x0A, 0xC3, 0xA4, 0x0A]
        try ends.peer?.sendAll(bytes)
        reactor.settle()
        #expect(heard.lines == [first, "\u{E4}", "\u{E4}"])
    }

    // K15
    @Test(arguments: beginnings)
    func `another limit holds from the next line`(_ beginning: String) throws {
        let heard = try batch(after: beginning) { $0.options.text.lineLimit = 0 }
        #expect(heard.lines == ["be"])
        #expect(heard.reasons == [.limit(.line)])
    }

    // K15
    @Test(arguments: beginnings)
    func `an end mark that is set holds from the next line`(_ beginning: String) throws {
        let heard = try batch(after: beginning) { $0.options.text.inputEndMark = "d" }
        #expect(heard.lines == ["be", "c"])
        #expect(heard.reasons.count == 1)
    }

    // MARK: Turns within turns

    // K15
    @Test(arguments: beginnings, [true, false])
    func `a handler that runs the reactor loses no line of its batch`(
        _ beginning: String, endsThere: Bool
    ) throws {
        let heard = try batch(after: beginning) { [unowned ends] channel in
            if endsThere { ends.peer = nil } else { try ends.peer?.sendAll("g\n") }
            let reactor = try channel.reactor
            for _ in 0..<4 { reactor.runPending() }
        }
        reactor.settle()
        #expect(heard.lines == ["be", "c", "d", "e"] + (endsThere ? ["f"] : ["fg"]))
        #expect(heard.errors.isEmpty)
        #expect(heard.reasons == (endsThere ? [.finished] : []))
    }
}
