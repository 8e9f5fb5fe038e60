// SPDX-License-Identifier: Apache-2.0
//
// Running out of descriptors and memory: turn one away, pause, tell once, go on by itself.

import Glibc
import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct Exhaustion {
    static let codes: [ErrorCode] = [
        .tooManyOpenFiles, .tooManyOpenFilesInSystem, .noBufferSpace, .noMemory,
    ]

    let reactor: Reactor
    let errors = Box<[SocketError?]>([])
    let channels = Box<[Channel]>([])
    let server: Server
    var address: SocketAddress { server.addresses.first ?? .unnamed }

    init() throws {
        reactor = try Reactor()
        server = try Server(on: reactor, at: [.loopback(port: 0)]) { [channels] channel, _ in
            channels.value.append(channel)
        }
        reactor.onError = { [errors] error, _ in errors.value.append(error as? SocketError) }
    }

    @Test(arguments: codes)
    func `a client that can't be accepted is turned away and told once`(code: ErrorCode) throws {
        let peer = try Socket.connecting(to: address)
        let answers = Answers(.failure(code), to: [.accept]) { $0 == 1 }
        answers.give { reactor.settle(passes: 5) }
        #expect(server.counters.accepted == 0)
        #expect(try peer.receiveNow() == nil)
        #expect(errors.value == [SocketError(.accept, code, at: address)])
        #expect(answers.count == 2)
        server.close()
    }

    @Test(arguments: codes)
    func `a pause is short, bounded work, and one notice`(code: ErrorCode) throws {
        let peer = try Socket.connecting(to: address)
        let isOver = Box(false)
        reactor.after(.milliseconds(100)) { isOver.value = true }
        let passes = Box(0)
        SystemCall.failing(.accept, with: code) {
            reactor.expect("time passes") {
                passes.value += 1
                return isOver.value
            }
        }
        #expect(passes.value < 40)
        #expect(errors.value.count == 1)
        #expect(try peer.receiveNow() == [])
        server.close()
    }

    @Test func `the system is asked ever more rarely while nothing is left`() throws {
        let peer = try Socket.connecting(to: address)
        let isOver = Box(false)
        let answers = Answers(.failure(.tooManyOpenFiles), to: [.accept])
        reactor.after(.milliseconds(200)) { isOver.value = true }
        answers.give { reactor.expect("time passes") { isOver.value } }
        // Pauses of 10, 20, 40, 80 and 160 ms, with one try and one turning away each.
        #expect((6...12).contains(answers.count))
        #expect(try peer.receiveNow() == [])
        server.close()
    }

    @Test func `accepting goes on by itself when there is room again`() throws {
        let peer = try Socket.connecting(to: address)
        let answers = Answers(.failure(.tooManyOpenFiles), to: [.accept]) { $0 <= 4 }
        answers.give { reactor.expect("the client is in") { server.connectionCount == 1 } }
        #expect(try peer.receiveNow() == [])
        #expect(errors.value.count == 1)
        server.close()
    }

    @Test func `accepting goes on at once when a channel closes`() throws {
        let first = try Socket.connecting(to: address)
        reactor.expect("the first client is in") { server.connectionCount == 1 }
        let second = try Socket.connecting(to: address)
        let isOver = Box(false)
        reactor.after(.milliseconds(100)) { isOver.value = true }
        SystemCall.failing(.accept, with: .tooManyOpenFiles) {
            reactor.expect("the pause grows long") { isOver.value }
        }
        let start = ContinuousClock.now
        channels.value.removeFirst().close()
        reactor.settle(passes: 5)
        #expect(server.counters.accepted == 2)
        #expect(ContinuousClock.now - start < .milliseconds(40))
        #expect(try first.receiveNow() == nil)
        #expect(try second.receiveNow() == [])
        server.close()
    }

    @Test func `a shortage that goes on is told once, also when clients get in between`() throws {
        for round in 1...2 {
            let peer = try Socket.connecting(to: address)
            let answers = Answers(.failure(.tooManyOpenFiles), to: [.accept]) { $0 <= 2 }
            answers.give {
                reactor.expect("the client is in") { server.counters.accepted == round }
            }
            #expect(errors.value.count == 1)
            #expect(try peer.receiveNow() == [])
        }
        server.close()
    }

    @Test func `a client that gave up before it was accepted does not count as a shortage`() throws
    {
        let peer = try Socket.connecting(to: address)
        let answers = Answers(.failure(.connectionAborted), to: [.accept]) { $0 == 1 }
        answers.give { reactor.settle(passes: 5) }
        #expect(server.counters.accepted == 1)
        #expect(errors.value.isEmpty)
        #expect(try peer.receiveNow() == [])
        server.close()
    }

    @Test(arguments: codes)
    func `a client without descriptors says so at once`(code: ErrorCode) throws {
        let client = Client(on: reactor)
        let error = #expect(throws: SocketError.self) {
            try SystemCall.failing(.createSocket, with: code) {
                try client.connect(to: address) { _ in wrongly() }
            }
        }
        #expect(error == SocketError(.create, code, at: address))
        reactor.settle()
        server.close()
    }

    @Test(arguments: codes)
    func `a server without descriptors says so at once`(code: ErrorCode) {
        let error = #expect(throws: SocketError.self) {
            try SystemCall.failing(.createSocket, with: code) {
                _ = try Server(on: reactor, at: [.loopback(port: 0)]) { _, _ in }
            }
        }
        #expect(error == SocketError(.create, code, at: .loopback(port: 0)))
        server.close()
    }

    @Test(arguments: [SystemCall.createEvent, .createTimer])
    func `a reactor without descriptors says so`(call: SystemCall) {
        let error = #expect(throws: SocketError.self) {
            try SystemCall.failing(call, with: .tooManyOpenFiles) {
                _ = try Reactor()
            }
        }
        #expect(error == SocketError(.create, .tooManyOpenFiles))
        server.close()
    }

    @Test func `whatever descriptor is the first that can't be had, a reactor says so`() {
        let kind = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limit = rlimit()
        getrlimit(kind, &limit)
        defer { setrlimit(kind, &limit) }
        var refusals = 0
        // The limit is one of numbers: below the lowest that is free nothing can be had at all, however
        // many are open above it. It is asked for once, as under the low limit none may be left.
        let lowest = dup(0)
        close(lowest)
        for spare in 0..<100 {
            var low = limit
            low.rlim_cur = rlim_t(Int(lowest) + spare)
            setrlimit(kind, &low)
            do throws(SocketError) {
                _ = try Reactor()
                break
            } catch {
                #expect(error == SocketError(.create, .tooManyOpenFiles))
                refusals += 1
            }
        }
        #expect((4..<100).contains(refusals))
        server.close()
    }
}
