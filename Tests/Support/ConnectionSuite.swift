// SPDX-License-Identifier: Apache-2.0
//
// The set-up that most suites of channels share: a reactor and one open connection on it.

public import Sluice

/// A suite each test of which starts with an open connection of its own.
///
/// A suite states the one property `ends`; all else is here.
public protocol ConnectionSuite {
    /// Both ends of the connection.
    var ends: ConnectionEnds { get }

    /// The suite for one test.
    init(ends: ConnectionEnds)

    /// Makes the connection of one test; initially one with the initial options.
    static func makeEnds() throws -> ConnectionEnds
}

extension ConnectionSuite {
    /// The suite for one test, over a connection of its own.
    public init() throws { self.init(ends: try Self.makeEnds()) }

    /// A connection with the initial options, on a reactor of its own.
    public static func makeEnds() throws -> ConnectionEnds { try ConnectionEnds(on: Reactor()) }

    /// The reactor of the connection.
    public var reactor: Reactor { ends.reactor }

    /// This side of the connection.
    public var channel: Channel { ends.channel }
}
