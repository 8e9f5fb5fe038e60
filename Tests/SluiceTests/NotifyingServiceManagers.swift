// SPDX-License-Identifier: Apache-2.0
//
// What a service tells its service manager: the text of each state, where it goes, and what becomes
// of an environment that says nonsense.

import Glibc
import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors, .serialized)
struct NotifyingServiceManagers {
    private let reactor: Reactor

    init() throws { reactor = try Reactor() }

    /// A service manager's socket.
    private func manager(
        at address: SocketAddress = .unnamed
    ) throws -> (socket: HeldSocket, notifier: ServiceNotifier) {
        let socket = try Socket(family: .unix, kind: .datagram)
        try socket.bind(to: address)
        let notifier = ServiceNotifier(to: try socket.localAddress)
        return (HeldSocket(socket), notifier)
    }

    private func text(_ states: ServiceState...) throws -> String {
        try ServiceNotifier.message(states).text
    }

    // MARK: Texts

    @Test func `each state has its text`() throws {
        #expect(try text(.ready) == "READY=1")
        #expect(try text(.stopping) == "STOPPING=1")
        #expect(try text(.watchdog) == "WATCHDOG=1")
        #expect(try text(.status("3 clients")) == "STATUS=3 clients")
        #expect(try text(.mainProcess(12)) == "MAINPID=12")
        #expect(try text(.errno(.addressInUse)) == "ERRNO=\(EADDRINUSE)")
        #expect(try text(.extendTimeout(.seconds(3))) == "EXTEND_TIMEOUT_USEC=3000000")
        #expect(try text(.field("X_OWN", "value = 1")) == "X_OWN=value = 1")
        #expect(try text(.ready, .status("up")) == "READY=1\nSTATUS=up")
        #expect(try text() == "")
    }

    @Test func `a reload is told with the time of the monotonic clock`() throws {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        let lines = try text(.reloading).split(separator: "\n")
        #expect(lines.first == "RELOADING=1")
        let time = lines.last?.split(separator: "=").last.flatMap { Int($0) } ?? 0
        #expect(lines.last?.hasPrefix("MONOTONIC_USEC=") == true)
        #expect((0...60_000_000).contains(time - now.tv_sec * 1_000_000))
    }

    @Test func `a text can't end its line`() throws {
        #expect(try text(.status("a\nREADY=1\r\nb\0c")) == "STATUS=a READY=1  b c")
        #expect(try text(.field("X_A", "1\nMAINPID=1")) == "X_A=1 MAINPID=1")
    }

    @Test(arguments: ["", "A=B", "A B", "A\n", "É", "A\0", "A-B"])
    func `a field's name that is none is refused`(name: String) throws {
        let (_, notifier) = try manager()
        #expect(throws: SocketError(.write, .invalidArgument)) {
            try notifier.notify(.field(name, "1"))
        }
    }

    @Test(arguments: [Duration.zero, .seconds(-5), .seconds(Int64.max)])
    func `no time makes a text that is none`(time: Duration) throws {
        let number = try text(.extendTimeout(time)).dropFirst("EXTEND_TIMEOUT_USEC=".count)
        #expect(UInt64(number) != nil)
    }

    // MARK: Sending

    @Test func `a message goes to a path`() throws {
        let folder = try TemporaryFolder()
        let (socket, notifier) = try manager(at: .unix(path: folder["notify"]))
        try notifier.notify(.ready, .status("up"))
        #expect(try socket.message() == "READY=1\nSTATUS=up")
    }

    @Test func `a message goes to an abstract name`() throws {
        let (socket, notifier) = try manager()
        guard case .abstract = notifier.address else {
            Issue.record("\(notifier.address)")
            return
        }
        try notifier.notify([.stopping])
        #expect(try socket.message() == "STOPPING=1")
    }

    @Test func `that nobody is there is told`() throws {
        let folder = try TemporaryFolder()
        let address = SocketAddress.unix(path: folder["nobody"])
        #expect(throws: SocketError(.connect, .noEntry, at: address)) {
            try ServiceNotifier(to: address).notify(.ready)
        }
        let abstract = SocketAddress.abstract(name: Array("sluice-nobody-\(getpid())".utf8))
        #expect(throws: SocketError(.connect, .connectionRefused, at: abstract)) {
            try ServiceNotifier(to: abstract).notify(.ready)
        }
        let long = SocketAddress.unix(path: "/" + String(repeating: "x", count: 200))
        #expect(throws: SocketError(.connect, .nameTooLong, at: long)) {
            try ServiceNotifier(to: long).notify(.ready)
        }
    }

    @Test func `a message has 4,096 bytes at most`() throws {
        let (socket, notifier) = try manager()
        let longest = String(repeating: "x", count: 4_096 - "STATUS=".count)
        try notifier.notify(.status(longest))
        #expect(try socket.message() == "STATUS=" + longest)
        #expect(throws: SocketError(.write, .messageTooLong, at: notifier.address)) {
            try notifier.notify(.status(longest + "x"))
        }
    }

    @Test func `a manager that is behind is waited for`() throws {
        let (socket, notifier) = try manager()
        let sent = try fill(notifier)
        #expect(sent > 0)
        let number = socket.socket.number
        let reader = OtherThread {
            // The test waits by now, or finds room at once.
            var byte: UInt8 = 0
            while recv(number, &byte, 1, 0) < 0 {}
        }
        try notifier.notify(.stopping)
        reader.join()
        var last: String?
        while let next = try socket.message() { last = next }
        #expect(last == "STOPPING=1")
    }

    @Test func `a manager that never reads is waited for no longer than a second`() throws {
        let (socket, notifier) = try manager()
        _ = try fill(notifier)
        #expect(throws: SocketError(.write, .timedOut, at: notifier.address)) {
            try notifier.notify(.ready)
        }
        _ = socket.socket.number
    }

    /// Sends until there is no room for another message.
    private func fill(_ notifier: ServiceNotifier) throws -> Int {
        let sender = try Socket(family: .unix, kind: .datagram)
        _ = try sender.connect(to: notifier.address)
        let letter: [UInt8] = [65]
        var count = 0
        while count < 100_000, case .bytes = try sender.send(message: letter.span.bytes, with: []) {
            count += 1
        }
        return count
    }

    // MARK: The environment

    private func parse(
        _ socket: String?, interval: String? = nil, process: String? = nil, own: Int32 = 42
    ) -> ServiceNotifier? {
        ServiceNotifier.parse(
            socket: socket.map { Array($0.utf8) }, interval: interval.map { Array($0.utf8) },
            processID: process.map { Array($0.utf8) }, own: own)
    }

    @Test func `the environment names a path or an abstract name`() {
        #expect(parse("/run/notify")?.address == .unix(path: "/run/notify"))
        #expect(parse("@name")?.address == .abstract(name: Array("name".utf8)))
        let longest = String(repeating: "x", count: 106)
        #expect(parse("/" + longest)?.address == .unix(path: "/" + longest))
        #expect(parse("@" + longest)?.address == .abstract(name: Array(longest.utf8)))
        let bytes: [UInt8] = [0x2f, 0xff, 0xfe]
        let odd = ServiceNotifier.parse(socket: bytes, interval: nil, processID: nil, own: 1)
        #expect(odd?.address == .other(family: .unix, bytes: bytes + [0]))
    }

    @Test(arguments: [
        nil, "", "/", "@", "relative", "vsock:2:1", "127.0.0.1:80", " /run/x", "=", "é",
        "/" + String(repeating: "x", count: 107), "@" + String(repeating: "x", count: 4_000),
    ])
    func `what is no such name names nobody`(name: String?) {
        #expect(parse(name) == nil)
    }

    @Test func `how often the manager wants to hear of life is told to this process alone`() {
        let notifier = parse("@x", interval: "2000000", process: "42")
        #expect(notifier?.watchdogInterval == .seconds(2))
        #expect(parse("@x", interval: "1")?.watchdogInterval == .microseconds(1))
        #expect(parse("@x", interval: "2000000", process: "43")?.watchdogInterval == nil)
        #expect(parse("@x")?.watchdogInterval == nil)
        #expect(parse("@x")?.address == .abstract(name: Array("x".utf8)))
    }

    @Test(arguments: [
        "", "0", "-1", "1.5", "1s", "x", "+1", " 1", "1 ", "0x10", "18446744073709551615",
        "99999999999999999999999999", "١", "1\n",
    ])
    func `an interval that is none is none`(interval: String) {
        let notifier = parse("@x", interval: interval)
        #expect(notifier != nil)
        #expect(notifier?.watchdogInterval == nil)
        #expect(parse("@x", interval: "1000", process: interval)?.watchdogInterval == nil)
    }

    @Test func `the environment of this process is asked`() {
        setenv("NOTIFY_SOCKET", "@sluice", 1)
        setenv("WATCHDOG_USEC", "3000000", 1)
        setenv("WATCHDOG_PID", "\(getpid())", 1)
        defer { for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] { unsetenv(name) } }
        let notifier = ServiceNotifier.fromEnvironment()
        #expect(notifier?.address == .abstract(name: Array("sluice".utf8)))
        #expect(notifier?.watchdogInterval == .seconds(3))
        unsetenv("NOTIFY_SOCKET")
        #expect(ServiceNotifier.fromEnvironment() == nil)
    }

    // MARK: Again and again

    @Test func `a watchdog is fed at once, and twice as often as it wants`() throws {
        let (socket, notifier) = try manager()
        #expect(reactor.feedWatchdog(by: notifier) == nil)
        let fed = ServiceNotifier(to: notifier.address, watchdogInterval: .milliseconds(20))
        let start = ContinuousClock.now
        let timer = reactor.feedWatchdog(by: fed)
        var count = 0
        #expect(try socket.message() == "WATCHDOG=1")
        reactor.expect("it is fed") {
            while (try? socket.message()) == "WATCHDOG=1" { count += 1 }
            return count >= 4
        }
        #expect(ContinuousClock.now - start >= .milliseconds(40))
        timer?.cancel()
    }

    @Test func `a watchdog that is gone is told to the reactor, which goes on`() throws {
        let errors = Box<[any Error]>([])
        reactor.onError = { error, _ in errors.value.append(error) }
        let address = SocketAddress.abstract(name: Array("sluice-gone-\(getpid())".utf8))
        let notifier = ServiceNotifier(to: address, watchdogInterval: .milliseconds(2))
        let timer = reactor.feedWatchdog(by: notifier)
        reactor.expect("it is told, and again") { errors.value.count >= 3 }
        let error = errors.value.first as? SocketError
        #expect(error == SocketError(.connect, .connectionRefused, at: address))
        timer?.cancel()
    }

    @Test func `figures are told again and again`() throws {
        let (socket, notifier) = try manager()
        let server = try reactor.listen()
        let timer = reactor.report([server], by: notifier, every: .milliseconds(5))
        #expect(
            try socket.message()
                == "X_SLUICE_FIGURES=connections=0 accepted=0 refused=0 received=0 sent=0")
        let client = try Socket.connecting(to: server.address)
        var last = ""
        reactor.expect("the connection is told") {
            while let next = try? socket.message() { last = next }
            return last.contains("connections=1 accepted=1")
        }
        #expect(WorkerMessage(last.utf8)?.figures?.accepted == 1)
        timer.cancel()
        _ = client.number
        server.close()
    }

    @Test func `figures are read as they are written, and nonsense is none`() {
        var figures = WorkerFigures()
        figures.connections = 1
        figures.accepted = .max
        figures.bytesSent = 77
        #expect(WorkerFigures(figures.text) == figures)
        #expect(WorkerFigures("") == WorkerFigures())
        #expect(WorkerFigures("later=3 sent=77")?.bytesSent == 77)
        for text in [
            "sent", "sent=", "sent=-1", "sent=x", "sent=1=2", "sent=18446744073709551616", "=1 x",
            String(repeating: "sent=1 ", count: 200),
        ] {
            #expect(WorkerFigures(text) == nil, "\(text)")
        }
        var sum = figures
        sum.add(figures)
        #expect(sum.accepted == .max)
        #expect(sum.bytesSent == 154)
    }

    @Test func `figures have a number for each reason, and pass over those that are unknown`() {
        var figures = WorkerFigures()
        for (index, reason) in RefusalReason.allCases.enumerated() {
            figures.refusals[reason] = .max - UInt64(index)
        }
        #expect(WorkerFigures(figures.text) == figures)
        let read = WorkerFigures("refused=7 refused.rate=3 refused.later=4 connections=2")
        #expect(read?.refusals.sum == 3 && read?.refusals[.rate] == 3)
        #expect(read?.refused == 7 && read?.connections == 2)
        #expect(WorkerFigures("refused.rate=0") == WorkerFigures())
        #expect(WorkerFigures("refused.rate=-1") == nil)
        var sum = figures
        sum.add(WorkerFigures("refused.descriptors=9") ?? figures)
        #expect(sum.refusals[.descriptors] == .max)
        #expect(sum.refusals[.denied] == figures.refusals[.denied])
    }
}

extension HeldSocket {
    /// The next message; `nil` where there is none.
    fileprivate func message() throws -> String? {
        try socket.receiveDatagram()?.bytes.text
    }
}
