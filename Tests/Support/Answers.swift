// SPDX-License-Identifier: Apache-2.0
//
// Answers to system calls in the kernel's place: chosen calls fail, or move fewer bytes.

package import Sluice

/// Answers for the kernel when chosen calls are made, and counts those calls.
package final class Answers {
    private let answer: SystemCall.Answer
    private let calls: Set<SystemCall>
    private let isMeant: (Int) -> Bool
    /// How many of the chosen calls were asked for, answered or made.
    package private(set) var count = 0

    /// - Parameter isMeant: which of the calls are answered, counted from 1; the others are made.
    package init(
        _ answer: SystemCall.Answer, to calls: Set<SystemCall>,
        where isMeant: @escaping (Int) -> Bool = { _ in true }
    ) {
        self.answer = answer
        self.calls = calls
        self.isMeant = isMeant
    }

    /// Answers while `body` runs.
    package func give<Result, Failure: Error>(
        _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try SystemCall.intercepting(
            { call in
                guard self.calls.contains(call) else { return nil }
                self.count += 1
                return self.isMeant(self.count) ? self.answer : nil
            }, body)
    }
}

extension SystemCall {
    /// Has every call of a kind fail while `body` runs.
    @discardableResult
    package static func failing<Result, Failure: Error>(
        _ call: SystemCall, with code: ErrorCode, _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try Answers(.failure(code), to: [call]).give(body)
    }
}
