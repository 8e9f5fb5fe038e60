// SPDX-License-Identifier: Apache-2.0
//
// What is told a service manager again and again: with a manager that does not read, without a
// descriptor to open, with a manager that comes anew, and at the end.

import Glibc
import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors, .serialized)
struct NotifyingWithoutWaiting {
    private let reactor: Reactor
    private let errors = Box<[any Error]>([])

    init() throws {
        reactor = try Reactor()
        reactor.onError = { [errors] error, _ in errors.value.append(error) }
    }

    /// A service manager's socket.
    private func manager(at path: String) throws -> HeldSocket {
        let socket = try Socket(family: .unix, kind: .datagram)
        try socket.bind(to: .unix(path: path))
        return HeldSocket(socket)
    }

    private func messages(_ manager: HeldSocket) throws -> [String] {
        var texts: [String] = []
        while let next = try manager.socket.receiveDatagram() { texts.append(next.bytes.text) }
        return texts
    }

    private func fill(_ address: SocketAddress) throws {
        let sender = try Socket(family: .unix, kind: .datagram)
        _ = try sender.connect(to: address)
        let letter: [UInt8] = [65]
        while case .bytes = try sender.send(message: letter.span.bytes, with: []) {}
    }

    @Test func `a manager that does not read holds nobody up, and is told later`() throws {
        let folder = try TemporaryFolder()
        let manager = try manager(at: folder["notify"])
        let address = SocketAddress.unix(path: folder["notify"])
        try fill(address)
        let notifier = ServiceNotifier(to: address, watchdogInterval: .milliseconds(40))
        let start = ContinuousClock.now
        let timer = reactor.feedWatchdog(by: notifier)
        // Each of these would wait for a second.
        for _ in 0..<5 { reactor.haveTurn {} }
        #expect(ContinuousClock.now - start < .seconds(1))
        _ = try messages(manager)
        reactor.expect("it is told") { (try? messages(manager).first) == "WATCHDOG=1" }
        #expect(errors.value.isEmpty)
        timer?.cancel()
    }

    @Test func `a process that can open nothing says that it is alive`() throws {
        let folder = try TemporaryFolder()
        let manager = try manager(at: folder["notify"])
        let notifier = ServiceNotifier(
            to: .unix(path: folder["notify"]), watchdogInterval: .milliseconds(10))
        let server = try reactor.listen()
        let timers = [
            reactor.feedWatchdog(by: notifier),
            reactor.report([server], by: notifier, every: .milliseconds(10)),
        ]
        _ = try messages(manager)
        var (alive, figures) = (0, 0)
        let noSockets: SystemCall.Interceptor = {
            $0 == .createSocket ? .failure(.tooManyOpenFiles) : nil
        }
        SystemCall.intercepting(noSockets) {
            reactor.expect("both are told") {
                for text in (try? messages(manager)) ?? [] {
                    if text == "WATCHDOG=1" { alive += 1 } else { figures += 1 }
                }
                return alive >= 3 && figures >= 3
            }
        }
        #expect(errors.value.isEmpty)
        for timer in timers { timer?.cancel() }
        server.close()
    }

    @Test func `a manager that listens anew is told at once`() throws {
        let folder = try TemporaryFolder()
        var manager: HeldSocket? = try manager(at: folder["notify"])
        let line = NotifyLine(to: ServiceNotifier(to: .unix(path: folder["notify"])))
        #expect(try line.tell([.watchdog]))
        manager = nil
        unlink(folder["notify"])
        do {
            _ = try line.tell([.watchdog])
            Issue.record("somebody is there")
        } catch {
            #expect(error.code == .noEntry)
        }
        let next = try self.manager(at: folder["notify"])
        #expect(try line.tell([.status("again")]))
        #expect(try messages(next) == ["STATUS=again"])
        _ = manager
    }

    @Test func `figures are told when a drain has ended`() throws {
        let folder = try TemporaryFolder()
        let manager = try manager(at: folder["notify"])
        let notifier = ServiceNotifier(to: .unix(path: folder["notify"]))
        let server = try reactor.listen()
        let timer = reactor.report([server], by: notifier, every: .seconds(600))
        let client = try Socket.connecting(to: server.address)
        reactor.expect("it is in") { server.connectionCount == 1 }
        #expect(try messages(manager).count == 1)
        let isOver = Box(false)
        server.drain(within: .zero) { _ in isOver.value = true }
        reactor.expect("the drain ends") { isOver.value }
        let last = try #require(try messages(manager).last)
        let figures = WorkerMessage(last.utf8)?.figures
        #expect(figures?.connections == 0)
        #expect(figures?.accepted == 1)
        timer.cancel()
        _ = client.number
    }

    @Test func `a report that was cancelled tells nothing at the end`() throws {
        let folder = try TemporaryFolder()
        let manager = try manager(at: folder["notify"])
        let notifier = ServiceNotifier(to: .unix(path: folder["notify"]))
        let server = try reactor.listen()
        reactor.report([server], by: notifier, every: .seconds(600)).cancel()
        _ = try messages(manager)
        let isOver = Box(false)
        server.drain(within: .zero) { _ in isOver.value = true }
        reactor.expect("the drain ends") { isOver.value }
        #expect(try messages(manager) == [])
    }
}
