// SPDX-License-Identifier: Apache-2.0
//
// Makes system calls fail on purpose: the n-th of all, or every one of a kind.

package import Sluice

/// Counts the system calls of a scenario and fails one of them.
package final class FailingCalls {
    private let failing: Int
    private let code: ErrorCode
    /// How many calls were asked for so far.
    package private(set) var count = 0
    /// Which call was failed.
    package private(set) var failed: SystemCall?

    /// - Parameter failing: which call fails, counted from 1; 0 for none.
    package init(failing: Int, with code: ErrorCode) {
        self.failing = failing
        self.code = code
    }

    /// Runs `body` with one of its calls failing.
    ///
    /// Closing is never failed: the kernel closes all the same.
    package func run<Failure: Error>(_ body: () throws(Failure) -> Void) throws(Failure) {
        try SystemCall.intercepting(
            { call in
                if call == .close { return nil }
                self.count += 1
                guard self.count == self.failing else { return nil }
                self.failed = call
                return .failure(self.code)
            }, body)
    }
}
