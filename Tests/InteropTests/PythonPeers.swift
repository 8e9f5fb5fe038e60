// SPDX-License-Identifier: Apache-2.0
//
// Python's socket module as the other end of our sockets: how a script is started, told to go on,
// and ended. It ends by itself after 25 s at the latest, whatever becomes of our side.

import Sluice
import TestSupport
import Testing

extension CommandProcess {
    /// Runs a Python script as somebody's peer.
    ///
    /// In it stand ready: `say(...)`, a line for ``nextLine(within:)``; `wait_for_test()`, until
    /// ``goOn()``; `show(address)` and `place(text)`, which write and read addresses as we do;
    /// `bound(text, kind)`, `listen(text, kind)` and `dial(text, kind)`; `read_to_end(connection)`;
    /// `numbered(count)`, the bytes of ``longPattern(_:)``.
    static func pythonPeer(_ script: String, _ arguments: String...) throws -> CommandProcess {
        try CommandProcess("python3", ["-c", pythonStart + script] + arguments, input: nil)
    }

    /// Ends the script's `wait_for_test()`.
    func goOn() { type("go on\n") }

    /// Waits for the end of the script; the test fails unless it ended well.
    ///
    /// - Returns: what it has said behind the lines that were taken.
    @discardableResult
    func outcome(sourceLocation: SourceLocation = #_sourceLocation) throws -> String {
        let (end, output) = try finish()
        #expect(end == .exited(0), "\(errors.text)", sourceLocation: sourceLocation)
        return output
    }

    /// Waits for these lines; the test fails where others come.
    ///
    /// - Parameter isAll: whether the script ends behind them, and well.
    func expectLines(
        _ lines: [String], isAll: Bool = true, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        for line in lines {
            let said = try nextLine()
            #expect(said == line, sourceLocation: sourceLocation)
        }
        guard isAll else { return }
        let rest = try outcome(sourceLocation: sourceLocation)
        #expect(rest.isEmpty, sourceLocation: sourceLocation)
    }

    /// As ``outcome(sourceLocation:)``, and lets a reactor run meanwhile.
    @discardableResult
    func outcome(
        running reactor: Reactor, sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> String {
        expect("the script ends", sourceLocation: sourceLocation) {
            reactor.runPending()
            // It throws for as long as there is no end.
            return (try? ended(within: .zero)) != nil
        }
        return try outcome(sourceLocation: sourceLocation)
    }
}

/// A script, and our end of the one connection with it.
struct PythonEnds: ~Copyable {
    /// Our end.
    let socket: Socket
    /// Who is at the other end.
    let python: CommandProcess

    /// Listens, and accepts the script's `connection`.
    init(
        listeningAt address: SocketAddress = .loopback(port: 0), kind: SocketKind = .stream,
        _ script: String
    ) throws {
        let listener = try Socket(for: address, kind: kind)
        try listener.bind(to: address)
        try listener.listen(backlog: 1)
        let python = try CommandProcess.pythonPeer(
            "connection = dial(sys.argv[1], int(sys.argv[2]))\n" + script,
            "\(try listener.localAddress)", "\(kind.rawValue)")
        var accepted = try listener.accept(within: .seconds(20))
        let socket = try Socket.taken(from: &accepted.socket)
        self.python = python
        self.socket = socket
    }

    /// Has the script listen and connects to it: that is its `connection`.
    init(
        dialling address: SocketAddress, kind: SocketKind = .stream,
        _ script: String
    ) throws {
        let python = try CommandProcess.pythonPeer(
            """
            server = listen(sys.argv[1], int(sys.argv[2]))
            connection, _ = server.accept()

            """ + script, "\(address)", "\(kind.rawValue)")
        // Only a port is another than was asked for.
        let place = SocketAddress(try python.nextLine()) ?? address
        let socket = try Socket(for: place, kind: kind)
        try socket.connect(to: place, within: .seconds(20))
        self.python = python
        self.socket = socket
    }
}

extension Socket {
    /// Reads to the end.
    func readToEnd() throws(SocketError) -> [UInt8] {
        var bytes: [UInt8] = []
        while case let piece = try receive(upTo: 65_536, within: .seconds(20)), !piece.isEmpty {
            bytes += piece
        }
        return bytes
    }

    /// Sends all of a text.
    func say(_ text: String) throws {
        let bytes = Array(text.utf8)
        try sendAll(bytes.span.bytes, within: .seconds(20))
    }

    /// Waits for one message, and lends its bytes and what came with them.
    func withMessage<Result>(
        room: Int = 65_536, ancillaryByteCount: Int = 0,
        _ body: ([UInt8], inout ReceivedMessage) throws -> Result
    ) throws -> Result {
        var storage = [UInt8](repeating: 0, count: room)
        var span = storage.mutableSpan
        var bytes = span.mutableBytes
        var message = try receiveMessage(
            into: &bytes, ancillaryByteCount: ancillaryByteCount, within: .seconds(20))
        return try body(Array(storage.prefix(message.byteCount)), &message)
    }
}

/// The bytes of `pattern(_:)`, which begin anew after 65,536, faster for millions of them.
func longPattern(_ count: Int) -> [UInt8] {
    let block = pattern(65_536)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count)
    while bytes.count < count { bytes += block.prefix(count - bytes.count) }
    return bytes
}

/// What every script begins with.
private let pythonStart = #"""
    import os, select, signal, socket, struct, sys, threading

    signal.alarm(25)

    def say(*words):
        print(*words, flush=True)

    def wait_for_test():
        assert sys.stdin.readline() == "go on\n"

    def show(address):
        if isinstance(address, tuple):
            host = f"[{address[0]}]" if ":" in address[0] else address[0]
            return f"{host}:{address[1]}"
        text = address.decode() if isinstance(address, bytes) else address
        return text.replace("\0", "@") or "unnamed"

    def place(text):
        if text[0] in "@/":
            return socket.AF_UNIX, text.replace("@", "\0")
        if text == "unnamed":
            return socket.AF_UNIX, ""
        host, _, port = text.rpartition(":")
        if host[0] == "[":
            return socket.AF_INET6, (host[1:-1], int(port))
        return socket.AF_INET, (host, int(port))

    def bound(text, kind):
        family, address = place(text)
        found = socket.socket(family, kind)
        found.settimeout(20)
        found.bind(address)
        return found

    def listen(text, kind):
        server = bound(text, kind)
        server.listen()
        say(show(server.getsockname()))
        return server

    def dial(text, kind):
        family, address = place(text)
        connection = socket.socket(family, kind)
        connection.settimeout(20)
        connection.connect(address)
        return connection

    def read_to_end(connection):
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
        return b"".join(parts)

    def numbered(count):
        block = bytes((number * 31 + number // 256) & 255 for number in range(65536))
        return (block * (count // 65536 + 1))[:count]


    """#
