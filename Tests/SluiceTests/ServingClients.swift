// SPDX-License-Identifier: Apache-2.0
//
// Both sides of a connection as a program sees them: servers at one address or all, what they are
// told of their clients, and channels that do the same on either side (T1, T3, T13 to T23).

import Glibc
import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct ServingClients {
    let reactor: Reactor

    init() throws { reactor = try Reactor() }

    /// Both channels of one connection: the client's and the server's.
    private func connected(
        _ clientOptions: ClientOptions = .init(), _ serverOptions: ServerOptions = .init()
    ) throws -> (client: Channel, accepted: Channel) {
        let accepted = Box<Channel?>(nil)
        let server = try Server(on: reactor, at: [.loopback(port: 0)], options: serverOptions) {
            channel, _ in
            accepted.value = channel
        }
        let client = try Client(on: reactor, options: clientOptions).open(server.address)
        reactor.expect("both are open") { client.status == .open && accepted.value != nil }
        server.close()
        return (client, try #require(accepted.value))
    }

    // MARK: Either side

    // T1, T21, T30, W32
    @Test func `either side of a connection does all that a channel does`() throws {
        for isSwapped in [false, true] {
            let pair = try connected()
            let (mine, other) = isSwapped ? (pair.accepted, pair.client) : pair
            let lines = Box<[String?]>([])
            let writable = Box(0)
            // Handlers, options, lines, characters, the rest: each once.
            try mine.configure("-translation", "crlf")
            #expect(try mine.configuration(of: "-translation").contains("crlf"))
            mine.onWritable { channel in
                writable.value += 1
                channel.onWritable(nil)
            }
            other.onReadable { channel in lines.value.append(try channel.readLine()) }
            try mine.writeLine("a line")
            try mine.write("four")
            #expect(try mine.readLine() == nil)
            #expect(mine.isBlocked)
            try mine.flush()
            reactor.expect("the line has come") { lines.value.contains("a line") }
            #expect(writable.value == 1)
            other.onReadable(nil)
            #expect(try other.read(characters: 4) == "four")
            #expect(!other.isAtEnd)
            // A copy, from one to the other and on.
            let copied = Box(false)
            try other.copy(to: other, limit: 4) { outcome in
                copied.value = true
                #expect(outcome.error == nil)
            }
            try mine.write("copy")
            reactor.expect("the copy is over") { copied.value }
            reactor.settle()
            #expect(try mine.readText() == "copy")
            mine.close()
            reactor.settle()
            #expect(try other.readText() == "")
            #expect(other.isAtEnd)
            other.close()
        }
    }

    // T2, W20
    @Test(arguments: [
        SocketAddress.loopback(port: 0), .abstract(name: Array("sluice-serving".utf8)),
        .unix(path: "/tmp/sluice-serving.socket"),
    ])
    func `a stream over each kind of address carries both ways`(address: SocketAddress) throws {
        let server = try Server(on: reactor, at: [address]) { channel, _ in
            channel.onBytes { channel, bytes in try channel.write(bytes) }
        }
        let channel = try Client(on: reactor).open(server.address)
        let text = Box("")
        channel.onReadable { channel in text.value += try channel.readOnce() }
        try channel.write(text: "there and back")
        reactor.expect("it comes back") { text.value == "there and back" }
        channel.close()
        reactor.expect("the server's side has ended") { server.connectionCount == 0 }
        server.close()
    }

    // T3
    @Test func `both sides have the system's encoding where it is asked for`() throws {
        var (client, server) = (ClientOptions(), ServerOptions())
        (client.channel, server.channel) = (.tcl, .tcl)
        let pair = try connected(client, server)
        for channel in [pair.client, pair.accepted] {
            #expect(channel.options.text.encoding == .system)
            #expect(try channel.configuration(of: "-encoding") == TextEncoding.system.name)
            channel.close()
        }
        #expect(ChannelOptions().text.encoding == .utf8)
        #expect(ServerOptions().channel.text.encoding == .utf8)
    }

    // T3, W3
    @Test func `an accepted channel writes and reads in the encoding that its server has`() throws {
        var options = ServerOptions()
        options.channel.text.encoding = .latin1
        let accepted = Box<Channel?>(nil)
        let server = try Server(on: reactor, at: [.loopback(port: 0)], options: options) {
            channel, _ in
            accepted.value = channel
            try channel.write("é")
        }
        let peer = try Socket.connecting(to: server.address)
        reactor.expect("it is in") { accepted.value != nil }
        reactor.settle()
        #expect(try peer.receiveNow() == [0xE9])
        let bytes: [UInt8] = [0xFC]
        #expect(try peer.send(bytes.span.bytes) == .bytes(1))
        #expect(try accepted.value?.readText() == "ü")
        accepted.value?.close()
        server.close()
    }

    // MARK: Servers

    // T13
    @Test func `a server's closure has with it whatever it needs`() throws {
        let greeting = "hello"
        let guests = Box<[String]>([])
        func greet(_ words: String...) -> (Channel, SocketAddress) throws -> Void {
            { channel, peer in
                guests.value.append("\(words.joined(separator: " ")) \(peer)")
                try channel.writeLine(greeting)
            }
        }
        let server = try Server(
            on: reactor, at: [.loopback(port: 0)], onAccept: greet("extra", "words"))
        let peer = try Socket.connecting(to: server.address)
        reactor.expect("it is in") { !guests.value.isEmpty }
        #expect(guests.value == ["extra words \(try peer.localAddress)"])
        reactor.settle()
        #expect(try peer.receiveNow()?.text == "hello\n")
        server.close()
        server.closeChannels()
    }

    // T16
    @Test func `each connection is a fresh channel of its own`() throws {
        var options = ServerOptions()
        options.channel.lowWaterMark = 17
        let channels = Box<[Channel]>([])
        let server = try Server(on: reactor, at: [.loopback(port: 0)], options: options) {
            channel, _ in
            #expect(channel.handled == [])
            #expect(channel.counters == ChannelCounters())
            #expect(channel.options.lowWaterMark == 17)
            channel.options.lowWaterMark = channels.value.count
            channels.value.append(channel)
        }
        let peers = try (0..<3).map { _ in HeldSocket(try .connecting(to: server.address)) }
        reactor.expect("all are in") { channels.value.count == 3 }
        #expect(Set(channels.value.map { ObjectIdentifier($0) }).count == 3)
        #expect(channels.value.map(\.options.lowWaterMark) == [0, 1, 2])
        for (number, channel) in channels.value.enumerated() { try channel.write("\(number)") }
        reactor.settle()
        for (number, peer) in peers.enumerated() {
            #expect(try peer.socket.receiveNow()?.text == "\(number)")
        }
        for channel in channels.value { channel.close() }
        server.close()
    }

    // T18
    @Test func `a server at one address is found at no other`() throws {
        let server = try reactor.listen(at: [.ip(.v4(0x7F00_0002), port: 0)])
        let port = try #require(server.address.port)
        let peer = try Socket.connecting(to: .ip(.v4(0x7F00_0002), port: port))
        reactor.expect("it is in") { server.connectionCount == 1 }
        #expect(try peer.receiveNow() == [])
        let error = #expect(throws: ConnectError.self) {
            try Channel.connected(to: .loopback(port: port))
        }
        guard case .refused(let reason) = error?.cause else { throw Mishap() }
        #expect(reason.code == .connectionRefused)
        server.close()
        server.closeChannels()
    }

    // T18
    @Test func `a server's address may be given by name`() throws {
        let addresses = try HostName.addresses(of: "localhost")
        let server = try reactor.listen(at: [.ip(try #require(addresses.first), port: 0)])
        let client = try Channel.connected(to: server.address)
        reactor.expect("it is in") { server.connectionCount == 1 }
        client.close()
        server.close()
    }

    // T18
    @Test func `a server can't have an address that is not this machine's`() throws {
        let address = SocketAddress("192.0.2.1:0")
        let foreign = try #require(address)
        #expect(throws: SocketError(.bind, .addressNotAvailable, at: foreign)) {
            try reactor.listen(at: [foreign])
        }
    }

    // T19
    @Test func `a server at all addresses is found at each`() throws {
        let server = try reactor.listen(at: [.any(port: 0)])
        #expect(server.address.ipAddress == .any)
        let port = try #require(server.address.port)
        for number: UInt32 in [0x7F00_0001, 0x7F00_0002, 0x7F12_3456] {
            let before = server.connectionCount
            let client = try Channel.connected(to: .ip(.v4(number), port: port))
            reactor.expect("it is in") { server.connectionCount == before + 1 }
            client.close()
        }
        server.close()
        server.closeChannels()
    }

    // T15, W14
    @Test func `port 0 is never what a server tells, and each has a port of its own`() throws {
        let servers = try (0..<3).map { _ in try reactor.listen(at: [.any(port: 0)]) }
        let ports = servers.map(\.address.port)
        #expect(!ports.contains(0) && !ports.contains(nil))
        #expect(Set(ports).count == 3)
        for server in servers {
            let client = try Channel.connected(
                to: .loopback(port: try #require(server.address.port)))
            client.close()
            server.close()
        }
    }

    // T23, W2, W18
    @Test func `a client is connected before the reactor runs, and greeted when it does`() throws {
        let server = try Server(on: reactor, at: [.loopback(port: 0)]) { channel, _ in
            try channel.writeLine("Welcome!")
            channel.close()
        }
        let client = try Channel.connected(to: server.address)
        #expect(client.status == .open)
        try client.writeLine("sent before anybody has accepted")
        #expect(server.counters.accepted == 0)
        #expect(try client.get(.pendingError).rawValue == 0)
        reactor.expect("it is in") { server.counters.accepted == 1 }
        #expect(try client.readLine() == "Welcome!")
        client.close()
        reactor.expect("the server's side has ended") { server.connectionCount == 0 }
        server.close()
    }

    // W11, W12
    @Test func `a port that is taken tells that another instance runs, until that has ended`()
        throws
    {
        let first = try reactor.listen()
        let address = first.address
        // Also for one that waits for clients without a reactor, and while a client is there.
        let client = try Channel.connected(to: address)
        reactor.expect("it is in") { first.connectionCount == 1 }
        let taken = SocketError(.bind, .addressInUse, at: address)
        #expect(throws: taken) { try reactor.listen(at: [address]) }
        #expect(throws: taken) { _ = try ServerSocket(at: address) }
        var sharing = ServerOptions()
        sharing.listener.reusePort = true
        #expect(throws: taken) { try reactor.listen(at: [address], options: sharing) }
        first.close()
        first.closeChannels()
        client.close()
        reactor.settle()
        try reactor.listen(at: [address]).close()
    }
}
