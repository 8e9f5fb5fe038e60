// SPDX-License-Identifier: Apache-2.0
//
// The options of Unix sockets and the filters of every socket: who the peer is, and what comes
// through.

import Glibc
import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct UnixOptions {
    // MARK: The peer

    // P9
    @Test func `a pair's ends know this process`() throws {
        let ends = try Socket.makePair()
        let peer = try ends.first.get(.peerCredentials)
        #expect(peer.processID == getpid())
        #expect(peer.userID == geteuid())
        #expect(peer.groupID == getegid())
    }

    @Test func `a socket without a peer knows nobody`() throws {
        let socket = try Socket(family: .unix, kind: .stream)
        let peer = try socket.get(.peerCredentials)
        #expect(peer == PeerCredentials(processID: 0, userID: .max, groupID: .max))
        #expect(throws: SocketError(.getOption, .noData)) { _ = try socket.get(.peerGroups) }
    }

    @Test func `a pair's ends know the groups of this process`() throws {
        let ends = try Socket.makePair()
        let groups = try ends.first.get(.peerGroups)
        #expect(groups.count == Int(getgroups(0, nil)))
    }

    @Test func `an answer that is longer than its room is asked for again`() throws {
        let ends = try Socket.makePair()
        let option = ReadOnlySocketOption<[UInt8]>(
            level: SOL_SOCKET, name: SO_PEERGROUPS, form: .bytes(upTo: 0))
        let bytes = try ends.first.get(option)
        #expect(bytes.count == 4 * Int(getgroups(0, nil)))
    }

    @Test func `the peer's security context is a text or none`() throws {
        let ends = try Socket.makePair()
        do throws(SocketError) {
            let context = try ends.first.get(.peerSecurityContext)
            #expect(!context.utf8.contains(0))
        } catch {
            #expect(error == SocketError(.getOption, .noProtocolOption))
        }
    }

    // P36
    @Test func `the sender's credentials are not told until it is asked for`() throws {
        let ends = try Socket.makePair(.datagram)
        let readings = try ends.first.readings(of: .receivesCredentials, setTo: [true, false])
        #expect(readings == [false, true, false])
    }

    // MARK: Filters

    private func connectedToItself() throws -> Socket {
        let socket = try Socket(family: .ipv4, kind: .datagram)
        try socket.bind(to: .loopback(port: 0))
        _ = try socket.connect(to: try socket.localAddress)
        return socket
    }

    @Test func `a filter lets nothing through until it is removed`() throws {
        let socket = try connectedToItself()
        try socket.set(.packetFilter, to: .none)
        try socket.sendAll("lost")
        let nothing = try socket.receive(upTo: 9)
        try socket.removePacketFilter()
        try socket.sendAll("found")
        let bytes = try socket.receive(upTo: 9)
        #expect(nothing == nil)
        #expect(bytes?.text == "found")
    }

    @Test func `a filter cuts what comes to what it returns`() throws {
        let socket = try connectedToItself()
        // Of a datagram the program sees the header of 8 bytes as well.
        try socket.set(.packetFilter, to: PacketFilter([.init(code: 0x06, operand: 10)]))
        try socket.sendAll("abcdef")
        let bytes = try socket.receive(upTo: 9)
        #expect(bytes?.text == "ab")
    }

    @Test(arguments: [
        PacketFilter([]), PacketFilter([.init(code: 0x15, skipIfTrue: 9, operand: 0)]),
        PacketFilter(Array(repeating: .init(code: 0x06, operand: 0), count: 70_000)),
    ])
    func `a filter that is none is refused`(filter: PacketFilter) throws {
        let socket = try connectedToItself()
        #expect(throws: SocketError(.setOption, .invalidArgument)) {
            try socket.set(.packetFilter, to: filter)
        }
    }

    @Test func `a filter that was locked stays`() throws {
        let socket = try connectedToItself()
        try socket.set(.packetFilter, to: .none)
        let readings = try socket.readings(of: .lockFilter, setTo: [true])
        #expect(readings == [false, true])
        #expect(throws: SocketError(.setOption, .notPermitted)) { try socket.removePacketFilter() }
        #expect(throws: SocketError(.setOption, .notPermitted)) {
            try socket.set(.lockFilter, to: false)
        }
    }

    @Test func `removing what is not there is told`() throws {
        let socket = try connectedToItself()
        #expect(throws: SocketError(.setOption, .noEntry)) { try socket.removePacketFilter() }
    }

    @Test func `a filter chooses among the sockets that share a port`() throws {
        let first = try Socket(family: .ipv4, kind: .datagram)
        let second = try Socket(family: .ipv4, kind: .datagram)
        try first.set(.reusePort, to: true)
        try second.set(.reusePort, to: true)
        try first.bind(to: .loopback(port: 0))
        let address = try first.localAddress
        try second.bind(to: address)
        try first.set(.reusePortFilter, to: PacketFilter([.init(code: 0x06, operand: 1)]))
        let sender = try Socket(family: .ipv4, kind: .datagram)
        _ = try sender.connect(to: address)
        for _ in 0..<8 { try sender.sendAll("x") }
        let unheard = try first.receive(upTo: 1)
        let heard = try second.receive(upTo: 1)
        #expect(unheard == nil)
        #expect(heard?.text == "x")
        try second.removeReusePortFilter()
    }

    @Test func `a descriptor that is no program is refused`() throws {
        let socket = try connectedToItself()
        for option in [WriteOnlySocketOption<CInt>.loadedPacketFilter, .loadedReusePortFilter] {
            #expect(throws: SocketError(.setOption, .invalidArgument)) {
                try socket.set(option, to: socket.number)
            }
            #expect(throws: SocketError(.setOption, .badDescriptor)) {
                try socket.set(option, to: -1)
            }
        }
    }
}
