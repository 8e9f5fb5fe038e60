// SPDX-License-Identifier: Apache-2.0
//
// Blocking channels give all or an error, and send all, whatever their limits.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct WaitingWhole {
    // A10
    @Test func `a text that can't be decoded is not given in part`() throws {
        try withClient { (client) throws in
            try client.write(Array("good".utf8) + [0xFF] + Array("more".utf8))
        } serving: { (channel) throws in
            let error = #expect(throws: ChannelError.self) { try channel.readTextAndClose() }
            #expect(error == .text(.undecodable([0xFF], .utf8), at: "\(channel.peerAddress)"))
            #expect(channel.status == .closed)
        }
    }

    // A10
    @Test func `a channel that does not wait gives no text in part`() throws {
        let ends = try DrivenEnds(.reactor)
        try ends.send("a\nb")
        let error = ChannelError.socket(
            SocketError(.read, .wouldBlock, at: ends.channel.peerAddress))
        #expect(throws: error) { try ends.channel.readLinesAndClose() }
        #expect(ends.channel.status == .closed)
    }

    // K3, K13
    @Test func `what was written before a channel blocks does not wait for its turn`() throws {
        let reactor = try Reactor()
        let ends = try ConnectionEnds(on: reactor)
        var answer: String?
        ends.channel.onReadable { [unowned ends] channel in
            _ = try channel.readLine()
            try channel.writeLine("question")
            channel.options.isBlocking = true
            #expect(try ends.peer?.receiveNow()?.text == "question\n")
            try ends.peer?.sendAll("answer\n")
            answer = try channel.readLine()
        }
        try ends.peer?.sendAll("begin\n")
        reactor.expect("the answer") { answer == "answer" }
    }

    // K13
    @Test func `a write above every limit waits`() throws {
        var options = ChannelOptions()
        options.outputLimit = 1_000
        for encoding in ["utf-8", "iso2022-jp"] {
            options.text.encoding = try TextEncoding(named: encoding)
            try withClient(options: options) { (client) throws in
                let count = try client.countToEnd()
                #expect(count == 3_000_000)
            } serving: { (channel) throws in
                try channel.write(String(repeating: "x", count: 3_000_000))
                channel.close()
            }
        }
    }

    // K20, K23
    @Test func `a channel that nobody holds any more sends what it held back`() throws {
        let server = try ServerSocket(at: .loopback(port: 0))
        func write() throws {
            var options = ClientOptions()
            options.channel = .tcl
            options.channel.text.outputEndMark = "!"
            let channel = try Channel.connected(to: server.address, options: options)
            try channel.write("held")
        }
        try write()
        let channel = try server.accept()
        #expect(try channel.readTextAndClose() == "held!")
    }

    // MARK: Silent peers

    @Test(arguments: [Driving.blocking, .alone])
    func `a wait for a silent peer ends by the idle limit, and the channel with it`(
        driving: Driving
    ) throws {
        let ends = try DrivenEnds(driving)
        ends.channel.options.idleTimeout = .milliseconds(20)
        try ends.send("hello\npar")
        #expect(try ends.channel.readLine() == "hello")
        let start = ContinuousClock.now
        let peer = ends.channel.peerAddress
        let error = ChannelError.socket(SocketError(.read, .timedOut, at: peer))
        #expect(throws: error) { try ends.channel.readLine() }
        #expect(ContinuousClock.now - start >= .milliseconds(20))
        #expect(ends.channel.endReason == .timedOut(.idle))
        #expect(ends.channel.status == .closed)
    }

    @Test func `a peer that takes nothing ends a write by the idle limit`() throws {
        let ends = try DrivenEnds(.alone)
        ends.channel.options.idleTimeout = .milliseconds(20)
        let error = #expect(throws: SocketError.self) {
            try ends.channel.write([UInt8](repeating: 1, count: 50_000_000))
        }
        #expect(error == SocketError(.write, .timedOut, at: ends.channel.peerAddress))
        #expect(ends.channel.status == .closed)
    }
}
