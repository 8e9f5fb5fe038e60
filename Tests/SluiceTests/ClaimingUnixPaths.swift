// SPDX-License-Identifier: Apache-2.0
//
// Several that want one path, names without a file, and paths that can't be had.

import Glibc
import TestSupport
import Testing

@testable import Sluice

/// Options that replace what a dead server has left.
private let replacing: ListenerOptions = {
    var options = ListenerOptions()
    options.unixPath.existing = .replaceDead
    return options
}()

@Suite(.countingDescriptors)
struct ClaimingUnixPaths {
    let folder: TemporaryFolder
    var path: String { folder["socket"] }
    var address: SocketAddress { .unix(path: path) }

    init() throws { folder = try TemporaryFolder() }

    /// Leaves the file of a socket that is gone.
    private func leaveDead() throws {
        try Socket(for: address).bind(to: address)
    }

    // MARK: Several at once

    // N22, N35, X10
    @Test(arguments: [false, true])
    func `of several that start at once exactly one gets the path`(isStale: Bool) throws {
        for _ in 0..<30 {
            if isStale { try leaveDead() }
            let count = 4
            let ready = Tally()
            let done = Tally()
            let won = Tally()
            let errors = SharedValue<[SocketError]>([])
            let address = address
            let threads = (0..<count).map { _ in
                OtherThread {
                    ready.add(1)
                    while ready.value < count { sched_yield() }
                    do throws(SocketError) {
                        let server = try ServerSocket(at: address, options: replacing)
                        won.add(1)
                        done.add(1)
                        // The winner lives until all have tried.
                        while done.value < count { sched_yield() }
                        #expect(server.address == address)
                    } catch {
                        errors.change { $0.append(error) }
                        done.add(1)
                    }
                }
            }
            for thread in threads { thread.join() }
            #expect(won.value == 1)
            let inUse = SocketError(.bind, .addressInUse, at: address)
            #expect(errors.value == [SocketError](repeating: inUse, count: count - 1))
            #expect(folder.names == [])
        }
    }

    @Test func `a server that starts while another ends never loses its file to it`() throws {
        let address = address
        let path = path
        for _ in 0..<30 {
            let old = SharedServer(try ServerSocket(at: address))
            let started = Flag()
            let thread = OtherThread {
                started.set()
                old.close()
            }
            while !started.isSet { sched_yield() }
            var server: ServerSocket?
            while server == nil {
                do throws(SocketError) {
                    server = try ServerSocket(at: address, options: replacing)
                } catch {
                    #expect(error == SocketError(.bind, .addressInUse, at: address))
                }
            }
            thread.join()
            #expect(access(path, F_OK) == 0)
            server = nil
            #expect(folder.names == [])
        }
    }

    @Test func `who finds the folder locked for a second gives up`() throws {
        let lock = Glibc.open(folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        try #require(lock >= 0)
        defer { close(lock) }
        try #require(flock(lock, LOCK_EX) == 0)
        let start = ContinuousClock.now
        #expect(throws: SocketError(.bind, .busy, at: address)) {
            _ = try ServerSocket(at: address, options: replacing)
        }
        #expect(ContinuousClock.now - start < .seconds(10))
        #expect(folder.names == [])
        // Who replaces nothing needs no lock.
        let server = try ServerSocket(at: address)
        #expect(server.address == address)
    }

    @Test func `a folder is not locked any more once its server listens`() throws {
        let server = try ServerSocket(at: address, options: replacing)
        #expect(server.address == address)
        let lock = Glibc.open(folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        defer { close(lock) }
        #expect(flock(lock, LOCK_EX | LOCK_NB) == 0)
    }

    // MARK: On a reactor

    // T2, N22, N40
    @Test func `a server on a reactor replaces, sets permissions and removes`() throws {
        try leaveDead()
        let reactor = try Reactor()
        var options = ServerOptions()
        options.listener = replacing
        options.listener.unixPath.permissions = 0o600
        let server = try reactor.listen(at: [address], options: options)
        var facts = stat()
        #expect(lstat(path, &facts) == 0)
        #expect(facts.st_mode & 0o7777 == 0o600)
        let client = try Socket.connecting(to: address)
        reactor.expect("the client is in") { server.connectionCount == 1 }
        let nothing = try client.receiveNow()
        #expect(nothing == [])
        server.close()
        #expect(folder.names == [])
    }

    @Test func `a reactor's end removes the files of its listeners`() throws {
        do {
            let reactor = try Reactor()
            let server = try reactor.listen(at: [address])
            #expect(folder.names == ["socket"])
            withExtendedLifetime(server) {}
        }
        #expect(folder.names == [])
    }

    @Test func `a server that fails at its second address leaves no file of the first`() throws {
        let reactor = try Reactor()
        try Socket(for: address).bind(to: .unix(path: folder["taken"]))
        let addresses = [address, .unix(path: folder["taken"])]
        let inUse = SocketError(.bind, .addressInUse, at: addresses[1])
        #expect(throws: inUse) { _ = try reactor.listen(at: addresses) }
        #expect(folder.names == ["taken"])
    }

    // P2
    @Test func `a datagram channel that connects takes a path, and removes it`() throws {
        let reactor = try Reactor()
        let peer = SocketAddress.unix(path: folder["peer"])
        let receiver = try DatagramChannel(on: reactor, at: peer)
        let sender = try DatagramChannel(on: reactor, connectedTo: peer, from: address)
        #expect(Set(folder.names) == ["peer", "socket"])
        sender.close()
        #expect(folder.names == ["peer"])
        receiver.close()
        #expect(folder.names == [])
    }

    // N20
    @Test func `a server's path that is not UTF-8 is removed as any other`() throws {
        let path = Array("\(folder.path)/".utf8) + [0xFF, 0]
        let address = SocketAddress.other(family: .unix, bytes: path)
        let before = folder.names.count
        do {
            let server = try ServerSocket(at: address)
            #expect(server.address == address)
            #expect(folder.names.count == before + 1)
        }
        #expect(folder.names.count == before)
        // The folder could not remove it by its name.
        path.withUnsafeBytes { path in
            let start = path.assumingMemoryBound(to: CChar.self).baseAddress
            if let start { unlink(start) }
        }
    }

    // MARK: Names without a file

    // P2, N20, X10
    @Test func `an abstract name has no file, and one owner`() throws {
        let name = SocketAddress.abstract(name: Array("sluice-\(getpid())-claiming".utf8))
        var options = replacing
        options.unixPath.permissions = 0o600
        do {
            let server = try ServerSocket(at: name, options: options)
            #expect(server.address == name)
            #expect(throws: SocketError(.bind, .addressInUse, at: name)) {
                _ = try ServerSocket(at: name, options: options)
            }
        }
        // It is free as soon as its socket is closed.
        let again = try ServerSocket(at: name)
        #expect(again.address == name)
    }

    // N20
    @Test func `the kernel chooses abstract names for those who have none`() throws {
        let first = try ServerSocket(at: .unnamed)
        let second = try ServerSocket(at: .unnamed, options: replacing)
        let reactor = try Reactor()
        let third = try DatagramChannel(on: reactor, at: .unnamed)
        let addresses = [first.address, second.address, try third.localAddress]
        #expect(Set(addresses).count == 3)
        for case .abstract(let name) in addresses { #expect(name.count == 5) }
        let client = try Socket(for: first.address)
        let result = try client.connect(to: first.address)
        #expect(result == .connected)
        third.close()
    }

    // MARK: Paths that can't be had

    // P5
    @Test(arguments: [ListenerOptions(), replacing])
    func `a path that is too long is refused`(options: ListenerOptions) throws {
        let name = String(repeating: "x", count: 108 - folder.path.utf8.count - 1)
        let tooLong = SocketAddress.unix(path: folder[name])
        let error = SocketError(.bind, .nameTooLong, at: tooLong)
        #expect(throws: error) { _ = try ServerSocket(at: tooLong, options: options) }
        let reactor = try Reactor()
        var datagrams = DatagramOptions()
        datagrams.unixPath = options.unixPath
        #expect(throws: error) {
            _ = try DatagramChannel(on: reactor, at: tooLong, options: datagrams)
        }
        #expect(folder.names == [])
    }

    // P5
    @Test(arguments: [ListenerOptions(), replacing])
    func `a path in a folder that there is not is refused`(options: ListenerOptions) throws {
        let nowhere = SocketAddress.unix(path: folder["none/socket"])
        #expect(throws: SocketError(.bind, .noEntry, at: nowhere)) {
            _ = try ServerSocket(at: nowhere, options: options)
        }
    }

    // P5
    @Test(arguments: ["", "/tmp/a\u{0}b"])
    func `a path that is none is refused`(path: String) {
        let nothing = SocketAddress.unix(path: path)
        #expect(throws: SocketError(.bind, .invalidArgument, at: nothing)) {
            _ = try ServerSocket(at: nothing, options: replacing)
        }
    }

    @Test func `what stands before a zero in a path is not touched`() throws {
        try leaveDead()
        let nothing = SocketAddress.unix(path: path + "\u{0}b")
        #expect(throws: SocketError(.bind, .invalidArgument, at: nothing)) {
            _ = try ServerSocket(at: nothing, options: replacing)
        }
        #expect(folder.names == ["socket"])
    }

    @Test func `a path without a folder is in the current one`() throws {
        let before = Glibc.open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        try #require(before >= 0)
        defer {
            fchdir(before)
            close(before)
        }
        try #require(chdir(folder.path) == 0)
        try leaveDead()
        do {
            let server = try ServerSocket(at: .unix(path: "socket"), options: replacing)
            #expect(server.address == .unix(path: "socket"))
            #expect(folder.names == ["socket"])
        }
        #expect(folder.names == [])
    }
}

/// A server that one thread makes and another one ends.
private final class SharedServer: Sendable {
    private let held: Locked<ServerSocket>

    init(_ server: consuming ServerSocket) { held = Locked(server) }

    func close() { held.withLock { $0.close() } }
}
