// SPDX-License-Identifier: Apache-2.0
//
// Clients that connect and go at once, as a port scan does: with an orderly end, and with a reset.

import Sluice
import TestSupport
import Testing

@Suite(.countingDescriptors, .serialized)
struct ScanningPorts {
    @Test func `a scan of 20,000 connections leaves nothing behind`() throws {
        let (server, address) = try CommandProcess.serving("echo")
        let start = ContinuousClock.now
        try server.expectNothingLeft {
            for number in 0..<10_000 {
                let peer = try Peer(to: address, number: number)
                // An orderly end would occupy the client's port for a minute, so few end like that.
                if number % 8 != 0 { try peer.socket.resetOnClose() }
                // The kernel holds so many that wait to be accepted; the scan lets it keep up.
                if number % 1_000 == 999 { try server.expectEcho(at: address) }
            }
            try server.expectEcho(at: address)
        }
        print("port scan: 20,000 connections in \((ContinuousClock.now - start).milliseconds)")
        #expect(server.errors.isEmpty, "\(server.errors.text)")
    }
}
