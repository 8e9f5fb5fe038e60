// SPDX-License-Identifier: Apache-2.0
//
// A copy of this program that carries a share of a load, and the line to it.
// The line is a pair of sockets: the worker has its end as standard input.

import ArgumentParser
import Glibc
import Sluice

/// A running worker process with one owner, which waits for its end.
struct WorkerProcess: ~Copyable {
    /// The process.
    let processID: pid_t

    /// Starts this program again with other arguments and a socket as its standard input.
    ///
    /// - Throws: ``SocketError`` with operation `.create` when there can be no more processes.
    init(arguments: [String], input: borrowing Socket) throws(SocketError) {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, input.number, STDIN_FILENO)
        var vector = (CommandLine.arguments.prefix(1) + arguments).map { strdup($0) } + [nil]
        defer { for word in vector { free(word) } }
        var number = pid_t()
        let code = posix_spawn(&number, "/proc/self/exe", &actions, nil, &vector, environ)
        guard code == 0 else { throw SocketError(.create, ErrorCode(rawValue: code)) }
        processID = number
    }

    deinit {
        // A worker ends when its line ends, which its owner closes first; one that hangs is not
        // waited for.
        kill(processID, SIGKILL)
        waitpid(processID, nil, 0)
    }
}
