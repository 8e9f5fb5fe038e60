// SPDX-License-Identifier: Apache-2.0
//
// What tasks are told of datagrams that did not arrive: a receiver once, by an error; a loop goes
// on and leaves it to whoever asks.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct DatagramErrorsInTasks {
    let reactor: Reactor
    let refused: SocketAddress

    init() throws {
        reactor = try Reactor()
        refused = try .deaf()
    }

    @discardableResult
    private func start(
        _ done: Flag = Flag(), _ body: @escaping @Sendable () async throws -> Void
    ) -> Task<Void, Never> {
        Task(executorPreference: reactor.executor) {
            do { try await body() } catch { Issue.record(error) }
            done.set()
        }
    }

    private func open(reportsErrors: Bool = true) throws -> AsyncDatagramChannel {
        var options = DatagramOptions()
        options.reportsErrors = reportsErrors
        return try .adopting(
            DatagramChannel(on: reactor, connectedTo: refused, options: options))
    }

    /// A loop over a channel's datagrams that is never to throw, and how many it took.
    private func loop(over channel: AsyncDatagramChannel) -> (task: Task<Void, Never>, taken: Log) {
        let taken = Log()
        let task = start {
            for try await datagram in channel.datagrams { taken.append(datagram.bytes.count) }
            taken.append(-1)
        }
        return (task, taken)
    }

    @Test func `a receiver is told once, and receives on`() throws {
        let channel = try open()
        let (refused, done, told) = (refused, Flag(), Flag())
        start(done) {
            try await channel.send([1])
            let error = await #expect(throws: DatagramError.self) { try await channel.receive() }
            #expect(error?.error == SocketError(.write, .connectionRefused, at: refused))
            #expect(error?.origin == .icmp)
            told.set()
            let datagram = try await channel.receive()
            #expect(datagram.bytes == [2])
            #expect(await channel.takeError() == nil)
        }
        reactor.expect("it is told") { told.isSet }
        reactor.settle()
        #expect(!done.isSet)
        let peer = try Socket.datagrams(at: refused)
        let own = try channel.onSameReactor { try $0.localAddress }
        #expect(try peer.send(([2] as [UInt8]).span.bytes, to: own) == .bytes(1))
        reactor.expect("the end") { done.isSet }
    }

    @Test func `a loop goes on, and the last error is there for who asks`() throws {
        let channel = try open()
        let (_, taken) = loop(over: channel)
        for _ in 0..<3 {
            start { try await channel.send([1]) }
            reactor.settle()
        }
        let last = channel.onSameReactor { [$0.takeError(), $0.takeError()] }
        #expect(last.map(\.?.error) == [SocketError(.write, .connectionRefused, at: refused), nil])
        #expect(taken.count == 0)
        channel.onSameReactor { $0.close() }
        reactor.expect("closing ends the loop") { taken.entries == [-1] }
    }

    /// The kernel tells a connected socket by its next call, without particulars.
    @Test func `a loop goes on although the kernel says no more than that it was refused`() throws {
        let channel = try open(reportsErrors: false)
        let (_, taken) = loop(over: channel)
        start { try await channel.send([1]) }
        reactor.settle()
        #expect(taken.count == 0)
        let error = channel.onSameReactor { $0.takeError() }
        #expect(error?.error.code == .connectionRefused)
        channel.onSameReactor { $0.close() }
        reactor.expect("closing ends the loop") { taken.entries == [-1] }
    }

    @Test func `a loop goes on although the kernel failed to give it a datagram`() throws {
        let channel = try open()
        let (_, taken) = loop(over: channel)
        reactor.settle()
        let peer = try Socket.datagrams(at: refused)
        let own = try channel.onSameReactor { try $0.localAddress }
        #expect(try peer.send(([2] as [UInt8]).span.bytes, to: own) == .bytes(1))
        Answers(.failure(.noMemory), to: [.receiveMessages]) { $0 <= 3 }.give { reactor.settle() }
        #expect(taken.entries == [1])
        channel.onSameReactor { $0.close() }
        reactor.expect("closing ends the loop") { taken.entries == [1, -1] }
    }

    @Test func `the last error is given, and then none`() throws {
        let channel = try open()
        let (task, taken) = loop(over: channel)
        start { try await channel.send([1]) }
        reactor.settle()
        // Somebody else closes the loop's wait; what comes then is passed over by nobody.
        channel.onSameReactor { $0.close() }
        reactor.expect("the loop ends") { taken.entries == [-1] }
        task.cancel()
        let last = channel.onSameReactor { [$0.takeError(), $0.takeError()] }
        #expect(last.map { $0 != nil } == [true, false])
    }

    @Test func `an error that no loop passed over takes the place of one that was`() throws {
        let channel = try open()
        let looping = Task(executorPreference: reactor.executor) {
            for try await _ in channel.datagrams { wrongly() }
        }
        start { try await channel.send([1]) }
        reactor.settle()
        looping.cancel()
        reactor.settle()
        start { try await channel.send([1]) }
        reactor.settle()
        let last = channel.onSameReactor { [$0.takeError(), $0.takeError()] }
        #expect(last.map { $0 != nil } == [true, false], "an older one came behind the last one")
    }

    @Test func `datagrams that came before an error are not lost by it`() throws {
        let channel = try open()
        let peer = try Socket.datagrams(at: refused)
        let own = try channel.onSameReactor { try $0.localAddress }
        for number in 0..<100 {
            #expect(try peer.send([UInt8(number)].span.bytes, to: own) == .bytes(1))
        }
        try peer.close()
        start { try await channel.send([1]) }
        let (_, taken) = loop(over: channel)
        reactor.expect("all are taken") { taken.count == 100 }
        reactor.expect("the error is told") { channel.onSameReactor { $0.takeError() } != nil }
    }
}
