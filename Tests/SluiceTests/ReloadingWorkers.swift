// SPDX-License-Identifier: Apache-2.0
//
// New workers in the place of old ones: nobody is refused, and what does not get ready is given up.
// And a whole supervising process, by its signals.

import Glibc
import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors, .serialized)
struct ReloadingWorkers {
    private let reactor: Reactor

    init() throws { reactor = try Reactor() }

    private func end(_ supervisor: Supervisor) {
        supervisor.drain()
        reactor.expect("all workers have ended") { supervisor.result?.exitStatus == 0 }
        #expect(!hasEndedChildren())
    }

    @Test(arguments: [SupervisorOptions.Sharing.reusePort, .shared])
    func `a reload takes no client from anybody`(sharing: SupervisorOptions.Sharing) throws {
        let word = Box("g1")
        let supervisor = try reactor.supervisor(
            2, { $0.sharing = sharing }, launch: { _ in PythonWorker.launch(word.value) })
        let record = SupervisorRecord(of: supervisor)
        reactor.start(supervisor)
        let address = supervisor.addresses[0]
        let steady = try SteadyClients(4, to: address, on: reactor)
        reactor.expect("clients are served") { steady.answers.count >= 20 }
        for generation in 2...4 {
            let held = try HeldClients(4, to: address, on: reactor)
            let old = supervisor.processes
            let results = Box<[Result<Int, ReloadError>]>([])
            word.value = "g\(generation)"
            supervisor.reload { results.value.append($0) }
            reactor.expect("the new ones are ready") { !results.value.isEmpty }
            #expect(results.value == [.success(generation)])
            // The old ones drain for as long as they have clients.
            #expect(held.lost.isEmpty)
            held.close()
            reactor.expect("the old ones have ended") { supervisor.isWhole(2) }
            #expect(supervisor.processes.isDisjoint(with: old))
            #expect(record.has(.serving(generation: generation)))
            let count = steady.answers.count
            reactor.expect("clients come as before") { steady.answers.count >= count + 50 }
            #expect(
                steady.answers.suffix(40).allSatisfy { WorkerAnswer($0)?.word == word.value })
        }
        steady.stop()
        #expect(steady.refusals == [])
        #expect(steady.losses == [])
        #expect(record.ends.allSatisfy { $0.end == .exited(0) })
        end(supervisor)
    }

    fileprivate enum Fault: String, CaseIterable {
        case ends, neverReady, refused, missing
    }

    @Test(arguments: Fault.allCases)
    fileprivate func `new workers that do not get ready are given up, and the old ones go on`(
        fault: Fault
    ) throws {
        let isNew = Box(false)
        func launch(_ slot: Int) throws -> ProcessLaunch {
            // The first of the new ones is as good as the old.
            guard isNew.value, slot == 1 else { return PythonWorker.launch() }
            switch fault {
            case .ends: return PythonWorker.launch("new", "fail")
            case .neverReady: return PythonWorker.launch("new", "mute")
            case .refused: throw SocketError(.read, .noEntry)
            case .missing: return ProcessLaunch(program: "/nonexistent")
            }
        }
        let supervisor = try reactor.supervisor(
            2, { if fault == .neverReady { $0.startLimit = .seconds(3) } }, launch: launch)
        let record = SupervisorRecord(of: supervisor)
        reactor.start(supervisor)
        let old = supervisor.processes
        let steady = try SteadyClients(2, to: supervisor.addresses[0], on: reactor)
        let expected: ReloadError =
            switch fault {
            case .ends: .ended(slot: 1, .exited(1))
            case .neverReady: .late(slot: 1)
            case .refused: .refused("\(SocketError(.read, .noEntry))")
            case .missing: .startFailed(slot: 1, reason: "\(SocketError(.launch, .noEntry))")
            }
        isNew.value = true
        let results = Box<[Result<Int, ReloadError>]>([])
        supervisor.reload { results.value.append($0) }
        reactor.expect("it is told") { !results.value.isEmpty }
        #expect(results.value == [.failure(expected)])
        #expect(record.has(.reloadFailed(generation: 2, expected)))
        reactor.expect("the old ones are left") { supervisor.isWhole(2) }
        #expect(supervisor.processes == old)
        #expect(supervisor.generation == 1)
        // An old one that ends now is started as it was.
        let victim = try #require(supervisor.workers[1].processID)
        kill(victim, SIGKILL)
        reactor.expect("it is replaced") {
            supervisor.isWhole(2) && !supervisor.processes.contains(victim)
        }
        steady.stop()
        #expect(steady.refusals == [])
        #expect(steady.losses.allSatisfy { $0 == .finished || $0 == .reset })
        end(supervisor)
    }

    @Test func `a reload during a reload follows it, and a drain gives both up`() throws {
        let calls = Box(0)
        let supervisor = try reactor.supervisor(
            1,
            launch: { _ in
                calls.value += 1
                return PythonWorker.launch("g\(calls.value)")
            })
        reactor.start(supervisor, 1)
        let results = Box<[Result<Int, ReloadError>]>([])
        supervisor.reload { results.value.append($0) }
        supervisor.reload { results.value.append($0) }
        supervisor.reload { results.value.append($0) }
        reactor.expect("all are told") { results.value.count == 3 }
        #expect(results.value == [.success(2), .success(3), .success(3)])
        #expect(calls.value == 3)
        results.value = []
        supervisor.reload { results.value.append($0) }
        supervisor.reload { results.value.append($0) }
        supervisor.drain()
        #expect(results.value == [.failure(.draining), .failure(.draining)])
        reactor.expect("it ends") { supervisor.result != nil }
        supervisor.reload { results.value.append($0) }
        #expect(results.value.count == 3)
    }

    @Test func `a reload that is asked for when one has failed is another one`() throws {
        let isBad = Box(false)
        let supervisor = try reactor.supervisor(
            1,
            launch: { _ in
                if isBad.value { throw SocketError(.read, .noEntry) }
                return PythonWorker.launch()
            })
        reactor.start(supervisor, 1)
        isBad.value = true
        let results = Box<[String]>([])
        supervisor.onEvent = { event in
            guard case .reloadFailed = event else { return }
            isBad.value = false
            supervisor.reload { results.value.append("second \((try? $0.get()) ?? 0)") }
        }
        supervisor.reload { results.value.append("first \((try? $0.get()) ?? 0)") }
        reactor.expect("both are told") { results.value.count == 2 }
        #expect(results.value == ["first 0", "second 3"])
        supervisor.onEvent = nil
        end(supervisor)
    }

    @Test func `what was not started is not reloaded`() throws {
        let supervisor = try reactor.supervisor(1, launch: { _ in PythonWorker.launch() })
        let results = Box<[Result<Int, ReloadError>]>([])
        supervisor.reload { results.value.append($0) }
        #expect(results.value == [.failure(.notStarted)])
        supervisor.drain()
        #expect(supervisor.result?.exitStatus == 0)
    }

    // MARK: A whole process

    /// A service manager that has heard some messages.
    private final class Manager {
        private let socket: Socket
        let notifier: ServiceNotifier
        private(set) var messages: [String] = []

        init() throws {
            socket = try Socket(family: .unix, kind: .datagram)
            try socket.bind(to: .unnamed)
            notifier = ServiceNotifier(
                to: try socket.localAddress, watchdogInterval: .milliseconds(50))
        }

        func read() throws {
            while let (bytes, _) = try socket.receiveDatagram() { messages.append(bytes.text) }
        }

        /// Without those that say that the supervisor lives.
        var news: [String] { messages.filter { $0 != "WATCHDOG=1" } }
    }

    @Test func `a supervising process is led by signals, and tells its service manager`() throws {
        let calls = Box(0)
        let supervisor = try reactor.supervisor(
            1, { $0.forwarded = [.user1] },
            launch: { _ in
                calls.value += 1
                if calls.value == 3 { throw SocketError(.read, .noEntry) }
                return PythonWorker.launch("g\(calls.value)")
            })
        let manager = try Manager()
        var isForwarded = false
        let reader = reactor.every(.milliseconds(5)) {
            try manager.read()
            guard !isForwarded, supervisor.workers.first?.status == "user1" else { return }
            isForwarded = true
            raiseNow(SIGHUP)
        }
        supervisor.onEvent = { event in
            switch event {
            case .serving(generation: 1): raiseNow(SIGUSR1)
            case .serving(generation: 2): raiseNow(SIGHUP)
            case .reloadFailed: raiseNow(SIGTERM)
            default: break
            }
        }
        let rescue = reactor.after(.seconds(20)) { reactor.stop() }
        let status = try supervisor.run(telling: manager.notifier)
        rescue.cancel()
        reader.cancel()
        try manager.read()
        #expect(status == 0)
        #expect(isForwarded)
        let news = manager.news.map { text in
            text.split(separator: "\n").filter { !$0.hasPrefix("MONOTONIC_USEC=") }
                .joined(separator: " ")
        }
        #expect(
            news == [
                "READY=1 STATUS=generation 1 serves", "RELOADING=1",
                "READY=1 STATUS=generation 2 serves", "RELOADING=1",
                "READY=1 STATUS=reload failed: \(SocketError(.read, .noEntry))", "STOPPING=1",
            ])
        #expect(manager.messages.contains("WATCHDOG=1"))
        #expect(!hasEndedChildren())
    }

    @Test func `a second signal ends all at once`() throws {
        let supervisor = try reactor.supervisor(
            2, launch: { _ in PythonWorker.launch("one", "stubborn") })
        supervisor.onEvent = { event in
            switch event {
            case .serving: raiseNow(SIGINT)
            case .draining: reactor.after(.milliseconds(20)) { raiseNow(SIGTERM) }
            default: break
            }
        }
        let rescue = reactor.after(.seconds(20)) { reactor.stop() }
        let status = try supervisor.run(telling: nil)
        rescue.cancel()
        #expect(status == 130)
        #expect(supervisor.result?.isInterrupted == true)
        #expect(!hasEndedChildren())
    }

    @Test func `a reactor that is stopped ends all at once`() throws {
        let supervisor = try reactor.supervisor(
            1, launch: { _ in PythonWorker.launch("one", "stubborn") })
        supervisor.onEvent = { if case .serving = $0 { reactor.stop() } }
        let rescue = reactor.after(.seconds(20)) { reactor.stop() }
        #expect(try supervisor.run(telling: nil) == 130)
        rescue.cancel()
        #expect(!hasEndedChildren())
    }

    @Test func `inside a run that is stopped as well no worker is left`() throws {
        let supervisor = try reactor.supervisor(
            1, launch: { _ in PythonWorker.launch("one", "stubborn") })
        var processes: Set<Int32> = []
        supervisor.onEvent = { [unowned supervisor] in
            guard case .serving = $0 else { return }
            processes = supervisor.processes
            reactor.stop()
        }
        var status: CInt?
        reactor.after(.zero) { status = try supervisor.run(telling: nil) }
        reactor.runToStop()
        #expect(status == 130)
        #expect(supervisor.result?.isInterrupted == true)
        #expect(processes.count == 1)
        #expect(!processes.contains(where: isThere))
    }

    @Test func `before a generation serves nobody is told that it is ready`() throws {
        let isBad = Box(false)
        let supervisor = try reactor.supervisor(
            1,
            launch: { _ in
                if isBad.value { throw SocketError(.read, .noEntry) }
                return PythonWorker.launch("one", "mute")
            })
        let manager = try Manager()
        supervisor.onEvent = { event in
            switch event {
            case .started:
                isBad.value = true
                raiseNow(SIGHUP)
            case .reloadFailed: raiseNow(SIGTERM)
            default: break
            }
        }
        let rescue = reactor.after(.seconds(20)) { reactor.stop() }
        _ = try supervisor.run(telling: manager.notifier)
        rescue.cancel()
        try manager.read()
        let reason = SocketError(.read, .noEntry)
        #expect(manager.news == ["STATUS=reload failed: \(reason)", "STOPPING=1"])
        #expect(!hasEndedChildren())
    }

    @Test func `where another reactor has the signals nothing is started`() throws {
        let other = try Reactor()
        let watch = try other.onSignal(.user2) {}
        let supervisor = try reactor.supervisor(1, launch: { _ in PythonWorker.launch() })
        #expect(throws: SocketError(.watch, .busy)) { try supervisor.run(telling: nil) }
        #expect(supervisor.processes.isEmpty)
        watch.end()
    }

    // MARK: Workers with threads

    @Test func `a group of servers serves sockets of others`() async throws {
        let socket = try Socket.listening()
        let address = try socket.localAddress
        var list = DescriptorList()
        list.append(socket.release())
        let group = try ReactorGroup(count: 2)
        var options = ServingOptions()
        options.distribution = .reusePort
        let servers = try await ServerGroup(
            on: group, adopting: InheritedSockets(adopting: list), options: options)
        #expect(servers.addresses == [address])
        let run = Task {
            try await servers.run { connection in
                try await connection.writeLine("hello")
            }
        }
        let client = try await Connection.connect(to: .address(address), on: group.leastLoaded)
        let text = try await client.readLine()
        #expect(text == "hello")
        let figures = await servers.figures()
        #expect(figures.accepted == 1)
        #expect(figures.bytesSent >= 5)
        run.cancel()
        try await run.value
        await group.stop()
    }
}
