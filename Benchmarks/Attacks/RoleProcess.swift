// SPDX-License-Identifier: Apache-2.0
//
// A part in a process of its own, as the conductor sees it.

import BenchmarkSupport
import Glibc
import Sluice

/// A running part; it ends with the object.
final class RoleProcess {
    /// The process's number.
    let processID: pid_t
    /// What the part has said when it was ready.
    private(set) var ready = Figures()
    private let role: String
    private let reactor: Reactor
    private let channel: Channel
    private var answer: Figures?
    private var isGone = false

    /// Starts this program again in another part, and waits until it is ready.
    ///
    /// - Parameter core: the only core that it may use; `nil` for any.
    init(_ role: String, _ arguments: [String], core: Int?, on reactor: Reactor) throws {
        self.role = role
        self.reactor = reactor
        let pinning = core.map { ["taskset", "-c", "\($0)"] } ?? []
        let words = pinning + [try Self.program(), role] + arguments
        var number = pid_t()
        let line = try Self.start(words, &number)
        processID = number
        channel = try Channel(adopting: line, on: reactor)
        channel.onLine { [unowned self] _, text in answer = Figures(text: text) }
        channel.onClose { [unowned self] _, _ in isGone = true }
        ready = try awaited(within: .seconds(60))
    }

    deinit {
        channel.onLine(nil)
        channel.onClose(nil)
        channel.close()
        // It may be in the middle of whatever it does.
        kill(processID, SIGKILL)
        waitpid(processID, nil, 0)
    }

    /// Gives an order and waits for the answer.
    func ask(_ order: Order, within limit: Duration = .seconds(60)) throws -> Figures {
        answer = nil
        try channel.writeLine(order.text)
        return try awaited(within: limit)
    }

    private func awaited(within limit: Duration) throws -> Figures {
        var isLate = false
        let timer = reactor.after(limit) { isLate = true }
        reactor.run(until: { answer != nil || isGone || isLate })
        timer.cancel()
        guard let answer else {
            throw Fault.failed("the \(role) \(isGone ? "has gone" : "does not answer")")
        }
        return answer
    }
}

// MARK: - Starting

extension RoleProcess {
    /// - Returns: this end of the line; nobody but the process keeps the other one.
    private static func start(_ words: [String], _ number: inout pid_t) throws -> Socket {
        let pair = try Socket.makePair()
        number = try spawn(words, input: pair.second)
        return pair.first
    }

    private static func spawn(
        _ words: [String], input: borrowing Socket
    ) throws(Fault) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, input.number, STDIN_FILENO)
        // Standard output is for the report alone.
        posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO)
        var vector = words.map { strdup($0) } + [nil]
        defer { for word in vector { free(word) } }
        var number = pid_t()
        let code = posix_spawnp(&number, words[0], &actions, nil, &vector, environ)
        guard code == 0 else { throw Fault.failed("\(words[0]): \(ErrorCode(rawValue: code))") }
        return number
    }

    /// Where this program is: for `taskset`, its own process is another one.
    private static func program() throws(Fault) -> String {
        let path = withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) {
            buffer in
            let count =
                buffer.baseAddress.map { readlink("/proc/self/exe", $0, buffer.count) } ?? -1
            return String(
                decoding: buffer.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
        if path.isEmpty { throw Fault.failed("/proc does not tell where this program is") }
        return path
    }
}
