// SPDX-License-Identifier: Apache-2.0
//
// Clients that send one byte a second: they cost what they send and hold nobody up.

import Sluice
import TestSupport
import Testing

@Suite(.countingDescriptors, .serialized)
struct SendingSlowly {
    @Test func `200 clients with a byte a second do not keep another one waiting`() throws {
        let (server, address) = try CommandProcess.serving("echo")
        let descriptors = server.descriptorCount
        let slow = try Crowd.echoing(200, to: address)
        let quick = try Crowd.echoing(1, to: address)
        let memory = server.residentByteCount
        var answers = 0
        var slowest = Duration.zero
        for second in 1...3 {
            for peer in slow.peers { #expect(peer.send([UInt8(second)]) == 1) }
            let end = ContinuousClock.now + .seconds(1)
            while ContinuousClock.now < end {
                let start = ContinuousClock.now
                quick.peers[0].send(Array("question".utf8))
                quick.expect("the quick one is served") { $0.received.text == "question" }
                slowest = max(slowest, ContinuousClock.now - start)
                quick.peers[0].drop()
                answers += 1
            }
            slow.expect("each slow one has its bytes back") {
                $0.received == (1...second).map { UInt8($0) }
            }
        }
        print("slow clients: \(answers) answers to another one, slowest \(slowest.milliseconds)")
        #expect(answers > 300)
        #expect(slowest < .seconds(1))
        let growth = server.residentByteCount - memory
        #expect(growth < 1_048_576 || !CommandProcess.hasTrueMemory)
        slow.leave()
        quick.leave()
        server.expect("all are let go") { server.descriptorCount == descriptors }
    }
}
