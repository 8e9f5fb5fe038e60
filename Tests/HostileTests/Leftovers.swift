// SPDX-License-Identifier: Apache-2.0
//
// What a scenario may leave behind in a server: no descriptor, and next to no memory.

import Sluice
import TestSupport
import Testing

extension CommandProcess {
    /// Starts a service of `sluice serve`, and tells where it listens.
    static func serving(
        _ service: String, _ arguments: String...
    ) throws -> (server: CommandProcess, address: SocketAddress) {
        let server = try CommandProcess(sluice: ["serve", service] + arguments)
        return (server, try server.listeningAddress())
    }

    /// Runs a scenario twice; the second round must leave as many descriptors, and as much memory
    /// within 1 MiB, as the first one did.
    func expectNothingLeft(by scenario: () throws -> Void) throws {
        let descriptors = descriptorCount
        try scenario()
        expect("the first round's connections are let go") { descriptorCount == descriptors }
        let memory = residentByteCount
        try scenario()
        expect("the second round's connections are let go") { descriptorCount == descriptors }
        let growth = Self.hasTrueMemory ? residentByteCount - memory : 0
        #expect(growth < 1_048_576, "the second round left memory behind")
        #expect(memory > 0)
    }

    /// Has a new client's question answered, as by an echo.
    func expectEcho(
        at address: SocketAddress, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let crowd = Crowd()
        try crowd.open(1, to: address)
        crowd.peers[0].send(Array("still there?".utf8))
        crowd.expect("a new client is served", sourceLocation: sourceLocation) {
            $0.received.text == "still there?"
        }
    }
}

extension Duration {
    /// In milliseconds, for people.
    var milliseconds: String {
        let hundredths = Int(self / .microseconds(10))
        return "\(hundredths / 100).\(hundredths % 100 / 10)\(hundredths % 10) ms"
    }
}
