// SPDX-License-Identifier: Apache-2.0
//
// Child processes: what they are given, what they are spared, and how their end is told.

import Glibc
import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors, .serialized)
struct StartingProcesses {
    private let reactor: Reactor
    private let folder: TemporaryFolder

    init() throws {
        reactor = try Reactor()
        folder = try TemporaryFolder()
    }

    /// A line of the shell; `$0` is the file that ``output`` reads.
    private func shell(_ line: String) -> ProcessLaunch {
        ProcessLaunch(program: "/bin/sh", arguments: ["-c", line, folder["file"]])
    }

    private func python(_ script: String) -> ProcessLaunch {
        ProcessLaunch(
            program: "/usr/bin/env",
            arguments: ["python3", "-S", "-c", script, folder["file"]])
    }

    /// Runs a program to its end.
    private func run(
        _ launch: ProcessLaunch, passing sockets: borrowing PassedSockets = PassedSockets()
    ) throws -> ProcessEnd? {
        let child = try ChildProcess(on: reactor, launch, passing: sockets)
        reactor.expect("it ends") { child.end != nil }
        return child.end
    }

    private var output: String { folder.read()?.text ?? "" }

    // MARK: The end

    @Test func `the end of a program is told once, and nothing is left of it`() throws {
        let ends = Box<[ProcessEnd]>([])
        let child = try ChildProcess(on: reactor, shell("exit 3"))
        #expect(child.isRunning)
        child.onExit { ends.value.append($0) }
        reactor.expect("it ends") { !ends.value.isEmpty }
        reactor.settle()
        #expect(ends.value == [.exited(3)])
        #expect(child.end == .exited(3))
        #expect(!child.isRunning)
        #expect(!isThere(child.processID))
        #expect(!hasEndedChildren())
    }

    @Test(arguments: [SIGKILL, SIGTERM, SIGUSR1, SIGSEGV])
    func `the signal that has ended a program is told`(number: CInt) throws {
        let signal = Signal(rawValue: number)
        let child = try ChildProcess(on: reactor, shell("exec sleep 60"))
        #expect(child.signal(signal))
        reactor.expect("it ends") { child.end != nil }
        #expect(child.end == .killed(signal))
        #expect(!child.signal(signal))
        #expect(!isThere(child.processID))
    }

    @Test func `a signal that is none is refused`() throws {
        let child = try ChildProcess(on: reactor, shell("exec sleep 60"))
        for number in [-1, 65, 1_000, CInt.max] {
            #expect(!child.signal(Signal(rawValue: number)))
        }
        #expect(child.isRunning)
        child.signal(.kill)
        reactor.expect("it ends") { !child.isRunning }
    }

    @Test func `who asks late is told in a turn, and who asks no more is not told`() throws {
        let child = try ChildProcess(on: reactor, shell("exit 0"))
        let calls = Box(0)
        child.onExit { _ in calls.value += 100 }
        child.onExit(nil)
        reactor.expect("it ends") { !child.isRunning }
        reactor.settle()
        #expect(calls.value == 0)
        child.onExit { _ in calls.value += 1 }
        #expect(calls.value == 0)
        reactor.expect("it is told") { calls.value > 0 }
        reactor.settle()
        #expect(calls.value == 1)
    }

    @Test func `an end that another part of the program has taken is not known`() throws {
        let child = try ChildProcess(on: reactor, shell("exit 5"))
        #expect(waitpid(child.processID, nil, 0) == child.processID)
        reactor.expect("it has ended") { !child.isRunning }
        #expect(child.end == .unknown)
    }

    @Test func `of many children each one's end is its own`() throws {
        let children = try (0..<40).map { number in
            try ChildProcess(on: reactor, shell("exit \(number)"))
        }
        reactor.expect("all have ended") { children.allSatisfy { $0.end != nil } }
        #expect(children.map(\.end) == (0..<40).map { .exited($0) })
        #expect(!hasEndedChildren())
    }

    @Test func `the reactor keeps a child that nobody else has`() throws {
        let ends = Box<[ProcessEnd]>([])
        try ChildProcess(on: reactor, shell("exit 0")).onExit { ends.value.append($0) }
        reactor.expect("its end is told") { ends.value == [.exited(0)] }
    }

    @Test func `a child ends with its reactor`() throws {
        var process: Int32 = 0
        do {
            let reactor = try Reactor()
            process = try ChildProcess(on: reactor, shell("exec sleep 60")).processID
            #expect(isThere(process))
        }
        #expect(!isThere(process))
    }

    @Test func `a child that need not end lives on`() throws {
        var launch = shell("exec sleep 60")
        launch.endsWithParent = false
        var process: Int32 = 0
        do {
            let reactor = try Reactor()
            process = try ChildProcess(on: reactor, launch).processID
        }
        #expect(isThere(process))
        kill(process, SIGKILL)
        waitpid(process, nil, 0)
    }

    @Test func `what is told prints as a sentence`() {
        #expect("\(ProcessEnd.exited(1))" == "exited with status 1")
        #expect("\(ProcessEnd.killed(.kill))" == "killed by signal 9")
        #expect("\(ProcessEnd.unknown)" == "ended")
    }

    // MARK: Failures

    private func launchError(_ launch: ProcessLaunch) -> SocketError? {
        do {
            _ = try ChildProcess(on: reactor, launch)
            return nil
        } catch {
            return error
        }
    }

    @Test func `why a program can't be run is told, and nothing is left`() throws {
        try folder.write(Array("no program".utf8))
        for (program, code) in [
            ("/nonexistent", ErrorCode.noEntry), (folder.path, .permissionDenied),
            (folder["file"], .permissionDenied), ("", .noEntry),
        ] {
            let error = launchError(ProcessLaunch(program: program))
            #expect(error == SocketError(.launch, code), "\(program)")
        }
        chmod(folder["file"], 0o755)
        let noFormat = launchError(ProcessLaunch(program: folder["file"]))
        #expect(noFormat == SocketError(.launch, ErrorCode(rawValue: ENOEXEC)))
        let long = String(repeating: "x", count: 4_000_000)
        let tooLong = launchError(ProcessLaunch(program: "/bin/true", arguments: [long]))
        #expect(tooLong == SocketError(.launch, ErrorCode(rawValue: E2BIG)))
        #expect(!hasEndedChildren())
    }

    @Test func `words that C can't hold are refused`() {
        #expect(launchError(ProcessLaunch(program: "/bin/\0sh"))?.code == .invalidArgument)
        let word = ProcessLaunch(program: "/bin/sh", arguments: ["a\0b"])
        #expect(launchError(word)?.code == .invalidArgument)
        for name in ["", "A=B", "A\0"] {
            let launch = ProcessLaunch(program: "/bin/sh", environment: [name: "1"])
            #expect(launchError(launch)?.code == .invalidArgument, "\(name)")
        }
        let value = ProcessLaunch(program: "/bin/sh", environment: ["A": "\0"])
        #expect(launchError(value)?.code == .invalidArgument)
    }

    @Test(arguments: [SystemCall.spawn, .openProcess, .watch])
    func `where a call fails nothing is left`(call: SystemCall) {
        let launch = shell("exec sleep 60")
        let error = SystemCall.failing(call, with: .tooManyOpenFiles) { launchError(launch) }
        #expect(error == SocketError(.launch, .tooManyOpenFiles))
        #expect(!hasEndedChildren())
        #expect(!hasChildren())
    }

    // MARK: What it is given

    @Test func `sockets are told as a service manager does`() throws {
        var sockets = PassedSockets()
        try sockets.append(try Socket.listening(), named: "http")
        try sockets.append(try Socket.listening())
        try sockets.append(try Socket.listening(), named: "a b")
        let line = #"echo "$((LISTEN_PID - $$)) $LISTEN_FDS $LISTEN_FDNAMES" > "$0""#
        #expect(try run(shell(line), passing: sockets) == .exited(0))
        #expect(output == "0 3 http:unknown:a b\n")
    }

    @Test func `a program without sockets is told of none, whatever the environment says`() throws {
        setenv("LISTEN_FDS", "5", 1)
        setenv("LISTEN_PID", "\(getpid())", 1)
        defer {
            unsetenv("LISTEN_FDS")
            unsetenv("LISTEN_PID")
        }
        var launch = shell(#"env | grep -c ^LISTEN_ > "$0""#)
        launch.environment = ["LISTEN_FDS": "9", "LISTEN_FDNAMES": "x"]
        #expect(try run(launch) == .exited(1))
        #expect(output == "0\n")
    }

    @Test func `many sockets come in order, whatever numbers they had`() throws {
        var sockets = PassedSockets()
        var ports: [UInt16] = []
        // So many that their numbers and their places overlap.
        for _ in 0..<100 {
            let socket = try Socket(for: .loopback(port: 0), kind: .datagram)
            try socket.bind(to: .loopback(port: 0))
            ports.append(try socket.localAddress.port ?? 0)
            try sockets.append(socket)
        }
        let script = """
            import os, socket, sys
            count = int(os.environ["LISTEN_FDS"])
            assert os.environ["LISTEN_PID"] == str(os.getpid())
            ports = [socket.socket(fileno=3 + n).getsockname()[1] for n in range(count)]
            print(*ports, file=open(sys.argv[1], "w"))
            """
        #expect(try run(python(script), passing: sockets) == .exited(0))
        #expect(output == ports.map { "\($0)" }.joined(separator: " ") + "\n")
    }

    // P17, N30
    @Test func `a listening socket goes on in the child`() throws {
        let socket = try Socket.listening()
        let address = try socket.localAddress
        var sockets = PassedSockets()
        try sockets.append(socket)
        let script = """
            import select, socket
            listener = socket.socket(fileno=3)
            select.select([listener], [], [])
            listener.accept()[0].sendall(b"here")
            """
        let child = try ChildProcess(on: reactor, python(script), passing: sockets)
        let client = try Socket.connecting(to: address)
        reactor.expectElsewhere("it answers") { (try? client.unreadByteCount) == 4 }
        reactor.expect("it ends") { child.end == .exited(0) }
    }

    @Test func `names that no list can hold are refused`() throws {
        for name in ["a:b", "\n", "é", "\u{7f}", String(repeating: "x", count: 256)] {
            var sockets = PassedSockets()
            do throws(SocketError) {
                try sockets.append(try Socket.listening(), named: name)
                Issue.record("it is taken: \(name)")
            } catch {
                #expect(error == SocketError(.launch, .invalidArgument))
            }
            let count = sockets.count
            #expect(count == 0)
        }
    }

    @Test func `it has this process's variables, and what is said in their place`() throws {
        setenv("SLUICE_KEPT", "kept", 1)
        setenv("SLUICE_CHANGED", "before", 1)
        defer {
            unsetenv("SLUICE_KEPT")
            unsetenv("SLUICE_CHANGED")
        }
        var launch = shell(#"echo "$SLUICE_KEPT $SLUICE_CHANGED $SLUICE_NEW" > "$0""#)
        launch.environment = ["SLUICE_CHANGED": "after", "SLUICE_NEW": "a=b"]
        #expect(try run(launch) == .exited(0))
        #expect(output == "kept after a=b\n")
    }

    // N31
    @Test func `it has the standard streams, what it is passed, and nothing else`() throws {
        // As a careless library has it: open, and not closed on exec.
        let leak = dup(1)
        defer { close(leak) }
        var sockets = PassedSockets()
        try sockets.append(try Socket.listening())
        try sockets.append(try Socket.listening())
        let script = """
            import os, sys
            def is_open(number):
                try: os.fstat(number)
                except OSError: return False
                return True
            numbers = [number for number in range(20000) if is_open(number)]
            with open(sys.argv[1], "w") as file: file.write(str(numbers))
            """
        #expect(try run(python(script), passing: sockets) == .exited(0))
        #expect(output == "[0, 1, 2, 3, 4]")
    }

    @Test func `no signal is blocked or ignored there, and here all stays as it was`() throws {
        var signals = sigset_t()
        var before = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGUSR1)
        pthread_sigmask(SIG_BLOCK, &signals, &before)
        let old = signal(SIGUSR2, SIG_IGN)
        defer {
            pthread_sigmask(SIG_SETMASK, &before, nil)
            _ = signal(SIGUSR2, old)
        }
        let line = #"grep -E 'Sig(Blk|Ign)' /proc/self/status > "$0""#
        #expect(try run(shell(line)) == .exited(0))
        let sets = output.split(separator: "\n").compactMap { line in
            line.split(separator: "\t").last.flatMap { UInt64($0, radix: 16) }
        }
        // 32 and 33 are the C library's own, and whoever started this process may ignore them.
        let own: UInt64 = 3 << 31
        #expect(sets.map { $0 & ~own } == [0, 0])
        var now = sigset_t()
        pthread_sigmask(SIG_SETMASK, nil, &now)
        #expect(sigismember(&now, SIGUSR1) == 1)
        #expect(sigismember(&now, SIGTERM) == sigismember(&before, SIGTERM))
    }

    @Test(arguments: [true, false])
    func `the kernel kills it with its parent, and the terminal does not reach it, if asked to`(
        isAsked: Bool
    ) throws {
        let script = """
            import ctypes, os, sys
            number = ctypes.c_int(-1)
            ctypes.CDLL(None).prctl(2, ctypes.byref(number), 0, 0, 0)
            own = os.getpgrp() == os.getpid()
            print(number.value, own, file=open(sys.argv[1], "w"))
            """
        var launch = python(script)
        launch.endsWithParent = isAsked
        launch.hasOwnGroup = isAsked
        #expect(try run(launch) == .exited(0))
        #expect(output == (isAsked ? "9 True\n" : "0 False\n"))
    }
}
