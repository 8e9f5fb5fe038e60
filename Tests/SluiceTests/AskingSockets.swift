// SPDX-License-Identifier: Apache-2.0
//
// What scripts ask of the socket under a channel: its error, its ends' names, its state.
// Names are looked up only where one is asked for.

import Glibc
import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct AskingSockets: ConnectionSuite {
    let ends: ConnectionEnds

    private func value(_ name: String) throws -> String { try channel.configuration(of: name) }

    /// An address of loopback at which nobody listens.
    private func deadAddress() throws -> SocketAddress { try Socket.listening().localAddress }

    // T24
    @Test(arguments: ["-error", "-sockname", "-peername", "-connecting", "-conn"])
    func `what the socket tells can't be set`(name: String) throws {
        let error = #expect(throws: OptionError.self) { try channel.configure(name, "x") }
        let whole = name == "-conn" ? "-connecting" : name
        #expect(error == .readOnly(whole))
        #expect(error?.description == "option \"\(whole)\" can only be read")
    }

    // T25, N4
    @Test func `reading the error clears it`() throws {
        #expect(try value("-error") == "")
        try ends.resetByPeer()
        #expect(try value("-error") == "Connection reset by peer")
        #expect(try value("-error") == "")
    }

    // T25
    @Test func `an error that was read is still why the channel ended`() throws {
        try ends.resetByPeer()
        #expect(channel.takeError()?.code == .connectionReset)
        #expect(try channel.read { _ in wrongly() } == .endOfStream)
        #expect(channel.endReason == .reset)
    }

    // T25, N4
    @Test func `the error of a write in the background is told once`() throws {
        try SystemCall.failing(.send, with: .hostUnreachable) {
            try channel.write(text: "x")
            reactor.settle()
        }
        #expect(try value("-error") == ErrorCode.hostUnreachable.description)
        #expect(try value("-error") == "")
    }

    // T25
    @Test func `all options at once take the error`() throws {
        try ends.resetByPeer()
        let all = try channel.configuration()
        #expect(all.first { $0.name == "-error" }?.value == "Connection reset by peer")
        #expect(try value("-error") == "")
    }

    // T25
    @Test func `the error of a connection that failed is told once, when it is decided`() throws {
        let channel = try Client(on: reactor).open(deadAddress())
        reactor.expect("it is decided") { channel.status != .connecting }
        #expect(channel.status == .failed)
        #expect(try channel.configuration(of: "-error") == "Connection refused")
        #expect(try channel.configuration(of: "-error") == "")
        #expect(channel.status == .failed)
        channel.close()
        reactor.settle()
    }

    // T25
    @Test func `asking for the error early does not make a failed connection a good one`() throws {
        let channel = try Client(on: reactor).open(deadAddress())
        let told = Box<[SocketError?]>([])
        channel.parts.connected = { _, error in told.value.append(error) }
        #expect(try channel.configuration(of: "-error") == "Connection refused")
        reactor.expect("it is decided and told") { !told.value.isEmpty }
        #expect(channel.status == .failed)
        #expect(told.value.map { $0?.code } == [.connectionRefused])
        #expect(throws: SocketError.self) { try channel.write(text: "x") }
        channel.close()
        reactor.settle()
    }

    // T26, T27
    @Test func `each end's name is number, host and port`() throws {
        let host = SocketName(.loopback(port: 0)).hostName()
        let local = try channel.localAddress.port ?? 0
        let peer = channel.peerAddress.port ?? 0
        #expect(try value("-sockname") == "127.0.0.1 \(host) \(local)")
        #expect(try value("-peername") == "127.0.0.1 \(host) \(peer)")
    }

    // T27
    @Test func `the peer's name is told after the peer has closed`() throws {
        let name = try value("-peername")
        ends.peer = nil
        reactor.settle()
        #expect(try value("-peername") == name)
        #expect(try channel.read { _ in } == .endOfStream)
        #expect(try value("-peername") == name)
    }

    // T27
    @Test func `the peer's name is told after a reset`() throws {
        let name = try value("-peername")
        try ends.resetByPeer()
        #expect(try channel.read { _ in } == .endOfStream)
        #expect(try value("-peername") == name)
        #expect(try value("-sockname").hasPrefix("127.0.0.1 "))
    }

    // T26
    @Test func `an end without a host repeats itself`() throws {
        #expect(SocketName(.any(port: 80)).text == "0.0.0.0 0.0.0.0 80")
        #expect(SocketName(.ip(.any6, port: 80)).text == ":: :: 80")
        #expect(SocketName(.unix(path: "/run/x")).text == "/run/x /run/x 0")
    }

    // T26
    @Test func `a host whose name can't be found is its number`() throws {
        // Without a descriptor to spare no file and no server can be asked.
        var limit = rlimit()
        let kind = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        try #require(getrlimit(kind, &limit) == 0)
        var none = limit
        none.rlim_cur = 0
        try #require(setrlimit(kind, &none) == 0)
        let name = SocketName(.ip(.v4(0x7F00_004D), port: 7)).text
        try #require(setrlimit(kind, &limit) == 0)
        #expect(name == "127.0.0.77 127.0.0.77 7")
    }

    // T26, W29
    @Test func `names are looked up only where one is asked for`() throws {
        let opens = try HostsFileOpens()
        #expect(try opens.happen { _ = SocketName(.loopback(port: 1)).hostName() })
        #expect(try !opens.happen { _ = SocketName(.any(port: 1)).hostName() })
        #expect(try !opens.happen { _ = SocketName(.ip(.any6, port: 1)).text })
        #expect(try !opens.happen { _ = SocketName(.loopback(port: 1)).number })
        #expect(try !opens.happen { _ = try channel.localAddress })
        #expect(try !opens.happen { _ = "\(channel.peerAddress)" })
    }

    // W29
    @Test func `a server and a client at a number look nothing up`() throws {
        let opens = try HostsFileOpens()
        #expect(
            try !opens.happen {
                let server = try reactor.listen()
                let port = server.address.port ?? 0
                let client = try Channel.connected(to: .host("127.0.0.1", port: port))
                reactor.expect("it is accepted") { server.counters.accepted == 1 }
                client.close()
                server.close()
                reactor.settle()
            })
    }

    // T26, T27, T25
    @Test func `a connection under way has no names and no error`() throws {
        let listener = try Socket.listening()
        let channel = try Client(on: reactor).open(listener.localAddress)
        try #require(channel.status == .connecting)
        #expect(try channel.configuration(of: "-connecting") == "1")
        #expect(try channel.configuration(of: "-sockname") == "")
        #expect(try channel.configuration(of: "-peername") == "")
        reactor.expect("it is decided") { channel.status == .open }
        #expect(try channel.configuration(of: "-connecting") == "0")
        #expect(try channel.configuration(of: "-error") == "")
        #expect(try channel.configuration(of: "-peername").hasPrefix("127.0.0.1 "))
        #expect(try channel.configuration(of: "-sockname").hasPrefix("127.0.0.1 "))
        channel.close()
        reactor.settle()
    }

    // K12
    @Test func `client and accepted channels with Tcl's settings are born alike`() throws {
        var options = ServerOptions()
        options.channel = .tcl
        var accepted: Channel?
        let server = try Server(on: reactor, at: [.loopback(port: 0)], options: options) {
            channel, _ in accepted = channel
        }
        var client = ClientOptions()
        client.channel = .tcl
        let channel = try Client(on: reactor, options: client).open(server.address)
        reactor.expect("it is accepted") { accepted != nil && channel.status == .open }
        for channel in [accepted, channel].compactMap(\.self) {
            #expect(try channel.configuration(of: "-translation") == "auto crlf")
            #expect(try channel.configuration(of: "-buffering") == "full")
            #expect(try channel.configuration(of: "-buffersize") == "4096")
            #expect(try channel.configuration(of: "-blocking") == "1")
            #expect(try channel.configuration(of: "-eofchar") == "{} {}")
            #expect(try channel.configuration(of: "-encoding") == TextEncoding.system.name)
        }
        accepted?.close()
        channel.close()
        server.close()
        reactor.settle()
    }

    // A14
    @Test(arguments: ["-blocking", "-buffering", "-encoding", "-nodelay"])
    func `nothing is set on a closed channel, which is named`(name: String) throws {
        let old = name == "-buffering" ? "full" : name == "-encoding" ? "ascii" : "1"
        channel.close()
        let error = #expect(throws: OptionError.self) { try channel.configure(name, old) }
        #expect(error == .socket(SocketError(.setOption, .badDescriptor, at: channel.peerAddress)))
    }

    // T24, N6
    @Test func `an option of the socket is read and set`() throws {
        for name in ["-keepalive", "-nodelay"] {
            for state in ["1", "0"] {
                try channel.configure(name, state)
                #expect(try value(name) == state)
            }
        }
        #expect(try !channel.get(.noDelay))
    }
}

/// Whether somebody opens the file of the hosts' names, as every look-up does.
private final class HostsFileOpens {
    private let number: CInt

    init() throws {
        number = inotify_init1(CInt(IN_NONBLOCK))
        try #require(number >= 0)
        try #require(inotify_add_watch(number, "/etc/hosts", UInt32(IN_OPEN)) >= 0)
    }

    deinit { Glibc.close(number) }

    /// Does something up to ten times, as another program may open the file, too.
    func happen(_ body: () throws -> Void) throws -> Bool {
        for _ in 0..<10 {
            clear()
            try body()
            if !clear() { return false }
        }
        return true
    }

    @discardableResult
    private func clear() -> Bool {
        var room = [UInt8](repeating: 0, count: 4_096)
        var hasCome = false
        while Glibc.read(number, &room, room.count) > 0 { hasCome = true }
        return hasCome
    }
}
