// SPDX-License-Identifier: Apache-2.0
//
// Lines for a reader who may be slow: they are written at once, or left out.

import Glibc
import TestSupport
import Testing

@testable import Sluice
@testable import SluiceCommand

extension CommandSuite {
    struct OfferingLines {
        @Test func `a full pipe holds nobody up, and takes lines when there is room`() throws {
            let pipe = try PipeEnds()
            pipe.fill()
            // From here on a write that has to wait would wait for ever.
            _ = fcntl(pipe.writing, F_SETFL, 0)
            let isTaken = StandardStreams.offer("left out", to: pipe.writing)
            #expect(!isTaken)
            for _ in 0..<64 { pipe.read() }
            let isTakenThen = StandardStreams.offer("read", to: pipe.writing)
            #expect(isTakenThen)
        }

        @Test(arguments: ["a", "é", "€", "😀"])
        func `of a line that is too long the end is left out`(letter: String) throws {
            let pipe = try PipeEnds()
            let line = String(repeating: letter, count: 5_000)
            let isTaken = StandardStreams.offer(line, to: pipe.writing)
            #expect(isTaken)
            var bytes = [UInt8](repeating: 0, count: 8_192)
            let count = read(pipe.reading, &bytes, bytes.count)
            #expect((4_000...4_096).contains(count))
            #expect(bytes[..<count].last == UInt8(ascii: "\n"))
        }

        @Test(arguments: [(2, true), (256, false)])
        func `a report of too many processes has their sums alone`(
            count: Int, isWhole: Bool
        ) throws {
            var figures = WorkerFigures()
            for reason in RefusalReason.allCases { figures.refusals[reason] = .max }
            let workers = (0..<count).map { slot in
                WorkerReport(
                    slot: slot, processID: 4_000_000, state: .ready, generation: 1, restarts: 0,
                    figures: figures, status: "")
            }
            let line = ServeLog.line(generation: 1, workers, sum: figures)
            #expect(line.utf8.count < StandardStreams.offeredByteCount)
            #expect(line.hasPrefix(#"{"generation": 1, "processes": "#))
            #expect(line.contains(#""processes": null"#) == !isWhole)
            let largest = #""refusals": {"denied": 9223372036854775807, "#
            #expect(line.contains(largest))
        }
    }
}
