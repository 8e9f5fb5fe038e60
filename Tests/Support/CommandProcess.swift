// SPDX-License-Identifier: Apache-2.0
//
// A program as a user starts it: input, output, signals, exit status, and what `/proc` tells of it.
// Everything that waits has a time limit, and a process whose owner lets go of it is killed.

import Glibc
public import Sluice
public import Testing

/// A running program whose three standard streams are the test's.
public final class CommandProcess {
    /// What went wrong with a program.
    public enum Failure: Error, Hashable {
        /// It could not be started.
        case notStarted(program: String, ErrorCode)
        /// It did not do in time what was waited for.
        case late(String)
        /// It ended, or closed its output, before it said what was waited for; with its standard
        /// error.
        case silent(waitingFor: String, errors: String)
    }

    /// How a program ended.
    public enum Ending: Hashable, Sendable {
        /// By itself, with this status.
        case exited(CInt)
        /// By this signal.
        case killed(by: CInt)
    }

    /// The process's number.
    public let pid: CInt
    /// What it has written to standard output so far.
    public private(set) var output: [UInt8] = []
    /// What it has written to standard error so far.
    public private(set) var errors: [UInt8] = []

    private let program: String
    private var ending: Ending?
    private var input: Descriptor?
    private var unsentInput: ArraySlice<UInt8>
    private var endsInput: Bool
    private var takenOutput = 0
    private var outputPipe: Descriptor?
    private var errorPipe: Descriptor?

    /// Starts a program, which is looked for in `PATH` unless its name has a slash.
    ///
    /// - Parameter input: what it reads from standard input before the end; `nil` leaves the input
    ///   open.
    public init(_ program: String, _ arguments: [String] = [], input text: [UInt8]? = []) throws {
        _ = Self.keepsInheritance
        self.program = program
        unsentInput = text?[...] ?? []
        var input = try Pipe()
        var output = try Pipe()
        var errors = try Pipe()
        pid = try Self.spawn(
            program, arguments, [input.readingEnd, output.writingEnd, errors.writingEnd])
        self.input = input.takeWritingEnd()
        outputPipe = output.takeReadingEnd()
        errorPipe = errors.takeReadingEnd()
        if text?.isEmpty == true { self.input = nil }
        endsInput = text != nil
    }

    /// Starts a program that makes its own temporary files in `folder`, which takes them along when
    /// it goes: one that is killed leaves them.
    public convenience init(
        _ program: String, _ arguments: [String], temporaryFilesIn folder: TemporaryFolder,
        input text: [UInt8]? = []
    ) throws {
        try self.init("env", ["TMPDIR=\(folder.path)", program] + arguments, input: text)
    }

    deinit {
        guard ending == nil else { return }
        kill(pid, SIGKILL)
        waitpid(pid, nil, 0)
    }

    /// What this process was started with, such as pipes of the test runner, stays out of the
    /// programs.
    private static let keepsInheritance: Void = {
        for number in 3..<1_024 as Range<CInt> {
            let flags = fcntl(number, F_GETFD)
            if flags >= 0 { _ = fcntl(number, F_SETFD, flags | FD_CLOEXEC) }
        }
    }()

    private static func spawn(
        _ program: String, _ arguments: [String], _ streams: [CInt]
    ) throws(Failure) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (number, end) in streams.enumerated() {
            posix_spawn_file_actions_adddup2(&actions, end, CInt(number))
        }
        // The program starts with the signals that a shell gives it, whatever this process ignores.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        for signal in [SIGPIPE, SIGINT, SIGTERM] { sigaddset(&signals, signal) }
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        var words = ([program] + arguments).map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        var pid: pid_t = 0
        let code = posix_spawnp(&pid, program, &actions, &attributes, &words, environ)
        if code != 0 { throw .notStarted(program: program, ErrorCode(rawValue: code)) }
        return pid
    }
}

// MARK: - The built command

extension CommandProcess {
    /// Where the command `sluice` was built: beside the tests.
    public static var sluice: String {
        var path = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = path.withUnsafeMutableBytes { bytes in
            bytes.withMemoryRebound(to: CChar.self) {
                $0.baseAddress.map { readlink("/proc/self/exe", $0, Int(PATH_MAX)) } ?? 0
            }
        }
        let name = path[..<max(0, count)]
        let folder = name[..<(name.lastIndex(of: UInt8(ascii: "/")) ?? 0)]
        return Array(folder).text + "/sluice"
    }

    /// Starts `sluice` with these arguments.
    public convenience init(sluice arguments: [String], input: [UInt8]? = []) throws {
        try self.init(Self.sluice, arguments, input: input)
    }

    /// Starts `sluice` with these arguments, and leaves its standard input open.
    public convenience init(sluice arguments: String...) throws {
        try self.init(Self.sluice, arguments, input: nil)
    }

    /// Starts a line of the shell, in which `$sluice` is the built command.
    public convenience init(shell line: String) throws {
        try self.init("/bin/sh", ["-c", "sluice='\(Self.sluice)'; \(line)"])
    }

    /// The address in its first line that says `listening on`, waited for.
    public func listeningAddress() throws -> SocketAddress {
        let line = try line(with: "listening on ")
        guard let word = line.split(separator: " ").last, let address = SocketAddress(String(word))
        else { throw Failure.silent(waitingFor: "an address", errors: line) }
        return address
    }

    /// The port in its first line that says `listening on`, waited for.
    public func listeningPort() throws -> UInt16 {
        let address = try listeningAddress()
        guard case .ip(_, let port) = address else {
            throw Failure.silent(waitingFor: "a port", errors: "\(address)")
        }
        return port
    }
}

// MARK: - Waiting

extension CommandProcess {
    /// Waits for a whole line, in either output, that has `part` in it.
    public func line(with part: String, within limit: Duration = .seconds(20)) throws -> String {
        let deadline = ContinuousClock.now + limit
        while true {
            if let line = wholeLines.first(where: { $0.contains(part) }) { return line }
            guard outputPipe != nil || errorPipe != nil else {
                throw Failure.silent(waitingFor: part, errors: errors.text)
            }
            try exchange(before: deadline, waitingFor: "a line with '\(part)'")
        }
    }

    /// Waits until it has ended.
    ///
    /// - Throws: ``Failure/late(_:)``; the process goes on then.
    @discardableResult
    public func ended(within limit: Duration = .seconds(30)) throws -> Ending {
        let deadline = ContinuousClock.now + limit
        while true {
            if ending == nil { reap() }
            if let ending, outputPipe == nil, errorPipe == nil { return ending }
            try exchange(before: deadline, waitingFor: "its end")
        }
    }

    /// The next line of its standard output, waited for, without the line's end.
    public func nextLine(within limit: Duration = .seconds(20)) throws -> String {
        let deadline = ContinuousClock.now + limit
        while true {
            let rest = output[takenOutput...]
            if let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                takenOutput = end + 1
                return Array(rest[..<end]).text
            }
            guard outputPipe != nil else {
                throw Failure.silent(waitingFor: "a line", errors: errors.text)
            }
            try exchange(before: deadline, waitingFor: "a line")
        }
    }

    /// Waits until it has ended.
    ///
    /// - Returns: how it ended, and the standard output after the lines that were taken.
    @discardableResult
    public func finish() throws -> (end: Ending, output: String) {
        let ending = try ended()
        return (ending, Array(output[takenOutput...]).text)
    }

    /// Asks again and again until `condition` holds; records an issue when that takes longer than
    /// 20 s.
    public func expect(
        _ what: Comment, sourceLocation: SourceLocation = #_sourceLocation,
        until condition: () throws -> Bool
    ) rethrows {
        let deadline = ContinuousClock.now + .seconds(20)
        while try !condition() {
            guard ContinuousClock.now < deadline else {
                Issue.record(what, sourceLocation: sourceLocation)
                return
            }
            exchange(milliseconds: 2)
        }
    }

    /// Lets time pass, for as long as a test has to watch that nothing happens.
    public func watch(for duration: Duration) {
        let end = ContinuousClock.now + duration
        while ContinuousClock.now < end { exchange(milliseconds: 50) }
    }

    /// Gives it more to read from standard input, which was left open.
    ///
    /// What the pipe does not take at once is written while the test waits.
    public func type(_ text: String) {
        unsentInput += text.utf8
        writeInput()
    }

    /// Ends its standard input, after what was typed.
    public func closeInput() {
        endsInput = true
        if unsentInput.isEmpty { input = nil }
    }

    /// Sends it a signal.
    public func send(_ signal: CInt) {
        if ending == nil { kill(pid, signal) }
    }

    /// The lines of both outputs; what follows the last line feed is not a line yet.
    private var wholeLines: [String] {
        [output, errors].flatMap { bytes in
            bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).dropLast()
                .map { Array($0).text }
        }
    }

    private func reap() {
        var status: CInt = 0
        guard waitpid(pid, &status, WNOHANG) == pid else { return }
        let signal = status & 0x7f
        ending = signal == 0 ? .exited((status >> 8) & 0xff) : .killed(by: signal)
    }

    private func exchange(before deadline: ContinuousClock.Instant, waitingFor what: String) throws
    {
        if ContinuousClock.now >= deadline {
            throw Failure.late("\(program): \(what); standard error: \(errors.text)")
        }
        exchange(milliseconds: 5)
    }
}

// MARK: - The streams

extension CommandProcess {
    /// Moves what can be moved between the test and the program, after waiting for it.
    private func exchange(milliseconds: CInt) {
        var questions = [
            pollfd(fd: outputPipe?.number ?? -1, events: Int16(POLLIN), revents: 0),
            pollfd(fd: errorPipe?.number ?? -1, events: Int16(POLLIN), revents: 0),
            pollfd(
                fd: unsentInput.isEmpty ? -1 : input?.number ?? -1, events: Int16(POLLOUT),
                revents: 0),
        ]
        poll(&questions, 3, milliseconds)
        if let bytes = Self.read(questions[0]) { output += bytes } else { outputPipe = nil }
        if let bytes = Self.read(questions[1]) { errors += bytes } else { errorPipe = nil }
        if questions[2].revents != 0 { writeInput() }
    }

    /// - Returns: what is there; `nil` at the end.
    private static func read(_ question: pollfd) -> [UInt8]? {
        guard question.revents != 0 else { return [] }
        return withUnsafeTemporaryAllocation(byteCount: 65_536, alignment: 1) { buffer in
            let count = Glibc.read(question.fd, buffer.baseAddress, buffer.count)
            if count < 0 && (errno == EAGAIN || errno == EINTR) { return [] }
            return count > 0 ? Array(buffer[..<count]) : nil
        }
    }

    private func writeInput() {
        guard let number = input?.number else { return }
        let count = unsentInput.withUnsafeBytes { bytes in
            withoutBrokenPipeSignal { write(number, bytes.baseAddress, bytes.count) }
        }
        if count < 0 && (errno == EAGAIN || errno == EINTR) { return }
        unsentInput = count > 0 ? unsentInput.dropFirst(count) : []
        if unsentInput.isEmpty && endsInput { input = nil }
    }

    /// A program that reads no more must not end the tests.
    private func withoutBrokenPipeSignal(_ body: () -> Int) -> Int {
        var signals = sigset_t()
        var before = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGPIPE)
        pthread_sigmask(SIG_BLOCK, &signals, &before)
        let count = body()
        let code = errno
        if count < 0 && code == EPIPE {
            var none = timespec()
            sigtimedwait(&signals, nil, &none)
        }
        pthread_sigmask(SIG_SETMASK, &before, nil)
        errno = code
        return count
    }
}

/// Both ends of a pipe, which programs that are started do not inherit; the test's end does not
/// block.
private struct Pipe: ~Copyable {
    private var reading: Descriptor?
    private var writing: Descriptor?
    let readingEnd: CInt
    let writingEnd: CInt

    init() throws {
        var numbers: [CInt] = [0, 0]
        guard pipe(&numbers) == 0 else {
            throw SocketError(.create, ErrorCode(rawValue: errno))
        }
        for number in numbers { _ = fcntl(number, F_SETFD, FD_CLOEXEC) }
        (readingEnd, writingEnd) = (numbers[0], numbers[1])
        reading = Descriptor(adopting: readingEnd)
        writing = Descriptor(adopting: writingEnd)
    }

    mutating func takeReadingEnd() -> Descriptor? {
        _ = fcntl(readingEnd, F_SETFL, O_NONBLOCK)
        return reading.take()
    }

    mutating func takeWritingEnd() -> Descriptor? {
        _ = fcntl(writingEnd, F_SETFL, O_NONBLOCK)
        return writing.take()
    }
}
