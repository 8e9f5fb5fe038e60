// SPDX-License-Identifier: Apache-2.0
//
// When a channel is readable or writable, and its handler called for it (K27, K28).

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct BecomingReady: ConnectionSuite {
    let ends: ConnectionEnds

    // MARK: K27, readable

    @Test func `a channel is readable for as long as bytes wait`() throws {
        let calls = Box(0)
        let text = Box("")
        channel.onReadable { channel in
            calls.value += 1
            if calls.value > 3 { try channel.read { text.value += $0.text } }
        }
        try ends.peer?.sendAll("abc")
        reactor.expect("the bytes are read") { text.value == "abc" }
        let before = calls.value
        reactor.settle()
        #expect(calls.value == before)
    }

    @Test func `bytes that were read and left count as readable`() throws {
        let text = Box("")
        channel.onReadable { channel in
            // The parser leaves all; reading one byte says that the rest is wanted after all.
            if channel.unreadByteCount == 0 { try channel.parse { _ in 0 } }
            try channel.read(upTo: 1) { text.value += $0.text }
        }
        try ends.peer?.sendAll("abc")
        reactor.settle()
        #expect(text.value == "abc")
    }

    @Test func `bytes that were left count as readable also after a read outside the handler`()
        throws
    {
        let calls = Box(0)
        channel.onReadable { channel in
            calls.value += 1
            try channel.parse { _ in 0 }
        }
        try ends.peer?.sendAll("abc")
        reactor.settle()
        #expect(calls.value == 1)
        try channel.read(upTo: 1) { #expect($0.text == "a") }
        reactor.settle()
        #expect(calls.value == 2)
    }

    @Test func `an incomplete message keeps quiet until more bytes come`() throws {
        let seen = Box<[String]>([])
        channel.onReadable { channel in
            try channel.parse { bytes in
                seen.value.append(bytes.text)
                return bytes.text.hasSuffix("\n") ? bytes.byteCount : 0
            }
        }
        try ends.peer?.sendAll("he")
        reactor.settle()
        #expect(seen.value == ["he"])
        try ends.peer?.sendAll("llo\n")
        reactor.settle()
        #expect(seen.value == ["he", "hello\n"])
        #expect(channel.unreadByteCount == 0)
    }

    @Test func `a handler installed on an incomplete message is not called for it`() throws {
        try ends.peer?.sendAll("he")
        try channel.parse { _ in 0 }
        let calls = Box(0)
        channel.onReadable { _ in calls.value += 1 }
        reactor.settle()
        #expect(calls.value == 0)
    }

    @Test func `the end of the input is readable again and again until it is dealt with`() {
        let calls = Box(0)
        channel.onReadable { channel in
            calls.value += 1
            let result = try channel.read { _ in }
            #expect(result == .endOfStream)
        }
        ends.peer = nil
        reactor.settle(passes: 10)
        #expect(calls.value >= 9)
        #expect(channel.status == .peerClosed)
    }

    @Test func `a reset is readable again and again until it is dealt with`() throws {
        let calls = Box(0)
        channel.onReadable { channel in
            calls.value += 1
            let result = try channel.read { _ in }
            #expect(result == .endOfStream)
        }
        try ends.resetByPeer()
        reactor.settle(passes: 10)
        #expect(calls.value >= 9)
        #expect(channel.endReason == .reset)
    }

    @Test func `a failed write makes the channel readable`() throws {
        var told: [String] = []
        let calls = Box(0)
        try ends.resetByPeer()
        try channel.write(text: "lost")
        reactor.runPending()
        channel.onReadable { channel in
            calls.value += 1
            channel.onReadable(nil)
        }
        reactor.settle()
        #expect(calls.value == 1)
        do { try channel.read { _ in } } catch { told.append("\(error)") }
        #expect(told.count == 1)
    }

    // MARK: K28, writable

    // K28
    @Test func `an idle channel is writable again and again`() {
        let calls = Box(0)
        channel.onWritable { _ in calls.value += 1 }
        reactor.settle(passes: 10)
        #expect(calls.value >= 9)
    }

    // K28
    @Test func `the writable handler is held back while output is queued`() throws {
        let calls = Box(0)
        let count = try ends.fill()
        channel.onWritable { channel in
            calls.value += 1
            #expect(channel.unsentByteCount == 0)
        }
        reactor.settle()
        #expect(calls.value == 0)
        #expect(try ends.receive(count).count == count)
        reactor.expect("the channel is writable") { calls.value > 0 }
    }

    // K28
    @Test func `an error makes the channel writable`() throws {
        let calls = Box(0)
        try ends.fill()
        channel.onWritable { channel in
            calls.value += 1
            channel.close()
        }
        try ends.resetByPeer()
        reactor.expect("the handler is called") { calls.value == 1 }
        reactor.settle()
        #expect(ends.endReasons == [.reset])
    }
}
