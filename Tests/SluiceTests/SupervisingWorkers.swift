// SPDX-License-Identifier: Apache-2.0
//
// Real workers, in Python, under a supervisor: what becomes of their clients when they are killed,
// and what is told of them.

import Glibc
import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors, .serialized)
struct SupervisingWorkers {
    private let reactor: Reactor

    init() throws { reactor = try Reactor() }

    /// Ends it as it should be, with nothing left.
    private func end(_ supervisor: Supervisor) {
        let processes = supervisor.processes
        supervisor.drain()
        reactor.expect("all workers have ended") { supervisor.result != nil }
        #expect(supervisor.result == SupervisorResult(cutCount: 0, isInterrupted: false))
        #expect(!processes.contains(where: isThere))
        #expect(!hasEndedChildren())
    }

    // MARK: Serving

    @Test(arguments: [SupervisorOptions.Sharing.reusePort, .shared])
    func `workers serve the same address`(sharing: SupervisorOptions.Sharing) throws {
        let supervisor = try reactor.supervisor(3) { $0.sharing = sharing }
        let record = SupervisorRecord(of: supervisor)
        #expect(supervisor.workers.map(\.state) == [.ended, .ended, .ended])
        reactor.start(supervisor, 3)
        #expect(record.events.last == .serving(generation: 1))
        #expect(supervisor.workers.map(\.slot) == [0, 1, 2])
        #expect(supervisor.workers.allSatisfy { $0.generation == 1 && $0.restarts == 0 })
        let clients = try SteadyClients(to: supervisor.addresses[0], on: reactor)
        reactor.expect("clients are served") {
            // Of one shared socket any worker may be the quickest, again and again.
            clients.answers.count >= 50
                && (sharing == .shared || clients.processes == supervisor.processes)
        }
        clients.stop()
        #expect(clients.refusals == [])
        #expect(clients.losses == [])
        #expect(clients.processes.isSubset(of: supervisor.processes))
        end(supervisor)
    }

    @Test func `several addresses have one port, and a path is shared`() throws {
        let folder = try TemporaryFolder()
        let path = SocketAddress.unix(path: folder["socket"])
        let addresses = [SocketAddress.loopback(port: 0), .ip(.loopback6, port: 0), path]
        var supervisor: Supervisor? = try reactor.supervisor(2, at: addresses) {
            $0.samePort = true
        }
        let places = supervisor?.addresses ?? []
        #expect(places.count == 3)
        #expect(places[0].port == places[1].port)
        if let supervisor {
            reactor.start(supervisor)
            for address in places {
                let clients = try SteadyClients(1, to: address, on: reactor)
                reactor.expect("\(address) is served") { clients.answers.count >= 3 }
                clients.stop()
                #expect(clients.refusals == [])
                #expect(clients.losses == [])
            }
            #expect(folder.names == ["socket"])
            end(supervisor)
        }
        supervisor = nil
        #expect(folder.names == [])
    }

    @Test func `a port that is taken is told, and nothing is left`() throws {
        let other = try reactor.listen()
        do {
            _ = try reactor.supervisor(2, at: [.loopback(port: 0), other.address])
            Issue.record("it listens")
        } catch {
            #expect(error as? SocketError == SocketError(.bind, .addressInUse, at: other.address))
        }
        other.close()
    }

    @Test func `a port that another one shares is taken, unless sharing was asked for`() throws {
        let other = try reactor.supervisor()
        let address = other.addresses[0]
        do {
            _ = try reactor.supervisor(2, at: [address])
            Issue.record("it listens")
        } catch {
            #expect(error as? SocketError == SocketError(.bind, .addressInUse, at: address))
        }
        func share(_ options: inout SupervisorOptions) { options.listener.reusePort = true }
        let first = try reactor.supervisor(2, share)
        let second = try reactor.supervisor(2, at: first.addresses, share)
        #expect(second.addresses == first.addresses)
        for supervisor in [other, first, second] { supervisor.drain() }
    }

    @Test func `sockets of others are handed on with their names`() throws {
        let folder = try TemporaryFolder()
        var list = DescriptorList()
        list.append(try Socket.listening().release())
        list.append(try Socket(for: .loopback(port: 0), kind: .datagram).release())
        let line = #"echo "$LISTEN_FDS $LISTEN_FDNAMES" > "$0"; exec sleep 60"#
        let launch = ProcessLaunch(program: "/bin/sh", arguments: ["-c", line, folder["file"]])
        var options = SupervisorOptions()
        options.workerCount = 1
        let supervisor = try Supervisor(
            on: reactor, adopting: InheritedSockets(adopting: list, named: ["http", "dns"]),
            options: options
        ) { _ in launch }
        #expect(supervisor.addresses.count == 1)
        supervisor.start()
        reactor.expectElsewhere("the names are told") { folder.read()?.text == "2 http:dns\n" }
        supervisor.endAtOnce()
        reactor.expect("it ends") { supervisor.result?.exitStatus == 130 }
    }

    // MARK: Ends of workers

    @Test func `a killed worker loses its own clients alone, and nobody is refused`() throws {
        let supervisor = try reactor.supervisor()
        reactor.start(supervisor)
        let address = supervisor.addresses[0]
        let held = try HeldClients(20, to: address, on: reactor)
        let steady = try SteadyClients(4, to: address, on: reactor)
        reactor.expect("clients are served") { steady.answers.count >= 20 }
        for _ in 0..<3 {
            let victim = try #require(supervisor.workers[0].processID)
            let others = held.answers.filter { $0.process != victim }
            let lost = held.lost.count + held.answers.count - others.count
            kill(victim, SIGKILL)
            reactor.expect("another is there, and what was lost is known") {
                supervisor.isWhole(2) && !supervisor.processes.contains(victim)
                    && held.lost.count == lost
            }
            #expect(held.answers.count == others.count)
            let count = steady.answers.count
            reactor.expect("clients come as before") { steady.answers.count >= count + 50 }
        }
        steady.stop()
        #expect(steady.refusals == [])
        // Those that it had taken when it was killed.
        #expect(steady.losses.count <= 3 * 4)
        #expect(steady.losses.allSatisfy { $0 == .finished || $0 == .reset }, "\(steady.losses)")
        #expect(supervisor.workers.map(\.restarts) == [3, 0])
        held.close()
        end(supervisor)
    }

    @Test func `clients of a place without a worker wait for the next one`() throws {
        let supervisor = try reactor.supervisor(1) { $0.firstRestartDelay = .milliseconds(200) }
        let record = SupervisorRecord(of: supervisor)
        reactor.start(supervisor, 1)
        // The second end in a row waits.
        for _ in 0..<2 {
            let process = try #require(supervisor.workers[0].processID)
            kill(process, SIGKILL)
            reactor.expect("its end is told") { record.ends.contains { $0.process == process } }
            if record.waits.isEmpty {
                reactor.expect("the next is ready") { supervisor.isWhole(1) }
            }
        }
        #expect(record.waits == [.milliseconds(200)])
        #expect(supervisor.workers.map(\.state) == [.ended])
        let clients = try SteadyClients(2, to: supervisor.addresses[0], on: reactor)
        reactor.expect("they are served") { clients.answers.count >= 2 }
        clients.stop()
        #expect(clients.refusals == [])
        #expect(clients.losses == [])
        end(supervisor)
    }

    @Test func `a worker that is asked to end by somebody else is replaced at once`() throws {
        let supervisor = try reactor.supervisor(1)
        reactor.start(supervisor, 1)
        let held = try HeldClients(1, to: supervisor.addresses[0], on: reactor)
        let process = try #require(supervisor.workers[0].processID)
        kill(process, SIGTERM)
        reactor.expect("another serves while it drains") {
            supervisor.workers.map(\.state) == [.draining, .ready]
        }
        #expect(held.answers.map(\.process) == [process])
        held.close()
        reactor.expect("it has ended") { supervisor.isWhole(1) }
        end(supervisor)
    }

    @Test func `what ends again and again is started less and less often`() throws {
        let supervisor = try reactor.supervisor(
            1, { $0.firstRestartDelay = .milliseconds(2) },
            launch: { _ in ProcessLaunch(program: "/bin/sh", arguments: ["-c", "exit 1"]) })
        let record = SupervisorRecord(of: supervisor)
        supervisor.start()
        reactor.expect("it waits for longer each time") { record.waits.count >= 7 }
        let waits = [2, 4, 8, 16, 32, 64, 128].map { Duration.milliseconds($0) }
        #expect(Array(record.waits[..<7]) == waits)
        #expect(record.ends.allSatisfy { $0.end == .exited(1) })
        end(supervisor)
    }

    @Test func `a program that can't be run is tried again as well`() throws {
        let calls = Box(0)
        let supervisor = try reactor.supervisor(
            1, { $0.firstRestartDelay = .milliseconds(2) },
            launch: { _ in
                calls.value += 1
                if calls.value == 1 { throw SocketError(.wait, .timedOut) }
                if calls.value > 2 { return PythonWorker.launch() }
                return ProcessLaunch(program: "/nonexistent")
            })
        let record = SupervisorRecord(of: supervisor)
        supervisor.start()
        reactor.expect("the program is tried again") { record.waits.count >= 2 }
        let reason = "\(SocketError(.launch, .noEntry))"
        #expect(
            record.events.first
                == .startFailed(slot: 0, reason: "\(SocketError(.wait, .timedOut))"))
        #expect(record.has(.startFailed(slot: 0, reason: reason)))
        // What a place was given holds until the next reload.
        #expect(calls.value == 2)
        supervisor.reload()
        reactor.expect("it serves") { supervisor.isWhole(1) }
        #expect(calls.value == 3)
        end(supervisor)
    }

    @Test func `a worker that does not get ready is killed and replaced`() throws {
        let supervisor = try reactor.supervisor(
            1, { $0.startLimit = .milliseconds(300) },
            launch: { _ in PythonWorker.launch("one", "mute") })
        let record = SupervisorRecord(of: supervisor)
        supervisor.start()
        reactor.expect("it is killed twice") { record.ends.count >= 2 }
        #expect(record.ends.allSatisfy { $0.end == .killed(.kill) })
        let lateCount = record.events.count { if case .late = $0 { true } else { false } }
        #expect(lateCount >= 2)
        supervisor.endAtOnce()
        reactor.expect("it ends") { supervisor.result != nil }
    }

    @Test func `a worker that says no more that it is alive is killed`() throws {
        let ways = Box("feed")
        let supervisor = try reactor.supervisor(
            1, { $0.watchdog = .milliseconds(800) },
            launch: { _ in PythonWorker.launch("one", ways.value) })
        let record = SupervisorRecord(of: supervisor)
        reactor.start(supervisor, 1)
        reactor.expect("one that says so goes on") {
            fedCount(supervisor) >= 8 || !record.ends.isEmpty
        }
        #expect(record.ends.isEmpty)
        ways.value = "silent"
        supervisor.reload()
        reactor.expect("one that does not is killed") {
            record.ends.contains { $0.end == .killed(.kill) }
        }
        let isTold = record.events.contains { if case .silent = $0 { true } else { false } }
        #expect(isTold)
        supervisor.endAtOnce()
        reactor.expect("it ends") { supervisor.result != nil }
    }

    /// How often its one worker has said that it is alive.
    private func fedCount(_ supervisor: Supervisor) -> Int {
        let status = supervisor.workers.first?.status ?? ""
        return status.split(separator: " ").last.flatMap { Int($0) } ?? 0
    }

    // MARK: Ending

    @Test func `a worker that ignores the request is killed, and the status tells`() throws {
        let supervisor = try reactor.supervisor(
            2, { $0.drainLimit = .milliseconds(50) },
            launch: { slot in slot == 0 ? PythonWorker.launch() : .stubborn })
        let record = SupervisorRecord(of: supervisor)
        reactor.start(supervisor)
        let results = Box<[SupervisorResult]>([])
        let start = ContinuousClock.now
        supervisor.drain { results.value.append($0) }
        supervisor.drain { results.value.append($0) }
        reactor.expect("both are told") { results.value.count == 2 }
        #expect(ContinuousClock.now - start >= .milliseconds(1_050))
        #expect(results.value[0] == SupervisorResult(cutCount: 1, isInterrupted: false))
        #expect(results.value[0].exitStatus == 75)
        #expect(record.ends.map(\.end) == [.exited(0), .killed(.kill)])
        supervisor.drain { results.value.append($0) }
        #expect(results.value.count == 3)
    }

    @Test func `a worker with another status than 0 has not ended in order`() throws {
        let supervisor = try reactor.supervisor(
            1, launch: { _ in PythonWorker.launch("one", "failing") })
        reactor.start(supervisor, 1)
        supervisor.drain()
        reactor.expect("it ends") { supervisor.result != nil }
        #expect(supervisor.result?.exitStatus == 75)
    }

    @Test func `clients are refused once a drain has begun, and those there are go on`() throws {
        let supervisor = try reactor.supervisor(1)
        reactor.start(supervisor, 1)
        let address = supervisor.addresses[0]
        let held = try HeldClients(3, to: address, on: reactor)
        supervisor.drain()
        reactor.expectElsewhere("nobody listens") { (try? Socket.refused(at: address)) == true }
        #expect(held.answers.count == 3)
        #expect(supervisor.result == nil)
        held.close()
        reactor.expect("it ends") { supervisor.result?.exitStatus == 0 }
    }

    @Test func `the end of a supervisor is the end of its workers`() throws {
        var processes: Set<Int32> = []
        do {
            let supervisor = try reactor.supervisor(
                3, launch: { _ in .stubborn })
            reactor.start(supervisor, 3)
            processes = supervisor.processes
        }
        #expect(processes.count == 3)
        reactor.expect("none is left") { !processes.contains(where: isThere) }
        #expect(!hasEndedChildren())
    }

    @Test func `the end of a reactor is the end of its supervisors' workers`() throws {
        var processes: Set<Int32> = []
        do {
            let other = try Reactor()
            let supervisor = try Supervisor(on: other, at: [.loopback(port: 0)]) { _ in .stubborn }
            supervisor.start()
            processes = supervisor.processes
            #expect(!processes.isEmpty)
        }
        #expect(!processes.contains(where: isThere))
        #expect(!hasEndedChildren())
    }

    @Test func `an event's handler may drain, and let go of the supervisor`() throws {
        let supervisor = Box<Supervisor?>(try reactor.supervisor())
        var processes: Set<Int32> = []
        supervisor.value?.onEvent = { event in
            if case .ready = event {
                processes = supervisor.value?.processes ?? []
                supervisor.value?.drain()
            }
            if case .ended = event { supervisor.value = nil }
        }
        supervisor.value?.start()
        reactor.expect("it is let go") { supervisor.value == nil && !processes.isEmpty }
        reactor.expect("none is left") { !processes.contains(where: isThere) }
    }
}

extension ProcessLaunch {
    /// A worker that ignores SIGTERM.
    fileprivate static var stubborn: ProcessLaunch { PythonWorker.launch("one", "stubborn") }
}

extension Socket {
    /// Whether a connection is refused.
    fileprivate static func refused(at address: SocketAddress) throws -> Bool {
        let socket = try Socket(for: address)
        try socket.setBlocking(true)
        return socket.connectCode(to: address) == .connectionRefused
    }
}
