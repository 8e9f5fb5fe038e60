// SPDX-License-Identifier: Apache-2.0
//
// Who answers a resolver's questions: the system, name servers, or a program's own list.
// A source only asks; caching, joining equal questions and limits are the resolver's.

/// Something that answers questions about names, on one reactor.
///
/// All of it is called on the reactor's thread. Numbers and localhost never come here.
public protocol NameSource: AnyObject {
    /// Whether the two families of a host's addresses are asked for apart, so that one may come
    /// before the other.
    var asksFamiliesApart: Bool { get }

    /// Begins to ask.
    ///
    /// `completion` is called exactly once, in a later turn of the reactor, unless the question is
    /// given up before.
    ///
    /// - Returns: a number by which to give the question up; no two questions share one.
    func begin(_ question: NameQuestion, _ completion: @escaping (NameReport) -> Void) -> UInt64

    /// Nobody waits for a question any more: its completion is not called from now on.
    ///
    /// - Parameter number: what ``begin(_:_:)`` returned; one that is over is ignored.
    func giveUp(_ number: UInt64)
}

/// What came of a question.
public struct NameReport: Sendable {
    /// What was found.
    public enum Records: Hashable, Sendable {
        /// Addresses, in the order in which they should be tried.
        case addresses([IPAddress])
        /// Names of a host, the official one first.
        case names([String])
        /// Hosts that offer a service, in the order in which they should be tried.
        case services([ServiceRecord])
        /// Texts, in no order.
        case texts([TextRecord])
    }

    /// What was found, or why nothing was; records are never empty.
    public var result: Result<Records, ResolverError>
    /// How long the answer, or the failure, may be remembered; `nil` where nobody has told.
    public var timeToLive: Duration?
    /// Where the answer comes from.
    public var origin: NameOrigin
    /// The host's official name, where an alias was asked for.
    public var canonicalName: String?

    /// What came of a question.
    public init(
        _ result: Result<Records, ResolverError>, from origin: NameOrigin,
        timeToLive: Duration? = nil, canonicalName: String? = nil
    ) {
        self.result = result
        self.origin = origin
        self.timeToLive = timeToLive
        self.canonicalName = canonicalName
    }
}
