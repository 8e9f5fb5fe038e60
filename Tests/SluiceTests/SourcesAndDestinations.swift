// SPDX-License-Identifier: Apache-2.0
//
// What transfers send and fill: what is wrong with it beforehand, and what comes of it (N51).

import Glibc
import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct SourcesAndDestinations {
    let reactor: Reactor
    let folder: TemporaryFolder
    let path: String

    init() throws {
        reactor = try Reactor()
        folder = try TemporaryFolder()
        path = try folder.write(Array("0123456789".utf8))
    }

    private func wrong(source: TransferSource) -> TransferError? {
        refusal { () throws(TransferError) in try source.check() }
    }

    private func wrong(destination: TransferDestination) -> TransferError? {
        refusal { () throws(TransferError) in try destination.check() }
    }

    // MARK: What is wrong beforehand

    // N51
    @Test func `sources that have what is asked for are fine`() throws {
        let ends = try ConnectionEnds(on: reactor)
        let fine: [TransferSource] = [
            .bytes([]), .bytes([1, 2]), .bytes([1, 2], size: 2), .bytes([1], size: 0), .text(""),
            .text("日本", size: 2), .file(path), .file(path, size: 10), .file(path, from: 10),
            .file(path, from: 3, size: 7), .channel(ends.channel), .channel(ends.channel, size: 9),
        ]
        for source in fine { #expect(wrong(source: source) == nil) }
    }

    // N51
    @Test func `a source says why it can't be sent`() throws {
        #expect(wrong(source: .bytes([1, 2], size: 3)) == .notEnough(asked: 3, there: 2))
        #expect(wrong(source: .text("日本", size: 3)) == .notEnough(asked: 3, there: 2))
        let files: [(TransferSource, String, ErrorCode)] = [
            (.file(folder["none"]), folder["none"], .noEntry),
            (.file(folder.path), folder.path, .notSupported),
            (.file("/dev/null"), "/dev/null", .notSupported),
            (.file(""), "", .noEntry),
            (.file("\(path)\0x"), "\(path)\0x", .invalidArgument),
            (.file(path, from: 11), path, .invalidArgument),
            (.file(path, from: -1), path, .invalidArgument),
            (.file(path, size: 11), path, .noData),
            (.file(path, from: 5, size: 6), path, .noData),
        ]
        for (source, path, code) in files {
            #expect(wrong(source: source) == .source(.file(path: path, code)))
        }
        let ends = try ConnectionEnds(on: reactor)
        ends.channel.close()
        let closed = SocketError(.read, .badDescriptor, at: ends.channel.peerAddress)
        #expect(wrong(source: .channel(ends.channel)) == .source(.socket(closed)))
    }

    // N51
    @Test func `a size below 0 is none`() {
        #expect(TransferSource.bytes([1], size: -1).size == 0)
        #expect(TransferDestination.bytes(upTo: 1, size: .min).size == 0)
    }

    // N51
    @Test func `destinations that may be filled are fine, and stay as they are`() throws {
        let ends = try ConnectionEnds(on: reactor)
        let new = folder["new"]
        let fine: [TransferDestination] = [
            .bytes(upTo: 0), .bytes(upTo: .max, size: 5), .file(path), .file(path, from: 10),
            .file(path, from: 4), .file(new, size: 3), .channel(ends.channel),
        ]
        for destination in fine { #expect(wrong(destination: destination) == nil) }
        #expect(folder.names == ["file"])
        #expect(folder.read()?.text == "0123456789")
    }

    // N51
    @Test func `a destination says why it can't be filled`() throws {
        let cases: [(TransferDestination, String, ErrorCode)] = [
            (.file("\(folder.path)/no/file"), "\(folder.path)/no/file", .noEntry),
            (.file("/dev/null"), "/dev/null", .notSupported),
            (.file(""), "", .noEntry),
            (.file("\(path)\0x"), "\(path)\0x", .invalidArgument),
            (.file(path, from: 11), path, .invalidArgument),
            (.file(path, from: -1), path, .invalidArgument),
            (.file(folder["none"], from: 1), folder["none"], .noEntry),
            (.file(folder.path), folder.path, ErrorCode(rawValue: EISDIR)),
        ]
        for (destination, path, code) in cases {
            #expect(wrong(destination: destination) == .destination(.file(path: path, code)))
        }
        let negative = SocketError(.write, .invalidArgument)
        #expect(wrong(destination: .bytes(upTo: -1)) == .destination(.socket(negative)))
        let small = SocketError(.write, .noBufferSpace)
        #expect(wrong(destination: .bytes(upTo: 4, size: 5)) == .destination(.socket(small)))
        let ends = try ConnectionEnds(on: reactor)
        ends.channel.close()
        let closed = SocketError(.write, .badDescriptor, at: ends.channel.peerAddress)
        #expect(wrong(destination: .channel(ends.channel)) == .destination(.socket(closed)))
    }

    // N51
    @Test func `channels of another reactor are refused`() throws {
        let other = try ConnectionEnds(on: Reactor())
        let elsewhere = SocketError(.perform, .invalidArgument, at: other.channel.peerAddress)
        let sender = TransferEnd(on: reactor, sending: .channel(other.channel), .waiting)
        #expect(
            refusal { () throws(TransferError) in try sender.start() }
                == .source(.socket(elsewhere)))
        let destination = TransferDestination.channel(other.channel)
        let receiver = TransferEnd(on: reactor, receiving: destination, .waiting)
        #expect(
            refusal { () throws(TransferError) in try receiver.start() }
                == .destination(.socket(elsewhere)))
    }

    // MARK: What comes of it

    /// Has a destination filled by a partner that sends this and closes.
    private func fill(_ destination: TransferDestination, _ text: String) throws -> Told {
        let end = TransferEnd(on: reactor, receiving: destination, .waiting)
        let peer = try end.startWithPeer()
        try peer.sendAll(text)
        try peer.shutDown(.writing)
        end.waitForEnd()
        return end.told
    }

    // N51
    @Test(arguments: [0, 1, 10])
    func `bytes are collected`(count: Int) throws {
        let text = String(repeating: "x", count: count)
        let told = try fill(.bytes(upTo: 10), text)
        told.expect(count)
        #expect(told.results.first?.bytes == Array(text.utf8))
    }

    // N51
    @Test func `more bytes than the limit are an error, and those within it are there`() throws {
        let told = try fill(.bytes(upTo: 4), "abcde")
        told.expect(4, .destination(.socket(SocketError(.write, .noBufferSpace))))
        #expect(told.results.first?.bytes.text == "abcd")
    }

    // N51
    @Test(arguments: [("new", 0, "abc"), ("file", 0, "abc"), ("file", 4, "0123abc")])
    func `a file is made, emptied or continued`(
        name: String, offset: Int, expected: String
    ) throws {
        try fill(.file(folder[name], from: offset), "abc").expect(3)
        #expect(folder.read(name)?.text == expected)
    }

    // N51
    @Test func `a file is not touched before there is a connection`() throws {
        let receiver = TransferEnd(on: reactor, receiving: .file(path), .waiting)
        try receiver.start()
        reactor.settle()
        receiver.cancel()
        #expect(folder.read()?.text == "0123456789")
    }

    // N51
    @Test func `a channel is filled, and stays open`() throws {
        let ends = try ConnectionEnds(on: reactor)
        try fill(.channel(ends.channel), "a\r\nb").expect(4)
        #expect(try ends.receive(4).text == "a\r\nb")
        try ends.channel.write("c")
        #expect(try ends.receive(1).text == "c")
    }

    // N51
    @Test func `a promised size ends what is taken`() throws {
        let told = try fill(.bytes(upTo: 10, size: 3), "abcdef")
        told.expect(3)
        #expect(told.results.first?.bytes.text == "abc")
    }

    // N51
    @Test func `less than the promised size is an error, and is there`() throws {
        let told = try fill(.file(path, size: 4), "abc")
        told.expect(3, .cutShort(promised: 4, came: 3))
        #expect(told.error?.description == "the input has ended after 3 of 4")
        #expect(folder.read()?.text == "abc")
    }

    // N51
    @Test func `a channel is sent from where it is, every other source from its start`() throws {
        let ends = try ConnectionEnds(on: reactor, options: .binary)
        try ends.peer?.sendAll("firstsecond")
        let ways: [(TransferSource, [String])] = [
            (.channel(ends.channel, size: 5), ["first", "secon"]),
            (.file(path, from: 7), ["789", "789"]), (.text("same"), ["same", "same"]),
        ]
        for (source, expected) in ways {
            let sender = TransferEnd(on: reactor, sending: source, .waiting)
            for text in expected {
                sender.told.results = []
                let peer = try sender.startWithPeer()
                var got: [UInt8] = []
                reactor.expect("all has come") {
                    got += (try? peer.receiveNow()) ?? []
                    return got.count == text.utf8.count
                }
                #expect(got.text == text)
                try peer.close()
                sender.waitForEnd()
                sender.told.expect(text.utf8.count)
            }
        }
    }

    // MARK: From a channel

    // N51
    @Test func `a channel is copied into memory, and stays open`() throws {
        let ends = try ConnectionEnds(on: reactor, options: .binary)
        let told = Told()
        try ends.channel.copy(
            to: .bytes(upTo: 10, size: 3), progress: told.piece, completion: told.end)
        try ends.peer?.sendAll("abcd")
        reactor.expect("the end") { told.isOver }
        told.expect(3)
        #expect(told.results.first?.bytes.text == "abc")
        #expect(told.steps == [3])
        #expect(try ends.channel.read(characters: 1) == "d")
    }

    // N51
    @Test func `a channel that can't be read makes no file`() throws {
        let ends = try ConnectionEnds(on: reactor, options: .binary)
        ends.channel.close()
        let refused = refusal { () throws(TransferError) in
            try ends.channel.copy(to: .file(folder["new"])) { _ in wrongly() }
        }
        let closed = SocketError(.read, .badDescriptor, at: ends.channel.peerAddress)
        #expect(refused == .source(.socket(closed)))
        #expect(folder.read("new") == nil)
    }
}
