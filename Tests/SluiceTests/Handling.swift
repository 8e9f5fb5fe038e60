// SPDX-License-Identifier: Apache-2.0
//
// Handlers of a channel: one of each, the newest first, each taken away at will (K24, K30).

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct Handling: ConnectionSuite {
    let ends: ConnectionEnds

    // MARK: K24, one of each

    // K24
    @Test func `a channel is born without handlers`() {
        #expect(channel.handled == [])
    }

    // K24
    @Test func `handled tells which handlers are installed`() {
        channel.onReadable { _ in }
        #expect(channel.handled == .readable)
        channel.onWritable { _ in }
        channel.onPeerClosed { _ in }
        #expect(channel.handled == [.readable, .writable, .peerClosed])
        channel.onReadable(nil)
        #expect(channel.handled == [.writable, .peerClosed])
        channel.onBytes { _, _ in }
        channel.onWritable(nil)
        channel.onPeerClosed(nil)
        #expect(channel.handled == .readable)
    }

    // K24
    @Test func `a second readable handler replaces the first`() throws {
        let calls = Box("")
        channel.onReadable { _ in calls.value += "1" }
        channel.onReadable { channel in
            calls.value += "2"
            try channel.read { _ in }
        }
        try ends.peer?.sendAll("x")
        reactor.expect("the handler is called") { !calls.value.isEmpty }
        #expect(calls.value == "2")
    }

    // K24
    @Test func `a second writable handler replaces the first`() {
        let calls = Box("")
        channel.onWritable { _ in calls.value += "1" }
        channel.onWritable { channel in
            calls.value += "2"
            channel.onWritable(nil)
        }
        reactor.settle()
        #expect(calls.value == "2")
    }

    @Test func `onBytes replaces onReadable`() throws {
        let calls = Box("")
        channel.onReadable { _ in calls.value += "readable" }
        channel.onBytes { _, bytes in calls.value += bytes.text }
        try ends.peer?.sendAll("x")
        reactor.settle()
        #expect(calls.value == "x")
    }

    @Test func `onReadable replaces onBytes`() throws {
        let calls = Box("")
        channel.onBytes { _, _ in calls.value += "bytes" }
        channel.onReadable { channel in try channel.read { calls.value += $0.text } }
        try ends.peer?.sendAll("x")
        reactor.settle()
        #expect(calls.value == "x")
    }

    // K24
    @Test func `a handler that was taken away is not called`() throws {
        let calls = Box(0)
        channel.onReadable { _ in calls.value += 1 }
        channel.onWritable { _ in calls.value += 1 }
        channel.onReadable(nil)
        channel.onWritable(nil)
        try ends.peer?.sendAll("x")
        reactor.settle()
        #expect(calls.value == 0)
    }

    // K24
    @Test func `taking the readable handler away leaves the writable one`() throws {
        let calls = Box("")
        channel.onReadable { _ in calls.value += "r" }
        channel.onWritable { channel in
            calls.value += "w"
            channel.onWritable(nil)
        }
        channel.onReadable(nil)
        try ends.peer?.sendAll("x")
        reactor.settle()
        #expect(calls.value == "w")
    }

    // MARK: K30, order

    /// Installs both handlers, the newer one last, and has both be called for.
    private func call(
        _ readable: @escaping (Channel) throws -> Void,
        _ writable: @escaping (Channel) throws -> Void, writableIsNewer: Bool
    ) throws {
        if !writableIsNewer { channel.onWritable(writable) }
        channel.onReadable(readable)
        if writableIsNewer { channel.onWritable(writable) }
        try ends.peer?.sendAll("x")
        reactor.settle()
    }

    // K30
    @Test func `the newer handler runs first`() throws {
        for writableIsNewer in [true, false] {
            let order = Box("")
            let readable = { (channel: Channel) in
                order.value += "r"
                try channel.read { _ in }
                channel.onReadable(nil)
            }
            let writable = { (channel: Channel) in
                order.value += "w"
                channel.onWritable(nil)
            }
            try call(readable, writable, writableIsNewer: writableIsNewer)
            #expect(order.value == (writableIsNewer ? "wr" : "rw"))
        }
    }

    // K30
    @Test func `taking the other handler away from inside prevents it in the same pass`() throws {
        for writableIsNewer in [true, false] {
            let order = Box("")
            let readable = { (channel: Channel) in
                order.value += "r"
                channel.onWritable(nil)
                try channel.read { _ in }
            }
            let writable = { (channel: Channel) in
                order.value += "w"
                channel.onReadable(nil)
                channel.onWritable(nil)
            }
            try call(readable, writable, writableIsNewer: writableIsNewer)
            #expect(order.value == (writableIsNewer ? "w" : "r"))
            try channel.read { _ in }
            channel.onReadable(nil)
        }
    }
}
