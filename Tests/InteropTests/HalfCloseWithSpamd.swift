// SPDX-License-Identifier: Apache-2.0
//
// SpamAssassin's spamd answers a request without a length only after the client's writing side has
// ended. Without spamd (Debian's package `spamd`) a stand-in with the same protocol answers.

import Glibc
import Sluice
import TestSupport
import Testing

@Suite(.countingDescriptors, .serialized)
struct HalfCloseWithSpamd {
    /// spamd 1.0: no headers of its own, so no length; the message follows at once.
    private static let request = [
        "PROCESS SPAMC/1.0", "From: one@example.com", "To: two@example.com", "Subject: a test",
        "Message-ID: <1@example.com>", "",
        "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X",
    ]

    private static var options: ChannelOptions {
        var options = ChannelOptions.standard
        options.text.outputTranslation = .crlf
        return options
    }

    private func answer(in manner: Manner, from address: SocketAddress) throws -> [String] {
        var options = ClientOptions()
        options.channel = manner.options(Self.options)
        if manner == .alone {
            let channel = try Channel.connected(to: address, options: options)
            let talk = Talk(channel, Self.request, first: .ours)
            try talk.waitingForEach()
            return talk.heard
        }
        let reactor = try Reactor()
        let channel = try Client(on: reactor, options: options).open(address)
        let talk = Talk(channel, Self.request, first: .ours)
        try talk.start(manner)
        reactor.expect("the answer") { talk.isOver }
        return talk.heard
    }

    // W27
    @Test func `spamd answers what is whole only when our writing side has ended`() throws {
        let spamd = try Spamd()
        defer { spamd.stop() }
        for manner in Manner.allCases {
            let answer = try answer(in: manner, from: spamd.address)
            #expect(answer.first == "SPAMD/1.0 0 EX_OK", "\(spamd.kind), \(manner)")
            #expect(answer.contains("X-Spam-Flag: YES"), "\(spamd.kind), \(manner)")
            // It has found the header, and the message itself is part of the answer.
            let message = Self.request.dropFirst()
            #expect(!answer.contains { $0.contains("MISSING_SUBJECT") }, "\(spamd.kind)")
            #expect(message.allSatisfy(answer.contains), "\(spamd.kind), \(manner)")
        }
    }

    // W27
    @Test func `spamd says nothing before that`() throws {
        let spamd = try Spamd()
        defer { spamd.stop() }
        let reactor = try Reactor()
        var options = ClientOptions()
        options.channel = Self.options
        let channel = try Client(on: reactor, options: options).open(spamd.address)
        for line in Self.request { try channel.writeLine(line) }
        reactor.expect("all is sent") { channel.status == .open && channel.unsentByteCount == 0 }
        // Nothing tells that no answer comes: an early one is waited for, for a while.
        let isEarly = Box(false)
        channel.onReadable { _ in isEarly.value = true }
        let hasPassed = Box(false)
        reactor.after(.milliseconds(300)) { hasPassed.value = true }
        reactor.run(until: { isEarly.value || hasPassed.value })
        channel.onReadable(nil)
        #expect(!isEarly.value)
        #expect(channel.unreadByteCount == 0 && channel.status == .open)
        #expect(try channel.readLine() == nil && channel.isBlocked)
        try channel.closeWriting()
        var lines: [String] = []
        channel.onLine { lines.append($1) }
        reactor.expect("the answer") { channel.status == .closed }
        #expect(lines.first == "SPAMD/1.0 0 EX_OK", "\(spamd.kind)")
    }
}

/// A running spamd, or its stand-in.
private final class Spamd {
    /// Which of them it is.
    let kind: String
    let process: CommandProcess
    let address: SocketAddress

    private static let path = "/usr/sbin/spamd"

    init() throws {
        let isInstalled = access(Self.path, X_OK) == 0
        kind = isInstalled ? "spamd" : "stand-in"
        if isInstalled {
            (process, address) = try Self.started()
        } else {
            process = try CommandProcess.python(Self.standIn)
            address = try process.listeningAddress()
        }
    }

    /// Starts spamd, on another port where somebody was quicker.
    ///
    /// It can't tell which port it got, so it is given one that was free a moment ago.
    private static func started() throws -> (CommandProcess, SocketAddress) {
        for _ in 0..<3 {
            if let started = try startedUnlessInUse() { return started }
        }
        throw SocketError(.bind, .addressInUse)
    }

    private static func startedUnlessInUse() throws -> (CommandProcess, SocketAddress)? {
        let address = try Socket.listening().localAddress
        let process = try CommandProcess(
            path,
            [
                "--local", "--nouser-config", "--ipv4-only", "--listen=127.0.0.1",
                "--port=\(address.port ?? 0)", "--syslog=stderr", "--max-children=1",
                "--min-children=1", "--timeout-child=60", "--cf=use_bayes 0",
            ])
        do {
            // The server has "started", or its "socket setup failed" and is tried again.
            let line = try process.line(with: "server s", within: .seconds(60))
            if line.contains("server started on ") { return (process, address) }
            try stop(process)
            if line.contains("in use") { return nil }
            throw CommandProcess.Failure.silent(waitingFor: "its start", errors: line)
        } catch {
            try? stop(process)  // The first failure says more.
            throw error
        }
    }

    func stop() {
        #expect(throws: Never.self) { try Self.stop(process) }
    }

    /// Ends a process that ends its children before itself, and kills it where it does not.
    private static func stop(_ process: CommandProcess) throws {
        process.send(SIGTERM)
        do { try process.ended() } catch {
            process.send(SIGKILL)
            try process.ended()
            throw error
        }
    }

    /// Whoever waits for it does so for two minutes at most.
    private static let standIn = """
        import signal
        signal.alarm(120)
        server = socket.create_server(("127.0.0.1", 0))
        print("listening on 127.0.0.1:%d" % server.getsockname()[1], flush=True)
        while True:
            connection, _ = server.accept()
            request, _, message = read_to_end(connection).partition(b"\\r\\n")
            assert request == b"PROCESS SPAMC/1.0", request
            connection.sendall(b"SPAMD/1.0 0 EX_OK\\r\\nX-Spam-Flag: YES\\r\\n" + message)
            connection.close()
        """
}
