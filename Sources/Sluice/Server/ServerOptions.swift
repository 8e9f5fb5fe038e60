// SPDX-License-Identifier: Apache-2.0
//
// How a server is opened, and whom it lets in.

/// How a server is opened, whom it lets in, and what its channels are like.
public struct ServerOptions: Hashable, Sendable {
    /// How its listeners are opened.
    public var listener = ListenerOptions()
    /// The limits and times of its channels.
    public var channel = ChannelOptions()
    /// How many connections it holds at most; further clients wait in the backlog, or are refused:
    /// see ``AdmissionOptions/whenFull``.
    ///
    /// 1 or more. Initially no limit.
    public var maximumConnections = Int.max
    /// Lets only these in; empty lets all in.
    ///
    /// Unix clients are always let in. Initially empty.
    public var allowed: [AddressRange] = []
    /// Turns these away, also where they are allowed.
    ///
    /// Initially empty.
    public var denied: [AddressRange] = []
    /// How many it lets in from one address or network, how fast, and what the others get.
    public var admission = AdmissionOptions()
    /// Gives all addresses with port 0 the port of the first, retrying up to 10 times.
    ///
    /// Initially off.
    public var samePort = false

    /// The initial values.
    public init() {}

    /// Whether a client may come in.
    func letsIn(_ peer: SocketAddress) -> Bool {
        guard let address = peer.ipAddress else { return true }
        if denied.contains(where: { $0.contains(address) }) { return false }
        return allowed.isEmpty || allowed.contains { $0.contains(address) }
    }
}
