// SPDX-License-Identifier: Apache-2.0
//
// Each operation of the socket layer with every system call that it makes failing in turn: the
// error is told, no descriptor and no file is left, and a second try works.

import Glibc
import TestSupport
import Testing

@testable import Sluice

/// What the operations find: addresses, a listener, and the file of a server that is gone.
private final class Scene {
    let folder: TemporaryFolder
    let listener: Socket
    let address: SocketAddress
    private(set) var dead: ino_t?
    var path: String { folder["socket"] }
    var unix: SocketAddress { .unix(path: path) }

    init() throws {
        folder = try TemporaryFolder()
        let listener = try Socket(for: .loopback(port: 0))
        try listener.bind(to: .loopback(port: 0))
        try listener.listen()
        address = try listener.localAddress
        self.listener = listener
    }

    /// Leaves the file of a server that is gone, unless it is still there.
    func leaveDead() throws {
        if access(path, F_OK) == 0 { return }
        try Socket(for: unix).bind(to: unix)
        unlink(folder["anchor"])
        // Keeps the number of this file from being given to another one.
        try #require(link(path, folder["anchor"]) == 0)
        dead = number
    }

    /// What should not be there when nobody listens.
    var strayFiles: [String] {
        folder.names.filter { $0 != "anchor" && ($0 != "socket" || dead == nil || number != dead) }
    }

    private var number: ino_t? {
        var facts = stat()
        return lstat(path, &facts) == 0 ? facts.st_ino : nil
    }
}

/// An operation, and what must be so once it has worked.
private struct Operation: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// Calls that may fail without anybody being told, since the operation does without.
    let dispensable: Set<SystemCall>
    private let body: @Sendable (Scene, @escaping SystemCall.Interceptor) throws -> Void

    init(
        _ name: String, without dispensable: Set<SystemCall> = [],
        _ body: @escaping @Sendable (Scene, @escaping SystemCall.Interceptor) throws -> Void
    ) {
        testDescription = name
        self.dispensable = dispensable
        self.body = body
    }

    /// Performs it, and looks at what came of it, while `answers` stands in for the system.
    func perform(
        in scene: Scene, _ answers: @escaping SystemCall.Interceptor = { _ in nil }
    ) throws {
        try body(scene, answers)
    }

    /// The calls that it makes when nothing fails.
    func calls() throws -> [SystemCall] {
        let calls = Box<[SystemCall]>([])
        try perform(in: Scene()) { call in
            if call != .close { calls.value.append(call) }
            return nil
        }
        return calls.value
    }

    /// Answers for one call, counted from 0.
    static func failing(_ place: Int, with code: ErrorCode) -> SystemCall.Interceptor {
        var count = 0
        return { call in
            if call == .close { return nil }
            defer { count += 1 }
            return count == place ? .failure(code) : nil
        }
    }
}

extension SystemCall {
    /// How this call may fail on a healthy machine.
    fileprivate var plausibleFailures: [ErrorCode] {
        switch self {
        case .createSocket, .pair:
            [.tooManyOpenFiles, .tooManyOpenFilesInSystem, .noMemory, .noBufferSpace, .interrupted]
        case .accept: [.tooManyOpenFiles, .noMemory, .connectionAborted, .interrupted]
        case .bind: [.addressInUse, .addressNotAvailable, .permissionDenied, .noMemory]
        case .listen: [.addressInUse]
        case .connect: [.networkUnreachable, .timedOut, .noMemory]
        case .getOption, .setOption, .localName, .peerName: [.noBufferSpace, .interrupted]
        case .duplicate: [.tooManyOpenFiles, .interrupted]
        case .open: [.tooManyOpenFiles, .noEntry, .permissionDenied]
        case .changeMode: [.notPermitted, .inputOutput]
        case .unlink: [.permissionDenied]
        case .poll, .watch: [.noMemory]
        case .getDescriptorFlags, .setDescriptorFlags, .stopBlocking, .shutdown: [.noMemory]
        default: []
        }
    }
}

@Suite(.countingDescriptors)
struct ForcedFailures {
    // P5, N35
    @Test(arguments: Operation.onSockets + Operation.onListeners)
    fileprivate func `whichever call fails, it is told, nothing is left, and the next try works`(
        operation: Operation
    ) throws {
        let calls = try operation.calls()
        #expect(!calls.isEmpty)
        for (place, call) in calls.enumerated() {
            for code in call.plausibleFailures {
                let scene = try Scene()
                let before = openDescriptorCount()
                let what = Comment("call \(place), \(call), \(code)")
                do {
                    try operation.perform(in: scene, Operation.failing(place, with: code))
                    let isMeant = code == .interrupted || operation.dispensable.contains(call)
                    #expect(isMeant, what)
                } catch let error as SocketError {
                    // A probe of who is there tells nothing of its own.
                    #expect(error.code == code || call == .connect, what)
                }
                #expect(openDescriptorCount() == before, what)
                #expect(scene.strayFiles == [], what)
                try operation.perform(in: scene)
                #expect(openDescriptorCount() == before, what)
                #expect(scene.strayFiles == [], what)
            }
        }
    }
}

// MARK: - Sockets

extension Operation {
    static let onSockets = [
        Operation("open") { scene, answers in
            var socket: Socket?
            try SystemCall.intercepting(answers) { socket = try Socket(for: scene.address) }
            try check(socket)
        },
        Operation("bind to a port") { scene, answers in
            let socket = try Socket(for: scene.address)
            try SystemCall.intercepting(answers) { try socket.bind(to: .loopback(port: 0)) }
        },
        Operation("bind to host and port") { scene, answers in
            let socket = try Socket(for: scene.address)
            try SystemCall.intercepting(answers) { try socket.bind(to: "127.0.0.1", port: 0) }
        },
        Operation("bind to a path") { scene, answers in
            let socket = try Socket(for: scene.unix)
            try SystemCall.intercepting(answers) { try socket.bind(to: scene.unix) }
            #expect(unlink(scene.path) == 0)
        },
        Operation("listen") { scene, answers in
            let socket = try Socket(for: scene.address)
            try SystemCall.intercepting(answers) { try socket.listen() }
        },
        Operation("accept") { scene, answers in
            let client = try Socket(for: scene.address)
            try client.connect(to: scene.address, within: .seconds(20))
            var accepted: Socket.Accepted?
            try SystemCall.intercepting(answers) { accepted = try scene.listener.accept() }
            let isThere = accepted != nil
            #expect(isThere)
        },
        Operation("connect") { scene, answers in
            let socket = try Socket(for: scene.address)
            try SystemCall.intercepting(answers) {
                try socket.connect(to: scene.address, within: .seconds(20))
            }
        },
        Operation("adopt a number") { scene, answers in
            let number = try Socket(for: scene.address).release().release()
            var socket: Socket?
            do {
                try SystemCall.intercepting(answers) {
                    socket = try Socket(adoptingNumber: number)
                }
            } catch {
                // Who can't adopt it leaves it open.
                #expect(close(number) == 0)
                throw error
            }
            try check(socket)
        },
        Operation("adopt a descriptor") { scene, answers in
            let number = try Socket(for: scene.address).release().release()
            var socket: Socket?
            try SystemCall.intercepting(answers) {
                socket = try Socket(adopting: Descriptor(adopting: number))
            }
            try check(socket)
        },
        Operation("pair") { _, answers in
            var pair: Socket.Pair?
            try SystemCall.intercepting(answers) { pair = try Socket.makePair() }
            let isThere = pair != nil
            #expect(isThere)
        },
        Operation("duplicate") { scene, answers in
            let socket = try Socket(for: scene.address)
            var copy: Socket?
            try SystemCall.intercepting(answers) { copy = try socket.duplicate() }
            try check(copy)
        },
        Operation("make a file") { scene, answers in
            let socket = try Socket(for: scene.address)
            var file: SocketFile?
            try SystemCall.intercepting(answers) { file = try socket.makeFile() }
            let isThere = file != nil
            #expect(isThere)
        },
        Operation("change modes") { scene, answers in
            let socket = try Socket(for: scene.address)
            try SystemCall.intercepting(answers) {
                try socket.setBlocking(true)
                try socket.setInheritable(true)
            }
            let modes = [try socket.isBlocking, try socket.isInheritable]
            #expect(modes == [true, true])
        },
    ]

    private static func check(_ socket: borrowing Socket?) throws {
        let isThere = socket != nil
        #expect(isThere)
    }
}

// MARK: - Listeners

extension Operation {
    static let onListeners = [
        Operation("wait for clients at a port") { _, answers in
            try listen(at: .loopback(port: 0), .init(), answers)
        },
        Operation("wait for clients at a path") { scene, answers in
            try listen(at: scene.unix, .init(), answers)
            #expect(scene.strayFiles == [])
        },
        Operation("wait for clients at a dead server's path") { scene, answers in
            try scene.leaveDead()
            try withMask(0o022) {
                try listen(at: scene.unix, replacing, answers) {
                    #expect(mode(of: scene.path) == 0o666)
                }
            }
        },
        // A listener does without what it keeps for hard times.
        Operation("listen at a port", without: [.open]) { _, answers in
            try serve(at: [.loopback(port: 0)], .init(), answers)
        },
        Operation("listen at a path", without: [.open]) { scene, answers in
            try serve(at: [scene.unix], .init(), answers)
        },
        Operation("serve at two ports", without: [.open]) { _, answers in
            try serve(at: [.loopback(port: 0), .loopback(port: 0)], .init(), answers)
        },
        Operation("serve at a port and a dead server's path", without: [.open]) { scene, answers in
            try scene.leaveDead()
            try serve(at: [.loopback(port: 0), scene.unix], replacing, answers)
        },
        // What a kernel may lack, and a peer that there is not, are only asked for.
        Operation("hear datagrams at a port", without: [.getOption, .peerName]) { _, answers in
            try hear(at: .loopback(port: 0), .init(), answers)
        },
        Operation("hear datagrams at a dead server's path", without: [.peerName]) {
            scene, answers in
            try scene.leaveDead()
            try hear(at: scene.unix, replacing, answers)
        },
    ]

    /// Replaces what is dead, and lets everybody in.
    private static let replacing: UnixPathOptions = {
        var options = UnixPathOptions()
        options.existing = .replaceDead
        options.permissions = 0o666
        return options
    }()

    private static func listen(
        at address: SocketAddress, _ path: UnixPathOptions,
        _ answers: @escaping SystemCall.Interceptor, _ check: () -> Void = {}
    ) throws {
        var options = ListenerOptions()
        options.unixPath = path
        var server: ServerSocket?
        try SystemCall.intercepting(answers) {
            server = try ServerSocket(at: address, options: options)
        }
        let isThere = server != nil
        #expect(isThere)
        check()
    }

    private static func serve(
        at addresses: [SocketAddress], _ path: UnixPathOptions,
        _ answers: @escaping SystemCall.Interceptor
    ) throws {
        let reactor = try Reactor()
        var options = ServerOptions()
        options.listener.unixPath = path
        let server = try SystemCall.intercepting(answers) {
            try reactor.listen(at: addresses, options: options)
        }
        #expect(server.addresses.count == addresses.count)
        let client = try Socket.connecting(to: server.addresses[addresses.count - 1])
        reactor.expect("the client is in") { server.connectionCount == 1 }
        let nothing = try client.receiveNow()
        #expect(nothing == [])
        server.close()
    }

    private static func hear(
        at address: SocketAddress, _ path: UnixPathOptions,
        _ answers: @escaping SystemCall.Interceptor
    ) throws {
        let reactor = try Reactor()
        var options = DatagramOptions()
        options.unixPath = path
        let channel = try SystemCall.intercepting(answers) {
            try DatagramChannel(on: reactor, at: address, options: options)
        }
        #expect(channel.isOpen)
        channel.close()
    }

    /// Sets the mask of the process while `body` runs.
    private static func withMask(_ mask: mode_t, _ body: () throws -> Void) rethrows {
        let before = umask(mask)
        defer { umask(before) }
        try body()
    }

    private static func mode(of path: String) -> UInt16? {
        var facts = stat()
        return lstat(path, &facts) == 0 ? UInt16(truncatingIfNeeded: facts.st_mode & 0o7777) : nil
    }
}
