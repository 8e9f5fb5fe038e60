// SPDX-License-Identifier: Apache-2.0
//
// Connectors that tasks wait for: the active one in one call, the passive one in two, and each end
// of a wait closes what is open (C1, C4 to C7, C11 to C13, C15).

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct ConnectorsInTasks {
    let reactor: Reactor
    private var executor: Reactor.Executor { reactor.executor }

    init() throws { reactor = try Reactor() }

    /// Runs `body` in a task on the reactor to its end; the test fails where it throws.
    private func run(_ body: @escaping @Sendable (Reactor.Executor) async throws -> Void) {
        let done = Flag()
        let executor = executor
        Task(executorPreference: executor) {
            do { try await body(executor) } catch { Issue.record(error) }
            done.set()
        }
        reactor.expect("the end of the task") { done.isSet }
        reactor.settle()
    }

    /// Runs `body` in a task on the reactor, and gives what it throws.
    private func start(
        _ body: @escaping @Sendable (Reactor.Executor) async throws -> Void
    ) -> (error: SharedValue<ConnectorError?>, done: Flag, task: Task<Void, Never>) {
        let (error, done, executor) = (SharedValue<ConnectorError?>(nil), Flag(), executor)
        let task = Task(executorPreference: executor) {
            do {
                try await body(executor)
            } catch let found as ConnectorError {
                error.change { $0 = found }
            } catch {
                Issue.record(error)
            }
            done.set()
        }
        return (error, done, task)
    }

    // C1, C4, C6, C13
    @Test func `two tasks are partners`() {
        run { executor in
            var options = ConnectorOptions.waiting
            options.text.encoding = .latin1
            let waiting = try await Connector.listening(options, on: executor)
            #expect(waiting.port != 0)
            let going = try await Connector.connect(.going(to: waiting.port), on: executor)
            let waited = try await waiting.connection()
            let encoding = await waited.options.text.encoding
            #expect(encoding == .latin1)
            try await going.writeLine("hello")
            let line = try await waited.readLine()
            #expect(line == "hello")
            await going.close()
            await waited.close()
        }
    }

    // C6
    @Test func `a partner may come before anybody waits for the connection`() {
        run { executor in
            let waiting = try await Connector.listening(.waiting, on: executor)
            let going = try await Connector.connect(.going(to: waiting.port), on: executor)
            // Its turn comes, and its time.
            try await executor.sleep(for: .milliseconds(5))
            let waited = try await waiting.connection()
            #expect(waited.peerAddress == (try await going.localAddress))
            await going.close()
            await waited.close()
        }
    }

    // C7, C11
    @Test func `one connection is all there is`() {
        run { executor in
            let waiting = try await Connector.listening(.waiting, on: executor)
            let going = try await Connector.connect(.going(to: waiting.port), on: executor)
            let waited = try await waiting.connection()
            do throws(ConnectorError) {
                _ = try await waiting.connection()
                wrongly()
            } catch {
                #expect(error == .alreadyConnecting)
            }
            do throws(ConnectorError) {
                _ = try await Connector.connect(.going(to: waiting.port), on: executor)
                wrongly()
            } catch {
                guard case .connect = error else { throw error }
            }
            await going.close()
            await waited.close()
        }
    }

    // C5, C11
    @Test func `what goes wrong at the start is thrown`() throws {
        let server = try reactor.listen()
        let port = server.address.port ?? 0
        let inUse = SocketError(.bind, .addressInUse, at: server.address)
        let unused = try SocketAddress.unused()
        run { executor in
            var options = ConnectorOptions.waiting
            options.port = port
            do throws(ConnectorError) {
                _ = try await Connector.listening(options, on: executor)
                wrongly()
            } catch {
                #expect(error == .socket(inUse))
            }
            do throws(ConnectorError) {
                _ = try await Connector.connect(.going(to: unused.port), on: executor)
                wrongly()
            } catch {
                guard case .connect(let reason) = error else { throw error }
                let refused = SocketError(.connect, .connectionRefused, at: unused)
                #expect(reason.cause == .refused(refused))
            }
        }
        server.close()
    }

    // C12
    @Test func `an opening of the program's serves tasks, too`() {
        run { executor in
            let opening = PromptOpening(.error(Mishap()))
            do throws(ConnectorError) {
                _ = try await Connector.connect(.going(to: 9), on: executor, opening: opening)
                wrongly()
            } catch {
                #expect(error == .opening(OpeningError(Mishap())))
            }
            let prompt = PromptOpening(.channel)
            let connection = try await Connector.connect(
                .going(to: 9), on: executor, opening: prompt)
            await connection.close()
        }
    }

    // C6, C12
    @Test func `a passive partner whose port is known takes one call`() {
        run { executor in
            let port = try SocketAddress.unused().port ?? 0
            var values = ConnectorOptions.waiting
            values.port = port
            let options = values
            async let waited = Connector.connect(options, on: executor)
            var going: Connection?
            for _ in 0..<1_000 where going == nil {
                do throws(ConnectorError) {
                    going = try await Connector.connect(.going(to: port), on: executor)
                } catch {
                    // It listens soon.
                    guard case .connect = error else { throw error }
                }
            }
            try await waited.close()
            await going?.close()
        }
    }

    // MARK: Ends

    // C15
    @Test(arguments: [ConnectorOptions.Mode.active, .passive])
    func `a cancelled task closes what its connector has opened`(
        mode: ConnectorOptions.Mode
    ) throws {
        let silent = try SilentListener()
        let port = silent.address.port
        let before = openDescriptorCount()
        let (error, done, task) = start { executor in
            if mode == .active {
                _ = try await Connector.connect(.going(to: port), on: executor)
            } else {
                _ = try await Connector.listening(.waiting, on: executor).connection()
            }
        }
        reactor.settle()
        #expect(openDescriptorCount() == before + (mode == .active ? 1 : 2))
        task.cancel()
        reactor.expect("the end of the task") { done.isSet }
        #expect(error.value == .cancelled)
        reactor.settle()
        #expect(openDescriptorCount() == before)
        withExtendedLifetime(silent) {}
    }

    // C15
    @Test(arguments: [ConnectorOptions.Mode.active, .passive])
    func `a deadline of the task's ends the wait and the connector`(
        mode: ConnectorOptions.Mode
    ) throws {
        let silent = try SilentListener()
        let port = silent.address.port
        let before = openDescriptorCount()
        let (error, done, _) = start { executor in
            let waiting = try await Connector.listening(.waiting, on: executor)
            try await executor.within(.milliseconds(20)) {
                if mode == .active {
                    await waiting.close()
                    _ = try await Connector.connect(.going(to: port), on: executor)
                } else {
                    _ = try await waiting.connection()
                }
            }
        }
        reactor.expect("the end of the task") { done.isSet }
        #expect(error.value == .timedOut)
        reactor.settle()
        #expect(openDescriptorCount() == before)
        withExtendedLifetime(silent) {}
    }

    // C15
    @Test func `the connector's own limit is told as a timeout`() {
        let (error, done, _) = start { executor in
            var options = ConnectorOptions.waiting
            options.timeLimit = .milliseconds(20)
            _ = try await Connector.listening(options, on: executor).connection()
        }
        reactor.expect("the end of the task") { done.isSet }
        #expect(error.value?.isTimeout == true)
    }

    // C3, C15
    @Test func `one that is closed ends the wait for it`() {
        let (error, done, _) = start { executor in
            let waiting = try await Connector.listening(.waiting, on: executor)
            Task(executorPreference: executor) { await waiting.close() }
            _ = try await waiting.connection()
        }
        reactor.expect("the end of the task") { done.isSet }
        #expect(error.value == .cancelled)
        #expect(reactor.openSockets().isEmpty)
    }

    // C3, C15
    @Test(arguments: [false, true])
    func `one that nobody holds closes what is open`(isConnected: Bool) throws {
        let before = openDescriptorCount()
        let peer = SharedValue<Connection?>(nil)
        run { executor in
            let waiting = try await Connector.listening(.waiting, on: executor)
            if isConnected {
                let going = try await Connector.connect(.going(to: waiting.port), on: executor)
                peer.change { $0 = going }
            }
            try await executor.sleep(for: .milliseconds(5))
            withExtendedLifetime(waiting) {}
        }
        reactor.settle()
        #expect(openDescriptorCount() == before + (isConnected ? 1 : 0))
        peer.change { $0 = nil }
        reactor.settle()
        #expect(openDescriptorCount() == before)
    }

    // C3, C15
    @Test func `the end of the reactor ends the wait`() throws {
        let before = openDescriptorCount()
        let errors = SharedValue<[ConnectorError]>([])
        do {
            let reactor = try Reactor()
            let executor = reactor.executor
            let silent = try SilentListener()
            let port = silent.address.port
            for isActive in [false, true] {
                Task(executorPreference: executor) {
                    do throws(ConnectorError) {
                        if isActive {
                            _ = try await Connector.connect(.going(to: port), on: executor)
                        } else {
                            _ = try await Connector.listening(.waiting, on: executor).connection()
                        }
                    } catch {
                        errors.change { $0.append(error) }
                    }
                }
            }
            reactor.settle()
            #expect(errors.value.isEmpty)
            #expect(reactor.openSockets().count == 2)
            withExtendedLifetime(silent) {}
        }
        #expect(errors.value == [.cancelled, .cancelled])
        #expect(openDescriptorCount() == before)
    }

    // C3
    @Test func `on a reactor that has ended there is nothing to wait for`() async throws {
        let executor = try Reactor().executor
        do throws(ConnectorError) {
            _ = try await Connector.connect(.going(to: 9), on: executor)
            wrongly()
        } catch {
            #expect(error == .cancelled)
        }
        do throws(ConnectorError) {
            _ = try await Connector.listening(.waiting, on: executor)
            wrongly()
        } catch {
            #expect(error == .cancelled)
        }
    }
}
