// SPDX-License-Identifier: Apache-2.0
//
// Clients that cut the connection while a message is under way, in either direction.

import Glibc
import Sluice
import TestSupport
import Testing

@Suite(.countingDescriptors, .serialized)
struct ResettingInMidMessage {
    @Test func `5,000 connections reset in mid-message leave nothing behind`() throws {
        let (server, address) = try CommandProcess.serving("echo")
        let part = [UInt8](repeating: 0x61, count: 10_000)
        try server.expectNothingLeft {
            for _ in 0..<10 {
                let crowd = Crowd()
                try crowd.open(500, to: address)
                for peer in crowd.peers { #expect(peer.send(part) > 0) }
                try crowd.resetAll()
            }
            try server.expectEcho(at: address)
        }
        #expect(server.errors.isEmpty, "\(server.errors.text)")
    }

    @Test func `clients that vanish while the server writes leave nothing behind`() throws {
        let (server, address) = try CommandProcess.serving("chargen")
        try server.expectNothingLeft {
            for _ in 0..<5 {
                let crowd = Crowd()
                try crowd.open(100, to: address)
                crowd.expect("each gets something") { $0.receivedByteCount > 0 }
                try crowd.resetAll()
            }
        }
        #expect(server.errors.isEmpty, "\(server.errors.text)")
    }

    // W23
    @Test func `SIGPIPE does not end the server`() throws {
        let (server, address) = try CommandProcess.serving("echo")
        for _ in 0..<10 {
            server.send(SIGPIPE)
            try server.expectEcho(at: address)
        }
        server.send(SIGTERM)
        #expect(try server.ended() == .exited(0))
    }
}
