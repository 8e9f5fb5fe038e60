// SPDX-License-Identifier: Apache-2.0
//
// `sluice serve` under a service manager: sockets that somebody else has opened, and what is told
// of the start, a reload, the end and being alive.

import Glibc
import Sluice
import TestSupport
import Testing

extension CommandSuite {
    struct ServingForManagers {
        /// A service manager in python: opens a socket, starts the command, notes what it is told.
        ///
        /// Each line that it reads is a signal to send.
        private static let manager = """
            import ctypes, os, socket, sys, threading
            folder = sys.argv[1]
            listener = socket.create_server(("127.0.0.1", 0))
            notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            notices.bind(folder + "/notify")
            child = os.fork()
            if child == 0:
                ctypes.CDLL(None).prctl(1, 9)  # It ends with its manager: PR_SET_PDEATHSIG.
                if listener.fileno() == 3:
                    os.set_inheritable(3, True)
                else:
                    os.dup2(listener.fileno(), 3)
                environment = dict(os.environ, LISTEN_PID=str(os.getpid()), LISTEN_FDS="1",
                                   NOTIFY_SOCKET=folder + "/notify", WATCHDOG_USEC="200000",
                                   WATCHDOG_PID=str(os.getpid()))
                os.execve(sys.argv[2], sys.argv[2:], environment)
            def hear():
                while (message := notices.recv(8192)) != b"end":
                    for line in message.decode().split("\\n"):
                        os.write(1, f"told {line}\\n".encode())  # At once: others write there, too.
            hearing = threading.Thread(target=hear)
            hearing.start()
            def obey():
                for line in sys.stdin:
                    os.kill(child, int(line))
            threading.Thread(target=obey, daemon=True).start()
            status = os.waitpid(child, 0)[1]
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"end", folder + "/notify")
            hearing.join()
            os._exit(os.waitstatus_to_exitcode(status))
            """

        private let folder: TemporaryFolder

        init() throws { folder = try TemporaryFolder() }

        /// Starts the manager, and with it the command, which serves the manager's socket.
        private func managed(_ options: [String]) throws -> CommandProcess {
            let words = ["-c", Self.manager, folder.path, CommandProcess.sluice, "serve", "echo"]
            return try CommandProcess("python3", words + ["--activated"] + options, input: nil)
        }

        /// One client is served from its first byte to its end; then all ends in order.
        private func serveAndEnd(_ manager: CommandProcess, at port: UInt16) throws {
            let client = try PlainClient.served(at: port)
            client.endWriting()
            #expect(client.receive().isEmpty)
            manager.type("\(SIGTERM)\n")
            _ = try manager.line(with: "told STOPPING=1")
            #expect(try manager.ended() == .exited(0))
        }

        @Test(arguments: [
            [], ["--style", "async"], ["--workers", "2"], ["--style", "async", "--workers", "2"],
        ])
        func `one process serves its socket and tells how it is`(options: [String]) throws {
            let manager = try managed(options)
            let port = try manager.listeningPort()
            _ = try manager.line(with: "told READY=1")
            _ = try manager.line(with: "told WATCHDOG=1")
            try serveAndEnd(manager, at: port)
        }

        @Test func `several processes do, and tell of a reload`() throws {
            let manager = try managed(["--processes", "2"])
            let port = try manager.listeningPort()
            _ = try manager.line(with: "told READY=1")
            _ = try manager.line(with: "told WATCHDOG=1")
            manager.type("\(SIGHUP)\n")
            _ = try manager.line(with: "told RELOADING=1")
            _ = try manager.line(with: "told MONOTONIC_USEC=")
            manager.expect("it is ready again") {
                manager.output.text.split(separator: "\n").count { $0 == "told READY=1" } == 2
            }
            try serveAndEnd(manager, at: port)
        }

        @Test func `a bad file is told of, and the reload ends all the same`() throws {
            let path = try folder.write(Array("--workers 1\n".utf8), to: "options")
            let manager = try managed(["--processes", "1", "--options", path])
            _ = try manager.line(with: "told READY=1")
            try folder.write(Array("--workers none\n".utf8), to: "options")
            manager.type("\(SIGHUP)\n")
            _ = try manager.line(with: "what served before goes on")
            manager.expect("it is ready again") {
                manager.output.text.split(separator: "\n").count { $0 == "told READY=1" } == 2
            }
            manager.type("\(SIGTERM)\n")
            #expect(try manager.ended() == .exited(0))
        }

        @Test(arguments: [[], ["--processes", "2"]])
        func `without a socket that was handed over it ends with status 69`(
            options: [String]
        ) throws {
            let server = try CommandProcess(
                sluice: ["serve", "echo", "--activated"] + options, input: nil)
            #expect(try server.finish().end == .exited(69))
            let sentence =
                "sluice: no socket was handed over: LISTEN_FDS names none, or LISTEN_PID another "
                + "process\n"
            #expect(server.errors.text == sentence)
        }

        @Test func `a manager that has no room is told later, and holds nobody up`() throws {
            let address = SocketAddress.unix(path: folder["notify"])
            let manager = try Socket(family: .unix, kind: .datagram)
            try manager.bind(to: address)
            let others = try Socket(family: .unix, kind: .datagram)
            while case .bytes = try others.send([65], to: address) {}
            let server = try CommandProcess(
                shell: "NOTIFY_SOCKET=\(folder["notify"]) exec $sluice serve echo")
            try PlainClient.served(at: try server.listeningPort())
            var texts: [String] = []
            try server.expect("it is told") {
                while let next = try manager.receiveDatagram() {
                    texts.append(String(decoding: next.bytes, as: UTF8.self))
                }
                return texts.contains("READY=1")
            }
            #expect(server.errors.text.isEmpty)
        }

        @Test func `a manager that does not listen is told of, and holds nobody up`() throws {
            let server = try CommandProcess(
                shell: "NOTIFY_SOCKET=\(folder["nobody"]) exec $sluice serve echo")
            let port = try server.listeningPort()
            let line = try server.line(with: "nobody")
            #expect(line == "sluice: connect \(folder["nobody"]): No such file or directory")
            try PlainClient.served(at: port)
            withExtendedLifetime(server) {}
        }
    }
}
