// SPDX-License-Identifier: Apache-2.0
//
// When a listener accepts, when it pauses and how many it takes, without a socket or a clock.

import Testing

@testable import Sluice

@Suite
struct AcceptPauses {
    @Test func `a new gate is open and takes one first`() {
        let gate = AcceptGate(most: 64)
        #expect(gate.isOpen)
        #expect(gate.turnLimit == 1)
    }

    @Test func `a turn's limit doubles for as long as connections keep coming`() {
        var gate = AcceptGate(most: 10)
        var limits: [Int] = []
        for _ in 0..<6 {
            gate.accepted(gate.turnLimit)
            limits.append(gate.turnLimit)
        }
        #expect(limits == [2, 4, 8, 10, 10, 10])
    }

    @Test func `a turn's limit falls to what came`() {
        var gate = AcceptGate(most: 64)
        for _ in 0..<5 { gate.accepted(gate.turnLimit) }
        #expect(gate.turnLimit == 32)
        gate.accepted(3)
        #expect(gate.turnLimit == 3)
        gate.accepted(0)
        #expect(gate.turnLimit == 1)
    }

    @Test(arguments: [Int.min, -1, 0, 1])
    func `a gate takes one at least`(most: Int) {
        var gate = AcceptGate(most: most)
        gate.accepted(1)
        gate.accepted(1)
        #expect(gate.turnLimit == 1)
    }

    @Test func `the largest limit there is does not overflow`() {
        var gate = AcceptGate(most: .max)
        for _ in 0..<61 { gate.accepted(gate.turnLimit) }
        #expect(gate.turnLimit == 1 << 61)
    }

    @Test func `pauses double from 10 ms to one second`() {
        var gate = AcceptGate(most: 64)
        let pauses = (0..<9).map { _ in
            let pause = gate.exhausted(at: 0)
            gate.resume()
            return pause.nanoseconds / 1_000_000
        }
        #expect(pauses == [10, 20, 40, 80, 160, 320, 640, 1_000, 1_000])
    }

    @Test func `an accepted connection ends the growth of pauses`() {
        var gate = AcceptGate(most: 64)
        _ = gate.exhausted(at: 0)
        _ = gate.exhausted(at: 0)
        gate.resume()
        gate.accepted(1)
        #expect(gate.exhausted(at: 0).nanoseconds == 10_000_000)
    }

    @Test func `a turn without a connection does not end the growth of pauses`() {
        var gate = AcceptGate(most: 64)
        _ = gate.exhausted(at: 0)
        gate.resume()
        gate.accepted(0)
        #expect(gate.exhausted(at: 0).nanoseconds == 20_000_000)
    }

    @Test func `a crowd at the limit is news once, also when single ones get in`() {
        var gate = AcceptGate(most: 64)
        var now: UInt64 = 7_000_000_000
        #expect(gate.exhausted(at: now).isNews)
        for _ in 0..<100 {
            gate.resume()
            gate.accepted(1)
            now += 900_000_000
            #expect(!gate.exhausted(at: now).isNews)
        }
    }

    @Test func `running out is news again after five quiet seconds`() {
        var gate = AcceptGate(most: 64)
        #expect(gate.exhausted(at: 1_000_000_000).isNews)
        #expect(!gate.exhausted(at: 6_000_000_000).isNews)
        #expect(gate.exhausted(at: 11_000_000_001).isNews)
    }

    @Test func `a gate is shut while it backs off`() {
        var gate = AcceptGate(most: 64)
        _ = gate.exhausted(at: 0)
        #expect(gate.isBackingOff)
        #expect(!gate.isOpen)
        gate.resume()
        #expect(!gate.isBackingOff)
        #expect(gate.isOpen)
    }

    @Test func `a gate is shut while it is held`() {
        var gate = AcceptGate(most: 64)
        gate.hold()
        #expect(!gate.isOpen)
        gate.letGo()
        #expect(gate.isOpen)
    }

    @Test func `the end of a pause does not open a gate that is held`() {
        var gate = AcceptGate(most: 64)
        _ = gate.exhausted(at: 0)
        gate.hold()
        gate.resume()
        #expect(!gate.isOpen)
        gate.letGo()
        #expect(gate.isOpen)
    }

    @Test func `letting go does not open a gate that backs off`() {
        var gate = AcceptGate(most: 64)
        gate.hold()
        _ = gate.exhausted(at: 0)
        gate.letGo()
        #expect(!gate.isOpen)
    }

    @Test func `nothing opens a closed gate`() {
        var gate = AcceptGate(most: 64)
        gate.close()
        gate.resume()
        gate.letGo()
        #expect(!gate.isOpen)
    }
}
