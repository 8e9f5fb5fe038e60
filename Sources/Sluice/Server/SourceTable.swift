// SPDX-License-Identifier: Apache-2.0
//
// Where connections come from: how many each address and network has, and how fast they came.
// A value that decides and does nothing else; its owner says what time it is.

/// The addresses and networks that have connections, or had some a short while ago.
///
/// Times are nanoseconds of a monotonic clock, which may differ between threads by a little.
struct SourceTable {
    /// What connections are counted by.
    private enum Source: Hashable {
        case address(IPAddress)
        case network(AddressRange)
    }

    /// What holds for each source of one kind.
    private struct Limits {
        let maximum: Int
        let rate: ConnectionRate?

        /// `nil` where nothing is limited, so that nothing need be known.
        init?(_ maximum: Int?, _ rate: ConnectionRate?) {
            if maximum == nil, rate == nil { return nil }
            self.maximum = max(1, maximum ?? .max)
            self.rate = rate
        }
    }

    private struct Entry {
        var connectionCount = 0
        /// `nil` where there is no rate.
        var bucket: TokenBucket?
        /// Where it waits to be forgotten.
        var place = TimingWheel<Source>.Key.none
    }

    /// About a millisecond: so much later than could be, at most, a source is forgotten.
    private static let tickBits: UInt64 = 20
    /// How many sources one call forgets at most, so that none takes long.
    private static let forgottenAtOnce = 64

    private let addressLimits: Limits?
    private let networkLimits: Limits?
    private let prefixes: NetworkPrefixes
    private let limit: Int
    private var entries: [Source: Entry] = [:]
    /// Those without connections, by the time at which their buckets are full.
    private var resting: TimingWheel<Source>
    /// How many sources were looked at so far in order to forget them.
    private(set) var lookCount = 0

    /// `nil` where the options limit no address and no network.
    init?(_ options: AdmissionOptions, at now: UInt64) {
        addressLimits = Limits(options.maximumPerAddress, options.ratePerAddress)
        networkLimits = Limits(options.maximumPerNetwork, options.ratePerNetwork)
        if addressLimits == nil, networkLimits == nil { return nil }
        prefixes = options.networkPrefixes
        limit = max(2, options.sourceTableLimit)
        resting = TimingWheel(now: now >> Self.tickBits)
    }

    /// How many addresses and networks are known.
    var count: Int { entries.count }

    /// Counts a connection of this address, or says why it can't come in: then nothing of its own
    /// has changed.
    mutating func admit(_ address: IPAddress, at now: UInt64) -> RefusalReason? {
        forget(at: now)
        let (address, network) = sources(of: address)
        if let reason = obstacle(address, at: now) ?? obstacle(network, at: now) { return reason }
        if !makeRoom(for: address, network, at: now) { return .sourceTable }
        enter(address, at: now)
        enter(network, at: now)
        return nil
    }

    /// A connection that was let in has gone.
    mutating func leave(_ address: IPAddress, at now: UInt64) {
        let (address, network) = sources(of: address)
        leave(address, at: now)
        leave(network, at: now)
        forget(at: now)
    }

    // MARK: One source

    private func sources(of address: IPAddress) -> (Source?, Source?) {
        (
            addressLimits.map { _ in .address(address) },
            networkLimits.map { _ in .network(prefixes.network(of: address)) }
        )
    }

    private func isMissing(_ source: Source?) -> Bool {
        source.map { entries[$0] == nil } ?? false
    }

    private func obstacle(_ source: Source?, at now: UInt64) -> RefusalReason? {
        guard let source, let entry = entries[source] else { return nil }
        // A copy: what has come in since is reckoned again when one is taken.
        var bucket = entry.bucket
        let isTooFast = (bucket?.count(at: now) ?? 1) < 1
        let isFull = entry.connectionCount >= limits(of: source)?.maximum ?? .max
        switch source {
        case .address: return isFull ? .addressConnections : isTooFast ? .addressRate : nil
        case .network: return isFull ? .networkConnections : isTooFast ? .networkRate : nil
        }
    }

    private func limits(of source: Source) -> Limits? {
        switch source {
        case .address: addressLimits
        case .network: networkLimits
        }
    }

    private mutating func enter(_ source: Source?, at now: UInt64) {
        guard let source else { return }
        var entry = entries[source] ?? Entry(bucket: limits(of: source)?.rate?.bucket(at: now))
        entry.connectionCount += 1
        _ = entry.bucket?.take(at: now)
        resting.remove(entry.place)
        entry.place = .none
        entries[source] = entry
    }

    private mutating func leave(_ source: Source?, at now: UInt64) {
        guard let source, var entry = entries[source], entry.connectionCount > 0 else { return }
        entry.connectionCount -= 1
        entries[source] = entry
        if entry.connectionCount == 0 { rest(source, entry, at: now) }
    }

    // MARK: Forgetting

    /// Forgets a source without connections, as soon as its bucket is as full as a new one.
    private mutating func rest(_ source: Source, _ entry: Entry, at now: UInt64) {
        var entry = entry
        let wait = entry.bucket?.wait(for: .max, at: now) ?? 0
        if wait == 0 {
            entries[source] = nil
        } else {
            entry.place = resting.insert(source, at: (now + wait) >> Self.tickBits + 1)
            entries[source] = entry
        }
    }

    /// Makes sure that an address and its network can be known: where the table is full, sources
    /// without connections are forgotten early, first those whose buckets are soonest full.
    ///
    /// - Returns: whether there is room.
    private mutating func makeRoom(
        for address: Source?, _ network: Source?, at now: UInt64
    ) -> Bool {
        let missing = (isMissing(address) ? 1 : 0) + (isMissing(network) ? 1 : 0)
        if entries.count + missing <= limit { return true }
        let own = [address, network].compactMap(\.self)
        // The two themselves are not to be forgotten.
        for source in own {
            if let entry = entries[source] { resting.remove(entry.place) }
        }
        while entries.count + missing > limit, let source = resting.popEarly() {
            entries[source] = nil
        }
        if entries.count + missing <= limit { return true }
        for source in own {
            guard let entry = entries[source], entry.connectionCount == 0 else { continue }
            rest(source, entry, at: now)
        }
        return false
    }

    private mutating func forget(at now: UInt64) {
        resting.advance(to: now >> Self.tickBits)
        for _ in 0..<Self.forgottenAtOnce {
            guard let source = resting.popDue() else { break }
            lookCount += 1
            if let entry = entries[source] { rest(source, entry, at: now) }
        }
        // A crowd is rare: what it took is given back.
        if entries.isEmpty, entries.capacity > 1_024 {
            entries = [:]
            resting = TimingWheel(now: now >> Self.tickBits)
        }
    }
}
