// SPDX-License-Identifier: Apache-2.0
//
// What a load does: how many connections, what they send, how fast and for how long.
// A value, so that it can be divided among processes before anything is opened.

public import Sluice

/// What a load does to its target.
public struct Workload: Hashable, Sendable {
    /// What the connections do once they are open.
    public enum Kind: Hashable, Sendable {
        /// Each connection sends its next request as soon as an answer has come.
        case closedLoop
        /// Requests are sent at times that are fixed beforehand; latency counts from those times.
        case paced(Pacing)
        /// The connections are held open and nothing is sent or read.
        case hold
        /// Each of the connections is opened, has one request answered, is closed, and starts
        /// again.
        case churn
        /// The connections only read what the server sends.
        case receive
    }

    /// Where the connections go.
    public var target: LoadTarget
    /// What the connections do.
    ///
    /// Initially ``Kind/closedLoop``.
    public var kind = Kind.closedLoop
    /// How many connections there are at once.
    ///
    /// Initially 100.
    public var connectionCount = 100
    /// How many bytes a request has, and so its answer; a datagram 8 to 65,507, of which the first
    /// 8 are its number.
    ///
    /// Initially 64.
    public var requestByteCount = 64
    /// How many requests a connection has under way at most.
    ///
    /// Initially 1.
    public var pipeline = 1
    /// How long to measure.
    ///
    /// Initially 10 s.
    public var duration = Duration.seconds(10)
    /// How long to send before measuring begins.
    ///
    /// Initially 0.
    public var warmUp = Duration.zero
    /// The time over which the connections are opened.
    ///
    /// Initially 1 s.
    public var ramp = Duration.seconds(1)
    /// How many connects may be under way at once, so that no listener's backlog overflows.
    ///
    /// Initially 256.
    public var connectsAtOnce = 256
    /// How long one connection may take to open.
    ///
    /// Initially 10 s.
    public var connectTimeout = Duration.seconds(10)

    /// Which addresses of this machine the connections come from, in turn; with none the kernel
    /// chooses.
    ///
    /// All of one family, and so is the target; of a target's name the addresses of that family are
    /// tried. For Unix targets they mean nothing. Initially empty.
    public var sources: [IPAddress] = []

    /// How long the answer to a datagram may take; after that the request counts as lost, and
    /// another one takes its place.
    ///
    /// Initially 1 s; noticed by a tenth of it late, and by 100 ms at most.
    public var datagramTimeout = Duration.seconds(1)

    /// A load with the initial values.
    public init(on target: LoadTarget) { self.target = target }

    /// One of `count` shares of this load; the first ones have a connection more where it does not
    /// divide.
    ///
    /// Where the sources divide by the shares, no two of these have one in common; else each has
    /// all of them, and begins where the connections of the one before it end. Either way the
    /// shares together connect from each source equally often, or once more.
    public func share(_ index: Int, of count: Int) -> Workload {
        var share = self
        share.connectionCount =
            connectionCount / count + (index < connectionCount % count ? 1 : 0)
        share.connectsAtOnce = max(1, connectsAtOnce / count)
        share.sources = sources(of: index, of: count)
        if case .paced(let pacing) = kind { share.kind = .paced(pacing.share(index, of: count)) }
        return share
    }

    private func sources(of index: Int, of count: Int) -> [IPAddress] {
        if sources.count.isMultiple(of: count) {
            return stride(from: index, to: sources.count, by: count).map { sources[$0] }
        }
        // Connections of the shares before it.
        let before = index * (connectionCount / count) + min(index, connectionCount % count)
        let turn = before % sources.count
        return Array(sources[turn...] + sources[..<turn])
    }

    /// Whether what is asked for can be done by datagrams, where the target takes them.
    var fitsItsTarget: Bool {
        guard target.usesDatagrams else { return true }
        switch kind {
        case .closedLoop, .paced:
            return (RequestPattern.numberByteCount...65_507).contains(requestByteCount)
                && pipeline <= RequestTable.largestCapacity && datagramTimeout > .zero
        case .hold, .churn, .receive: return false
        }
    }

    /// Whether answers are waited for and compared.
    public var expectsAnswers: Bool {
        switch kind {
        case .closedLoop, .paced, .churn: true
        case .hold, .receive: false
        }
    }
}
