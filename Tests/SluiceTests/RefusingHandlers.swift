// SPDX-License-Identifier: Apache-2.0
//
// Handlers for a direction that a channel does not have any more: there is nothing that they could
// be told (K24).

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct RefusingHandlers: ConnectionSuite {
    let ends: ConnectionEnds

    // K24
    @Test func `no writable handler can be installed once the writing side is closed`() throws {
        try channel.closeWriting()
        channel.onWritable { _ in wrongly() }
        #expect(channel.handled == [])
        reactor.settle()
    }

    // K24
    @Test func `nor while the queue of a closed writing side still goes out`() throws {
        try ends.fill()
        try channel.closeWriting()
        channel.onWritable { _ in wrongly() }
        #expect(channel.handled == [])
        _ = try ends.receiveAll()
        reactor.settle()
    }

    // K24
    @Test func `no reader can be installed once the reading side is closed`() throws {
        try channel.closeReading()
        channel.onReadable { _ in wrongly() }
        #expect(channel.handled == [])
        channel.onBytes { _, _ in wrongly() }
        #expect(channel.handled == [])
        channel.onLine { _, _ in wrongly() }
        #expect(channel.handled == [])
        try ends.peer?.sendAll("x\n")
        reactor.settle()
        #expect(channel.status == .halfClosed)
    }

    // K24
    @Test func `a channel that stands alone calls no handler`() throws {
        let lone = try LoneTCPEnds()
        lone.channel.onReadable { _ in wrongly() }
        lone.channel.onWritable { _ in wrongly() }
        try lone.peer?.socket.sendAll("x")
        try lone.channel.write("y")
        #expect(try lone.channel.read(characters: 1) == "x")
        lone.channel.close()
    }
}
