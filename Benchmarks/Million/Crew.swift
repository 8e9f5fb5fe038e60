// SPDX-License-Identifier: Apache-2.0
//
// The workers as the conductor sees them: each is a line, and what it has said on it last.

import Glibc
import Sluice

/// A worker that has said who it is, or is about to.
final class Worker {
    /// The kernel's word for it.
    let processID: Int32
    fileprivate(set) var role: Role?
    fileprivate(set) var number = 0
    /// Whether it has said that it listens.
    private(set) var isReady = false
    /// What it has said to be done, of the order that it was given last.
    private(set) var done: Int?
    /// What it has counted since it was asked last.
    private(set) var count: Int?
    /// What it counted last.
    private(set) var lastCount = 0
    /// A server that holds as many connections as it may.
    private(set) var isFull = false

    private let channel: Channel

    init(_ channel: Channel, _ processID: Int32) {
        self.channel = channel
        self.processID = processID
    }

    /// Gives an order; a worker that is gone is noticed by the end of its line.
    func tell(_ order: ControlLine) {
        if order.word == .count {
            count = nil
        } else if order.word != .stop {
            (done, isReady, lastCount) = (nil, false, 0)
        }
        _ = try? channel.write(order.bytes)
    }

    fileprivate func heard(_ line: ControlLine) {
        switch line.word {
        case .ready: isReady = true
        case .done: done = line.number(0)
        case .counted:
            count = line.number(0)
            lastCount = line.number(0)
            isFull = line.number(1) > 0
        default: break
        }
    }

    fileprivate func letGo() { channel.close() }
}

extension Worker: CustomStringConvertible {
    var description: String { "\(role?.rawValue ?? "worker") \(number)" }
}

/// All workers of a run.
final class Crew {
    /// The abstract name of the socket that they connect to.
    let name: String
    private(set) var servers: [Worker] = []
    private(set) var clients: [Worker] = []
    /// What has failed so far, wherever.
    private(set) var tally = Tally()
    /// Who has gone before it was let go.
    private(set) var lost: String?

    private var listener: Listener?
    private var isOver = false

    /// - Throws: ``SocketError``, as ``Listener/init(on:at:options:onAccept:)``.
    init(on reactor: Reactor) throws(SocketError) {
        name = "sluice-million-\(getpid())-\(String(UInt64.random(in: 0 ... .max), radix: 16))"
        let address = SocketAddress.abstract(name: Array(name.utf8))
        listener = try Listener(on: reactor, at: address) { [unowned self] socket, _ in
            // Anybody on the machine may connect to such a name.
            let peer = try socket.get(.peerCredentials)
            guard peer.userID == geteuid() else { return }
            self.welcome(try Channel(adopting: socket, on: reactor), peer.processID)
        }
    }

    private func welcome(_ channel: Channel, _ processID: Int32) {
        let worker = Worker(channel, processID)
        channel.onLine { [unowned self] channel, text in
            guard let line = ControlLine(text) else { return }
            self.heard(line, from: worker)
        }
        channel.onClose { [unowned self] _, _ in self.lose("\(worker)") }
    }

    private func heard(_ line: ControlLine, from worker: Worker) {
        switch line.word {
        case .hello:
            guard worker.role == nil, let role = Role(rawValue: line.text) else { return }
            worker.role = role
            worker.number = line.number(0)
            if role == .server { servers.append(worker) } else { clients.append(worker) }
        case .failed: note(line.text, line.number(0))
        default: worker.heard(line)
        }
    }

    /// A worker has gone; the first is the one that is told of.
    func lose(_ name: String) {
        if !isOver, lost == nil { lost = name }
    }

    /// Counts what the conductor has found to be wrong.
    func note(_ kind: String, _ count: Int = 1) { tally.add(kind, count) }

    /// The workers may end: they do so where their lines end.
    func letGo() {
        isOver = true
        listener?.close()
        for worker in servers + clients { worker.letGo() }
    }
}
