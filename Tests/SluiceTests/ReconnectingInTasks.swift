// SPDX-License-Identifier: Apache-2.0
//
// Connections that come again, in tasks: each in turn, each state, and every way in which a wait
// for them ends (W31).

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct ReconnectingInTasks {
    let group: ReactorGroup
    private var executor: Reactor.Executor { group.executors[0] }

    init() throws { group = try ReactorGroup(count: 1) }

    private func options(
        _ edit: (inout ReconnectingOptions) -> Void = { _ in }
    ) -> ReconnectingOptions {
        var options = ReconnectingOptions()
        options.firstDelay = .milliseconds(1)
        options.longestDelay = .milliseconds(2)
        edit(&options)
        return options
    }

    /// Runs a server beside `body`, and ends everything.
    private func serving(
        _ handler: @escaping @Sendable (isolated Connection) async throws -> Void,
        _ body: (Endpoint) async throws -> Void
    ) async throws {
        var options = ServingOptions()
        options.onError = { _, _ in }
        let server = try await ServerGroup(on: group, at: [.loopback(port: 0)], options: options)
        let run = Task { try await server.run(handler) }
        try await body(.address(server.addresses[0]))
        server.close()
        try await run.value
        await group.stop()
    }

    // W31
    @Test func `each connection comes in turn, until the program stops it`() async throws {
        let count = Tally()
        try await serving { connection in
            // Who has asked for no connection yet would lose one that ends at once.
            _ = try await connection.readLine()
            count.add(1)
            try await connection.writeLine("\(count.value)")
        } _: { endpoint in
            let reconnecting = ReconnectingConnection(
                to: endpoint, on: executor, options: options())
            var lines: [String] = []
            for try await connection in reconnecting.connections {
                try await connection.writeLine("mine")
                if let line = try await connection.readLine() { lines.append(line) }
                if lines.count == 3 { reconnecting.stop() }
            }
            #expect(lines == ["1", "2", "3"])
            #expect(await reconnecting.state == .stopped(.asked))
        }
        #expect(count.value == 3)
    }

    @Test func `who asks for the next connection closes the one before`() async throws {
        let open = Tally()
        let most = Tally()
        try await serving { connection in
            open.add(1)
            defer { open.add(-1) }
            if open.value > 1 { most.add(1) }
            let end = try await connection.read()
            #expect(end == [])
        } _: { endpoint in
            let reconnecting = ReconnectingConnection(
                to: endpoint, on: executor, options: options())
            var kept: [Connection] = []
            for try await connection in reconnecting.connections {
                for earlier in kept { #expect(await earlier.status == .closed) }
                kept.append(connection)
                while open.value == 0 { try await executor.sleep(for: .milliseconds(1)) }
                if kept.count == 3 { break }
            }
            reconnecting.stop()
            while open.value > 0 { try await executor.sleep(for: .milliseconds(1)) }
        }
        #expect(most.value == 0)
    }

    @Test func `a connection that comes and goes while a task is busy is not lost`() async throws {
        let isAskedFor = Flag()
        let begins = Tally()
        let ends = Tally()
        try await serving { connection in
            while !isAskedFor.isSet { try await connection.executor.sleep(for: .milliseconds(1)) }
            begins.add(1)
            try await connection.writeLine("\(begins.value)")
            connection.close()
            ends.add(1)
        } _: { endpoint in
            let reconnecting = ReconnectingConnection(
                to: endpoint, on: executor, options: options())
            let connections = reconnecting.connections
            isAskedFor.set()
            var lines: [String] = []
            for try await connection in connections {
                if let line = try await connection.readLine() { lines.append(line) }
                if lines.count == 3 {
                    reconnecting.stop()
                    continue
                }
                await connection.close()
                // The next one comes, and goes.
                while ends.value <= lines.count {
                    try await executor.sleep(for: .milliseconds(1))
                }
                try await executor.sleep(for: .milliseconds(1))
            }
            #expect(lines == ["1", "2", "3"])
        }
    }

    // W31
    @Test func `states come once and in order, and end behind the last`() async throws {
        try await serving { _ in
        } _: { endpoint in
            let reconnecting = ReconnectingConnection(
                to: endpoint, on: executor, options: options { $0.mostAttempts = 2 })
            var states: [ReconnectingConnection.State] = []
            for try await state in reconnecting.states { states.append(state) }
            guard case .address(let address) = endpoint, states.count == 6,
                case .waiting(_, .ended(.finished)) = states[2]
            else {
                Issue.record("the states were \(states)")
                return
            }
            #expect(states[0] == .connecting(attempt: 1))
            #expect(states[1] == .connected(address))
            #expect(states[3] == .connecting(attempt: 2))
            #expect(states[4] == .connected(address))
            #expect(states[5] == .stopped(.tooManyAttempts(2, after: .ended(.finished))))
        }
    }

    // W31
    @Test func `a limit is told as an error, again and again`() async throws {
        let address = try SocketAddress.unused()
        let reconnecting = ReconnectingConnection(
            to: .address(address), on: executor, options: options { $0.mostAttempts = 2 })
        for _ in 0..<2 {
            do throws(ReconnectingError) {
                let connection = try await reconnecting.connections.next(isolation: nil)
                Issue.record("there was \(String(describing: connection))")
            } catch {
                guard case .gaveUp(.tooManyAttempts(2, .failed(let failure))) = error else {
                    Issue.record(error)
                    break
                }
                let refused = SocketError(.connect, .connectionRefused, at: address)
                #expect(failure.cause == .refused(refused))
                #expect("\(error)" == "gave up after 2 attempts: \(failure)")
            }
        }
        await group.stop()
    }

    // W31
    @Test func `cancelling a task that waits stops the whole`() async throws {
        let address = try SocketAddress.unused()
        let reconnecting = ReconnectingConnection(
            to: .address(address), on: executor, options: options())
        let task = Task {
            do throws(ReconnectingError) {
                _ = try await reconnecting.connections.next(isolation: nil)
                return ReconnectingError?.none
            } catch {
                return error
            }
        }
        let iterator = reconnecting.states.makeAsyncIterator()
        while let state = try await iterator.next(isolation: nil) {
            if case .waiting = state { break }
        }
        task.cancel()
        #expect(await task.value == .wait(SocketError(.wait, .cancelled)))
        var last: ReconnectingConnection.State?
        while let state = try await iterator.next(isolation: nil) { last = state }
        #expect(last == .stopped(.asked))
        let next = try await reconnecting.connections.next(isolation: nil)
        #expect(next == nil)
        await group.stop()
    }

    @Test func `a deadline ends a wait, and nothing else`() async throws {
        let address = try SocketAddress.unused()
        let reconnecting = ReconnectingConnection(
            to: .address(address), on: executor, options: options())
        do {
            try await executor.within(.milliseconds(5)) {
                _ = try await reconnecting.connections.next(isolation: nil)
            }
            Issue.record("there was a connection")
        } catch {
            let expected = ReconnectingError.wait(SocketError(.wait, .timedOut))
            #expect(error as? ReconnectingError == expected)
        }
        if case .stopped = await reconnecting.state { Issue.record("it stopped") }
        reconnecting.stop()
        let next = try await reconnecting.connections.next(isolation: nil)
        #expect(next == nil)
        await group.stop()
    }

    @Test func `a second task that waits is refused`() async throws {
        let address = try SocketAddress.unused()
        let reconnecting = ReconnectingConnection(
            to: .address(address), on: executor,
            options: options { $0.firstDelay = .seconds(600) })
        var busy = 0
        await withTaskGroup(of: ReconnectingError?.self) { tasks in
            for _ in 0..<2 {
                tasks.addTask {
                    do throws(ReconnectingError) {
                        _ = try await reconnecting.connections.next(isolation: nil)
                        return nil
                    } catch {
                        return error
                    }
                }
            }
            for await error in tasks {
                if error == .wait(SocketError(.wait, .busy)) { busy += 1 }
                reconnecting.stop()
            }
        }
        #expect(busy == 1)
        await group.stop()
    }

    @Test(arguments: [false, true])
    func `the end of the reactor ends every wait`(isStarted: Bool) async throws {
        let address = try SocketAddress.unused()
        let executor = executor
        if !isStarted { await group.stop() }
        let reconnecting = ReconnectingConnection(
            to: .address(address), on: executor,
            options: options { $0.firstDelay = .seconds(600) })
        let cancelled = ReconnectingError.wait(SocketError(.wait, .cancelled))
        let task = Task {
            do throws(ReconnectingError) {
                _ = try await reconnecting.connections.next(isolation: nil)
                return ReconnectingError?.none
            } catch {
                return error
            }
        }
        if isStarted {
            _ = try await reconnecting.states.next(isolation: nil)
            await group.stop()
        }
        #expect(await task.value == cancelled)
        #expect(await reconnecting.send([1]) == .refused(.notConnected))
    }

    @Test func `what nobody holds any more is stopped`() async throws {
        let ends = Tally()
        let begins = Tally()
        try await serving { connection in
            begins.add(1)
            _ = try await connection.read()
            ends.add(1)
        } _: { endpoint in
            do {
                let reconnecting = ReconnectingConnection(
                    to: endpoint, on: executor, options: options())
                while begins.value == 0 { try await executor.sleep(for: .milliseconds(1)) }
                withExtendedLifetime(reconnecting) {}
            }
            while ends.value == 0 { try await executor.sleep(for: .milliseconds(1)) }
            #expect(begins.value == 1)
        }
    }

    // MARK: Messages

    // W31
    @Test func `messages of tasks wait for the connection to have room`() async throws {
        let count = Tally()
        let bytes = [UInt8](repeating: 0x6D, count: 100_000)
        try await serving { connection in
            while true {
                let bytes = try await connection.read()
                if bytes.isEmpty { return }
                count.add(bytes.count)
            }
        } _: { endpoint in
            let reconnecting = ReconnectingConnection(
                to: endpoint, on: executor, options: options())
            let iterator = reconnecting.states.makeAsyncIterator()
            while let state = try await iterator.next(isolation: nil) {
                if case .connected = state { break }
            }
            for _ in 0..<200 { #expect(await reconnecting.send(bytes) == .given) }
            reconnecting.stop()
            while try await iterator.next(isolation: nil) != nil {}
        }
        #expect(count.value == 20_000_000)
    }

    // W31
    @Test func `messages that were not sent come back to the program`() async throws {
        let address = try SocketAddress.unused()
        let unsent = SharedValue<[UnsentMessage]>([])
        let reconnecting = ReconnectingConnection(
            to: .address(address), on: executor,
            options: options { $0.whatToDoWithUnsent = .keep }
        ) { messages in
            unsent.change { $0 += messages }
        }
        #expect(await reconnecting.send([1]) == .queued)
        #expect(await reconnecting.send([2]) == .queued)
        reconnecting.reconnectNow()
        reconnecting.abort()
        for try await _ in reconnecting.states {}
        #expect(
            unsent.value == [
                UnsentMessage([1], handedOver: 0), UnsentMessage([2], handedOver: 0),
            ])
        await group.stop()
    }
}
