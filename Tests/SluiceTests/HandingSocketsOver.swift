// SPDX-License-Identifier: Apache-2.0
//
// Sockets of who listens already, for a successor: servers, groups and supervisors hand them over,
// and nobody is refused meanwhile.

import Glibc
import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors, .serialized)
struct HandingSocketsOver {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private var path: SocketAddress { .unix(path: folder["socket"]) }

    private func python(_ script: String) -> ProcessLaunch {
        ProcessLaunch(program: "/usr/bin/env", arguments: ["python3", "-S", "-c", script])
    }

    // MARK: Servers

    @Test func `a running server's sockets go on in a successor, and nobody is refused`() throws {
        let reactor = try Reactor()
        let server = try reactor.listen(at: [.loopback(port: 0), path])
        let script = """
            import select, socket
            listeners = [socket.socket(fileno=3), socket.socket(fileno=4)]
            for listener in listeners:
                select.select([listener], [], [])
                listener.accept()[0].sendall(b"next")
            """
        let sockets = try server.passableSockets()
        let count = sockets.count
        #expect(count == 2)
        let child = try ChildProcess(on: reactor, python(script), passing: sockets)
        let addresses = server.addresses
        server.close()
        for address in addresses {
            let client = try Socket.connecting(to: address)
            reactor.expectElsewhere("the successor answers at \(address)") {
                (try? client.unreadByteCount) == 4
            }
        }
        reactor.expect("it ends") { child.end == .exited(0) }
    }

    @Test func `a server that has closed has nothing to pass`() throws {
        let reactor = try Reactor()
        let server = try reactor.listen()
        let address = server.address
        server.close()
        do throws(SocketError) {
            let sockets = try server.passableSockets()
            Issue.record("it has \(sockets.count)")
        } catch {
            #expect(error == SocketError(.duplicate, .badDescriptor, at: address))
        }
    }

    // MARK: Groups

    @Test(arguments: [ServingOptions.Distribution.reusePort, .handOver])
    func `a group's sockets go on when it has ended, and nobody is refused`(
        distribution: ServingOptions.Distribution
    ) async throws {
        let group = try ReactorGroup(count: 2)
        var options = ServingOptions()
        options.distribution = distribution
        let server = try await ServerGroup(
            on: group, at: [.loopback(port: 0), path], options: options)
        let sockets = try await server.passableSockets()
        let count = sockets.count
        // A Unix socket can't be shared.
        #expect(count == (distribution == .reusePort ? 3 : 2))
        await group.stop()
        for address in server.addresses {
            let client = HeldSocket(try Socket.connecting(to: address))
            let isAccepted = acceptsClient(sockets)
            #expect(isAccepted, "\(address)")
            withExtendedLifetime(client) {}
        }
        #expect(folder.names == ["socket"])
    }

    /// Whether somebody waits at one of the sockets, and can be accepted.
    private func acceptsClient(_ sockets: borrowing PassedSockets) -> Bool {
        var questions = sockets.numbers.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        guard poll(&questions, nfds_t(questions.count), 10_000) > 0,
            let ready = questions.first(where: { $0.revents != 0 })
        else { return false }
        let client = accept(ready.fd, nil, nil)
        return client >= 0 && close(client) == 0
    }

    @Test func `a group that has served to its end has nothing to pass`() async throws {
        let group = try ReactorGroup(count: 2)
        let server = try await ServerGroup(on: group, at: [.loopback(port: 0)])
        server.close()
        try await server.run { _ in }
        do throws(SocketError) {
            let sockets = try await server.passableSockets()
            Issue.record("it has \(sockets.count)")
        } catch {
            #expect(error == SocketError(.duplicate, .badDescriptor, at: server.addresses[0]))
        }
        await group.stop()
    }

    // MARK: Supervisors

    /// Serves all that it is passed, and tells its process to each client.
    private static let successor = """
        import os, select, socket
        listeners = [socket.socket(fileno=3 + n) for n in range(int(os.environ["LISTEN_FDS"]))]
        while True:
            for listener in select.select(listeners, [], [])[0]:
                try:
                    with listener.accept()[0] as peer:
                        peer.sendall(b"%d next\\n" % os.getpid())
                except BlockingIOError:
                    pass  # Another process was quicker.
        """

    @Test(arguments: [SupervisorOptions.Sharing.reusePort, .shared])
    func `a supervisor's sockets go on in a successor, and nobody is refused`(
        sharing: SupervisorOptions.Sharing
    ) throws {
        let reactor = try Reactor()
        var supervisor: Supervisor? = try reactor.supervisor(2, at: [.loopback(port: 0), path]) {
            $0.sharing = sharing
        }
        let first = try #require(supervisor?.addresses.first)
        if let supervisor { reactor.start(supervisor) }
        let clients = try SteadyClients(to: first, on: reactor)
        var child: ChildProcess?
        if let supervisor {
            let sockets = try supervisor.passableSockets()
            let count = sockets.count
            #expect(count == (sharing == .reusePort ? 3 : 2))
            child = try ChildProcess(on: reactor, python(Self.successor), passing: sockets)
        }
        let successor = try #require(child)
        reactor.expect("both serve") { clients.processes.contains(successor.processID) }
        supervisor?.drain()
        reactor.expect("the old workers end") { supervisor?.result?.exitStatus == 0 }
        supervisor = nil
        let count = clients.answers.count
        reactor.expect("clients come as before") { clients.answers.count >= count + 20 }
        clients.stop()
        #expect(clients.refusals == [])
        #expect(clients.losses == [])
        let last = try SteadyClients(1, to: path, on: reactor)
        reactor.expect("the file stays") { last.processes == [successor.processID] }
        last.stop()
        successor.signal(.kill)
        reactor.expect("it ends") { !successor.isRunning }
    }

    @Test func `what a supervisor has from others it passes on with the names`() throws {
        let reactor = try Reactor()
        var list = DescriptorList()
        list.append(try Socket.listening().release())
        list.append(try Socket(for: .loopback(port: 0), kind: .datagram).release())
        let supervisor = try Supervisor(
            on: reactor, adopting: InheritedSockets(adopting: list, named: ["http", "naïve"])
        ) { _ in PythonWorker.launch() }
        let sockets = try supervisor.passableSockets()
        let names = sockets.names
        #expect(names == ["http", "naïve"])
    }

    @Test func `a supervisor that drains has nothing to pass`() throws {
        let reactor = try Reactor()
        let supervisor = try reactor.supervisor(1)
        supervisor.drain()
        let error = SocketError(.duplicate, .badDescriptor, at: supervisor.addresses[0])
        #expect(passingError(of: supervisor) == error)
    }

    @Test func `where one can't be duplicated all stays as it was`() throws {
        let reactor = try Reactor()
        var supervisor: Supervisor? = try reactor.supervisor(1, at: [path])
        if let supervisor {
            let error = SystemCall.failing(.duplicate, with: .tooManyOpenFiles) {
                passingError(of: supervisor)
            }
            #expect(error == SocketError(.duplicate, .tooManyOpenFiles))
        }
        supervisor = nil
        #expect(folder.names == [])
    }

    private func passingError(of supervisor: Supervisor) -> SocketError? {
        do throws(SocketError) {
            _ = try supervisor.passableSockets()
            return nil
        } catch {
            return error
        }
    }
}
