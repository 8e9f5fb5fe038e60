// SPDX-License-Identifier: Apache-2.0
//
// A line of 1 GiB to a server of lines: it is refused at its limit, by name, and costs no memory.

import Glibc
import Sluice
import TestSupport
import Testing

@Suite(.countingDescriptors, .serialized)
struct EndlessLine {
    @Test func `a line without an end is refused at the limit and costs no memory`() throws {
        let server = try CommandProcess(sluice: ["serve", "echo", "--style", "lines"], input: nil)
        let address = try server.listeningAddress()
        let descriptors = server.descriptorCount
        try sendLine(to: address)
        server.expect("the sender is let go") { server.descriptorCount == descriptors }
        let memory = server.residentByteCount
        for _ in 0..<20 { try sendLine(to: address) }
        server.expect("the senders are let go") { server.descriptorCount == descriptors }
        let growth = server.residentByteCount - memory
        print("20 endless lines: \(growth / 1_024) KiB more")
        #expect(growth < 1_048_576 || !CommandProcess.hasTrueMemory)
        #expect(try server.line(with: "a line is longer than 65536 bytes").contains("127.0.0.1"))
    }

    /// Sends up to 1 GiB without a line end; the server must cut it short.
    private func sendLine(to address: SocketAddress) throws {
        let sender = try Channel.connected(to: address)
        let block = [UInt8](repeating: UInt8(ascii: "x"), count: 65_536)
        var sent = 0
        #expect(throws: SocketError.self) {
            while sent < 1 << 30 {
                try sender.write(block)
                sent += block.count
            }
        }
        #expect(sent < 1 << 24)
        sender.abort()
    }
}
