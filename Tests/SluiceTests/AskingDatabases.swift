// SPDX-License-Identifier: Apache-2.0
//
// How the C library's databases are asked: again with more memory, but not for ever.
// The database answers as the test wants.

import Glibc
import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct AskingDatabases {
    /// Asks a database that answers once it is lent `byteCount` bytes, else fails with `failure`.
    ///
    /// - Returns: what came back, and how many bytes were lent each time.
    private func ask(
        needing byteCount: Int, else failure: CInt, knowing isKnown: Bool = true
    ) -> (code: CInt, answer: CInt?, lent: [Int]) {
        var lent: [Int] = []
        let (code, answer) = SystemDatabase.ask(for: servent()) { record, memory, found in
            lent.append(memory.count)
            if memory.count < byteCount { return failure }
            record.pointee.s_port = 4_711
            found = isKnown ? record : nil
            return 0
        } reading: { record in
            record.s_port
        }
        return (code, answer, lent)
    }

    @Test func `a short answer is had at once`() {
        let (code, answer, lent) = ask(needing: 1, else: ERANGE)
        #expect(code == 0)
        #expect(answer == 4_711)
        #expect(lent == [4_096])
    }

    @Test func `a longer answer is asked for with more memory`() {
        let (code, answer, lent) = ask(needing: 60_000, else: ERANGE)
        #expect(code == 0)
        #expect(answer == 4_711)
        #expect(lent == [4_096, 16_384, 65_536])
    }

    @Test func `an answer beyond all bounds is given up at 1 MiB`() {
        let (code, answer, lent) = ask(needing: .max, else: ERANGE)
        #expect(code == ERANGE)
        #expect(answer == nil)
        #expect(lent.count == 5)
        #expect(lent.last == 1 << 20)
    }

    @Test func `another failure is not asked about again`() {
        let (code, answer, lent) = ask(needing: .max, else: ENOENT)
        #expect(code == ENOENT)
        #expect(answer == nil)
        #expect(lent.count == 1)
    }

    @Test func `what is unknown is no failure, and no answer`() {
        let (code, answer, lent) = ask(needing: 1, else: ERANGE, knowing: false)
        #expect(code == 0)
        #expect(answer == nil)
        #expect(lent.count == 1)
    }
}
