// SPDX-License-Identifier: Apache-2.0
//
// Every test leaves as many descriptors open as it found; this trait counts them.
// Tests run one after the other, so the count of the process is the count of the test.

import Glibc
public import Testing

/// How many descriptors this process has open.
public func openDescriptorCount() -> Int {
    guard let folder = opendir("/proc/self/fd") else { return -1 }
    defer { closedir(folder) }
    var count = 0
    while readdir(folder) != nil { count += 1 }
    return count - 3  // The folder's own descriptor, `.` and `..`.
}

/// Fails a test that leaves more descriptors open than it found.
public struct DescriptorCounting: TestTrait, SuiteTrait, TestScoping {
    /// Each test of a suite is counted by itself.
    public var isRecursive: Bool { true }

    /// The test runner's own threads open descriptors as they start, which is no test's doing: before
    /// the first test the count has to stand still.
    private static let runnerIsSettled: Bool = {
        var count = openDescriptorCount()
        var rounds = 0
        // Ends at the latest after a second.
        for _ in 0..<200 where rounds < 10 {
            poll(nil, 0, 5)
            let next = openDescriptorCount()
            rounds = next == count ? rounds + 1 : 0
            count = next
        }
        return rounds == 10
    }()

    /// Runs the test between two counts.
    public func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        guard testCase != nil else { return try await function() }
        _ = Self.runnerIsSettled
        let before = openDescriptorCount()
        try await function()
        #expect(openDescriptorCount() == before, "descriptors were left open or closed twice")
    }
}

extension Trait where Self == DescriptorCounting {
    /// Counts the descriptors before and after each test.
    public static var countingDescriptors: Self { Self() }
}
