// SPDX-License-Identifier: Apache-2.0
//
// Two ways for things to go wrong: a handler that throws, and one that is called though it must not
// be.

public import Testing

/// What a handler throws that a test has fail.
public struct Mishap: Error, Equatable {
    /// One is like another.
    public init() {}
}

/// Fails the test: the place must not be reached.
public func wrongly(_ place: SourceLocation = #_sourceLocation) {
    Issue.record("called, and should not have been", sourceLocation: place)
}
