// SPDX-License-Identifier: Apache-2.0
//
// A program with pipes for its three streams, run as a person or a script runs it.
// Nothing here waits for ever: after a time limit the program is killed and the test fails.

import Glibc
import Testing

/// A started program with one owner, which ends with it.
final class RunningProgram {
    /// How a program has ended.
    enum End: Equatable {
        /// By itself, with a status.
        case exited(Int32)
        /// By a signal.
        case killed(Int32)
    }

    let processID: pid_t
    private var input: CInt
    private let output: CInt
    private let errors: CInt
    private var unread: [UInt8] = []
    private(set) var errorText = ""
    private var end: End?
    private let limit: Int
    private var isLate = false

    /// Starts the built command with arguments.
    ///
    /// - Parameter limit: how many seconds all of the program's life may take.
    convenience init(sluice arguments: String..., within limit: Int = 30) throws {
        try self.init(Self.commandPath, arguments, within: limit)
    }

    /// Starts a line of the shell, in which `$sluice` is the built command.
    convenience init(shell line: String, within limit: Int = 30) throws {
        try self.init("/bin/sh", ["-c", "sluice='\(Self.commandPath)'; \(line)"], within: limit)
    }

    private init(_ path: String, _ arguments: [String], within limit: Int) throws {
        let pipes = try Self.makePipes()
        let theirs = [pipes[0].reading, pipes[1].writing, pipes[2].writing]
        (input, output, errors) = (pipes[0].writing, pipes[1].reading, pipes[2].reading)
        self.limit = Int(time(nil)) + limit
        processID = Self.start(path, arguments, streams: theirs)
        for number in theirs { close(number) }
        try #require(processID > 0, "\(path) could not be started")
    }

    deinit {
        closeInput()
        close(output)
        close(errors)
        guard end == nil, processID > 0 else { return }
        kill(processID, SIGKILL)
        waitpid(processID, nil, 0)
    }

    /// The command that was built beside these tests.
    private static let commandPath: String = {
        var path = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = max(0, readlink("/proc/self/exe", &path, path.count))
        let bytes = path[..<count].map { UInt8(bitPattern: $0) }
        let end = bytes.lastIndex(of: UInt8(ascii: "/")) ?? 0
        return String(decoding: bytes[..<end], as: UTF8.self) + "/sluice"
    }()

    /// - Returns: the process, or 0 where it could not be started.
    private static func start(_ path: String, _ arguments: [String], streams: [CInt]) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (target, number) in streams.enumerated() {
            posix_spawn_file_actions_adddup2(&actions, number, CInt(target))
        }
        // A test may run on a thread that has signals blocked, which its children would inherit.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        var words = ([path] + arguments).map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        var number = pid_t()
        return posix_spawn(&number, path, &actions, &attributes, &words, environ) == 0 ? number : 0
    }

    private static func makePipes() throws -> [(reading: CInt, writing: CInt)] {
        try (0..<3).map { _ in
            var ends: [CInt] = [-1, -1]
            try #require(pipe(&ends) == 0)
            for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
            return (ends[0], ends[1])
        }
    }
}

// MARK: - Talking to it

extension RunningProgram {
    /// Writes to its standard input; the program must take it all at once.
    func write(_ text: String) {
        let bytes = Array(text.utf8)
        #expect(Glibc.write(input, bytes, bytes.count) == bytes.count)
    }

    /// Ends its standard input.
    func closeInput() {
        if input >= 0 { close(input) }
        input = -1
    }

    /// Sends it a signal.
    func send(_ signal: CInt) { kill(processID, signal) }

    /// The next line of its standard output, without the line's end.
    func line() throws -> String {
        while true {
            if let end = unread.firstIndex(of: UInt8(ascii: "\n")) {
                defer { unread.removeFirst(end + 1) }
                return String(decoding: unread[..<end], as: UTF8.self)
            }
            try #require(collect(), "the output ended without a line: \(errorText)")
        }
    }

    /// Waits until its standard error holds a text.
    func expectError(_ text: String) throws {
        while !errorText.contains(text) {
            try #require(collect(), "'\(text)' is missing in: \(errorText)")
        }
    }

    /// Waits for its end.
    ///
    /// - Returns: how it ended, and the rest of its standard output.
    @discardableResult
    func finish() -> (end: End, output: String) {
        while collect() {}
        let text = String(decoding: unread, as: UTF8.self)
        unread = []
        return (waitForEnd(), text)
    }

    private func waitForEnd() -> End {
        if let end { return end }
        var status: CInt = 0
        while waitpid(processID, &status, WNOHANG) == 0 {
            endIfLate()
            poll(nil, 0, 2)  // Its streams have ended, so it is about to end, too.
        }
        let signal = status & 0x7F
        let found = signal == 0 ? End.exited((status >> 8) & 0xFF) : .killed(signal)
        end = found
        return found
    }

    /// Reads what its output streams hold, waiting for something.
    ///
    /// - Returns: false when both have ended.
    private func collect() -> Bool {
        var questions = [output, errors].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        while poll(&questions, 2, 1_000) == 0 { endIfLate() }
        endIfLate()
        var isOpen = false
        for question in questions where question.revents != 0 {
            var bytes = [UInt8](repeating: 0, count: 65_536)
            let count = max(0, read(question.fd, &bytes, bytes.count))
            if count > 0 { isOpen = true }
            if question.fd == output {
                unread += bytes[..<count]
            } else {
                errorText += String(decoding: bytes[..<count], as: UTF8.self)
            }
        }
        return isOpen
    }

    private func endIfLate() {
        guard Int(time(nil)) > limit, !isLate else { return }
        isLate = true
        Issue.record("the program took too long: \(errorText)")
        kill(processID, SIGKILL)
    }
}

extension RunningProgram {
    /// The port in a line such as `listening on 127.0.0.1:4711`.
    func listeningPort() throws -> UInt16 {
        let line = try line()
        #expect(line.hasPrefix("listening on "))
        return try #require(line.split(separator: ":").last.flatMap { UInt16($0) })
    }
}
