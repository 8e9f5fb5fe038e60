// SPDX-License-Identifier: Apache-2.0
//
// The files of Unix sockets: who may take a path, whose file is removed, and who may connect.
// Streams and datagrams alike.

import Glibc
import TestSupport
import Testing

@testable import Sluice

/// Options that replace what a dead server has left.
private func replacing(permissions: UInt16? = nil) -> UnixPathOptions {
    var options = UnixPathOptions()
    options.existing = .replaceDead
    options.permissions = permissions
    return options
}

@Suite(.countingDescriptors)
struct UnixPaths {
    /// Who takes a path.
    enum Taker: CaseIterable, Sendable {
        case stream, datagram
    }

    let folder: TemporaryFolder
    let reactor: Reactor
    var path: String { folder["socket"] }
    var address: SocketAddress { .unix(path: path) }

    init() throws {
        folder = try TemporaryFolder()
        reactor = try Reactor()
    }

    /// Takes a path while `body` runs.
    private func take(
        _ taker: Taker, at address: SocketAddress? = nil, _ options: UnixPathOptions = .init(),
        _ body: (SocketAddress) throws -> Void = { _ in }
    ) throws {
        let address = address ?? self.address
        switch taker {
        case .stream:
            var all = ListenerOptions()
            all.unixPath = options
            var server = try ServerSocket(at: address, options: all)
            defer { server.close() }
            try body(server.address)
        case .datagram:
            var all = DatagramOptions()
            all.unixPath = options
            let channel = try DatagramChannel(on: reactor, at: address, options: all)
            defer { channel.close() }
            try body(channel.localAddress)
        }
    }

    /// Leaves the file of a socket that is gone.
    private func leaveDead(_ kind: SocketKind) throws {
        let socket = try Socket(for: address, kind: kind)
        try socket.bind(to: address)
        if kind != .datagram { try socket.listen() }
    }

    // MARK: A path that is taken

    // N22, N35, X10
    @Test(arguments: Taker.allCases, [SocketKind.stream, .datagram])
    func `what a dead server has left is in use, unless it is to be replaced`(
        taker: Taker, kind: SocketKind
    ) throws {
        try leaveDead(kind)
        let old = Identity(path)
        #expect(throws: SocketError(.bind, .addressInUse, at: address)) { try take(taker) }
        #expect(Identity(path) == old)
        #expect(folder.names == ["socket"])
    }

    // N22
    @Test(arguments: Taker.allCases, [SocketKind.stream, .datagram, .sequentialPacket])
    func `what a dead server has left is replaced where that is asked for`(
        taker: Taker, kind: SocketKind
    ) throws {
        try leaveDead(kind)
        // Keeps the number of the old file from being given to the new one.
        try #require(link(path, folder["anchor"]) == 0)
        let old = Identity(path)
        try take(taker, replacing()) { address in
            #expect(address == self.address)
            #expect(Identity(path) != old)
            let client = try Socket(for: address, kind: taker == .stream ? .stream : .datagram)
            let result = try client.connect(to: address)
            #expect(result == .connected)
        }
        #expect(folder.names == ["anchor"])
    }

    @Test(arguments: Taker.allCases)
    func `a path where nothing is can be replaced as well`(taker: Taker) throws {
        try take(taker, replacing()) { _ in #expect(folder.names == ["socket"]) }
        #expect(folder.names == [])
    }

    // X10
    @Test(arguments: Taker.allCases, Taker.allCases)
    func `a live socket is never replaced`(first: Taker, second: Taker) throws {
        try take(first) { address in
            let old = Identity(path)
            for options in [UnixPathOptions(), replacing()] {
                #expect(throws: SocketError(.bind, .addressInUse, at: address)) {
                    try take(second, options)
                }
                #expect(Identity(path) == old)
            }
            let client = try Socket(for: address, kind: first == .stream ? .stream : .datagram)
            let result = try client.connect(to: address)
            #expect(result == .connected)
        }
        #expect(folder.names == [])
    }

    // X10
    @Test(arguments: Taker.allCases)
    func `a live socket whose backlog is full is not replaced`(taker: Taker) throws {
        let live = try Socket(for: address)
        try live.bind(to: address)
        try live.listen(backlog: 0)
        let client = try Socket(for: address)
        let second = try Socket(for: address)
        #expect(client.connectCode(to: address) == .success)
        #expect(second.connectCode(to: address) == .wouldBlock)
        let old = Identity(path)
        #expect(throws: SocketError(.bind, .addressInUse, at: address)) {
            try take(taker, replacing())
        }
        #expect(Identity(path) == old)
    }

    // X10
    @Test(arguments: Taker.allCases)
    func `a live socket of another kind is not replaced`(taker: Taker) throws {
        let live = try Socket(for: address, kind: .sequentialPacket)
        try live.bind(to: address)
        try live.listen()
        let old = Identity(path)
        #expect(throws: SocketError(.bind, .addressInUse, at: address)) {
            try take(taker, replacing())
        }
        #expect(Identity(path) == old)
    }

    @Test(arguments: Taker.allCases)
    func `a file that is no socket is never replaced`(taker: Taker) throws {
        try folder.write(Array("dear".utf8), to: "socket")
        #expect(throws: SocketError(.bind, .addressInUse, at: address)) {
            try take(taker, replacing())
        }
        #expect(folder.read("socket")?.text == "dear")
        let pipe = folder["pipe"]
        try #require(mkfifo(pipe, 0o600) == 0)
        let other = SocketAddress.unix(path: pipe)
        #expect(throws: SocketError(.bind, .addressInUse, at: other)) {
            try take(taker, at: other, replacing())
        }
        #expect(Identity(pipe) != nil)
    }

    @Test(arguments: Taker.allCases)
    func `a link to what a dead server has left is not replaced`(taker: Taker) throws {
        try leaveDead(.stream)
        let place = folder["link"]
        try #require(symlink(path, place) == 0)
        let other = SocketAddress.unix(path: place)
        #expect(throws: SocketError(.bind, .addressInUse, at: other)) {
            try take(taker, at: other, replacing())
        }
        #expect(Set(folder.names) == ["socket", "link"])
    }

    // MARK: Permissions

    @Test(
        arguments: Taker.allCases, [0o600, 0o666, 0o777, 0o620, 0o400] as [UInt16])
    func `permissions are those that were asked for, whatever the mask`(
        taker: Taker, permissions: UInt16
    ) throws {
        for mask in [0, 0o022, 0o077, 0o777] as [mode_t] {
            try withMask(mask) {
                for existing in [UnixPathOptions.ExistingPath.refuse, .replaceDead] {
                    var options = UnixPathOptions()
                    options.existing = existing
                    options.permissions = permissions
                    try take(taker, options) { _ in #expect(mode(of: path) == permissions) }
                }
            }
        }
        #expect(folder.names == [])
    }

    @Test(arguments: Taker.allCases)
    func `without permissions the mask decides`(taker: Taker) throws {
        for mask in [0, 0o022, 0o077] as [mode_t] {
            try withMask(mask) {
                try take(taker) { _ in #expect(mode(of: path) == 0o777 & ~UInt16(mask)) }
            }
        }
    }

    // MARK: Removal

    // N22
    @Test(arguments: Taker.allCases)
    func `a close removes the file`(taker: Taker) throws {
        try take(taker) { _ in #expect(folder.names == ["socket"]) }
        #expect(folder.names == [])
        try take(taker) { _ in }
    }

    @Test(arguments: Taker.allCases)
    func `a file that has taken the place of one's own stays`(taker: Taker) throws {
        let other = try Socket(for: address)
        try take(taker) { _ in
            #expect(unlink(path) == 0)
            try other.bind(to: address)
        }
        #expect(folder.names == ["socket"])
        unlink(path)
        try take(taker) { _ in
            #expect(unlink(path) == 0)
            try folder.write(Array("dear".utf8), to: "socket")
        }
        #expect(folder.read("socket")?.text == "dear")
    }

    @Test(arguments: Taker.allCases)
    func `a file that is gone already is not missed`(taker: Taker) throws {
        try take(taker) { _ in #expect(unlink(path) == 0) }
        #expect(folder.names == [])
    }

    @Test(arguments: Taker.allCases)
    func `the file goes before the socket, so that nobody takes it for a dead one's`(
        taker: Taker
    ) throws {
        let calls = Box<[SystemCall]>([])
        let note: SystemCall.Interceptor = { call in
            calls.value.append(call)
            return nil
        }
        try SystemCall.intercepting(note) {
            // What is noted after that is the close alone.
            try take(taker) { _ in calls.value = [] }
        }
        let closing = calls.value.filter { $0 == .unlink || $0 == .close }
        #expect(closing.first == .unlink)
        #expect(closing.contains(.close))
    }

    @Test func `a server that is bound and does not listen yet keeps its path`() throws {
        let socket = try Socket(for: address)
        try socket.bind(to: address)
        #expect(throws: SocketError(.bind, .addressInUse, at: address)) {
            try take(.stream, replacing())
        }
        #expect(access(path, F_OK) == 0)
        _ = socket.number
    }

    @Test func `a server that lives is not disturbed by who wants its path`() throws {
        let listener = try Socket(for: address)
        try listener.bind(to: address)
        try listener.listen()
        #expect(throws: SocketError(.bind, .addressInUse, at: address)) {
            try take(.stream, replacing())
        }
        let isNobody = try listener.accept() == nil
        #expect(isNobody)
    }
}

/// Which file it is, whatever its name.
private struct Identity: Equatable {
    let device: dev_t
    let number: ino_t

    /// `nil` where there is none.
    init?(_ path: String) {
        var facts = stat()
        guard lstat(path, &facts) == 0 else { return nil }
        device = facts.st_dev
        number = facts.st_ino
    }
}

private func mode(of path: String) -> UInt16? {
    var facts = stat()
    return lstat(path, &facts) == 0 ? UInt16(truncatingIfNeeded: facts.st_mode & 0o7777) : nil
}

/// Sets the mask of the process while `body` runs.
private func withMask(_ mask: mode_t, _ body: () throws -> Void) rethrows {
    let before = umask(mask)
    defer { umask(before) }
    try body()
}
