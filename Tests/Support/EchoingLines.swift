// SPDX-License-Identifier: Apache-2.0
//
// Clients and handlers of tests that serve: a line there, the same line back.

public import Sluice

/// Sends a line each through a connection of its own and reads the answers.
public func ask(
    _ address: SocketAddress, _ count: Int, on group: ReactorGroup
) async throws -> [String] {
    try await withThrowingTaskGroup(of: String.self) { tasks in
        for number in 0..<count {
            tasks.addTask {
                try await Connection.connect(
                    to: .address(address), on: group.leastLoaded
                ) { connection in
                    try await connection.writeLine("\(number)")
                    return try await connection.readLine() ?? "nothing"
                }
            }
        }
        return try await tasks.reduce(into: []) { $0.append($1) }
    }
}

/// Sends each line back, to the end of the input.
public func echo(_ connection: isolated Connection) async throws {
    for try await line in connection.lines { try await connection.writeLine(line) }
}
