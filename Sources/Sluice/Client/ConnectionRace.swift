// SPDX-License-Identifier: Apache-2.0
//
// Which of an endpoint's addresses is tried when, as a pure value: it is told of answers, of
// outcomes and of the time, and says what to do. It knows no socket, no name service and no clock.

/// A race between the addresses of an endpoint: the first connection that is made wins.
///
/// The families take turns, each attempt has a start on the next, one that fails makes room for the
/// next at once, and one deadline holds for all. Times are nanoseconds of any clock that only goes
/// forward. Source: RFC 8305.
struct ConnectionRace {
    /// What is to be done now.
    enum Step: Equatable {
        /// Begin the attempt with this number.
        case start(Int, SocketAddress)
        /// Give the attempt with this number up; nothing is to be told of it any more.
        case cancel(Int)
        /// Nothing until this time, or until something has come.
        case wait(until: UInt64)
        /// Nothing more: it is over.
        case end(Outcome)
    }

    /// How it has ended.
    enum Outcome: Equatable {
        /// By the attempt with this number, which has connected.
        case connected(Int)
        /// Without a connection.
        case failed(ConnectError.Cause)
    }

    private struct Attempt {
        let address: SocketAddress
        var error: SocketError?
    }

    /// When it is over in any case.
    let deadline: UInt64
    private let attemptDelay: UInt64
    private let resolutionDelay: UInt64
    private let prefersIPv6: (_ ipv6: SocketAddress, _ other: SocketAddress) -> Bool

    /// What is left to be tried: of each family in its order.
    private var untried: (ipv6: ArraySlice<SocketAddress>, other: ArraySlice<SocketAddress>) =
        ([], [])
    private var isIPv6Next = true
    private var hasAllAnswers = false
    private var resolverError: ResolverError?
    /// No attempt is the first before this time.
    private var heldUntil: UInt64 = 0
    /// No further attempt begins before this time.
    private var nextStart: UInt64 = 0
    private var attempts: [Attempt] = []
    private var underWay: [Int] = []
    private var outcome: Outcome?

    /// A race that ends at a time, and for the rest is run as the options say.
    ///
    /// - Parameter prefersIPv6: which family begins, where both have come apart before the first
    ///   attempt; asked once at most.
    init(
        before deadline: UInt64, _ options: ClientOptions,
        prefersIPv6: @escaping (_ ipv6: SocketAddress, _ other: SocketAddress) -> Bool = {
            _, _ in true
        }
    ) {
        self.deadline = deadline
        attemptDelay = max(ClientOptions.leastAttemptDelay, options.attemptDelay.nanoseconds)
        resolutionDelay = options.resolutionDelay.nanoseconds
        self.prefersIPv6 = prefersIPv6
    }

    /// How the attempts have failed so far, in the order in which they were begun.
    var failures: [SocketError] { attempts.compactMap(\.error) }

    /// Whether an address has come already.
    func knows(_ address: SocketAddress) -> Bool {
        attempts.contains { $0.address == address } || untried.ipv6.contains(address)
            || untried.other.contains(address)
    }

    private var hasUntried: Bool { !untried.ipv6.isEmpty || !untried.other.isEmpty }
}

// MARK: - What happened

extension ConnectionRace {
    /// Addresses have come, in the order in which they should be tried: of both families, or of one
    /// where more answers are to come.
    mutating func found(_ addresses: [SocketAddress], isLast: Bool, at now: UInt64) {
        let hadUntried = hasUntried
        for address in addresses {
            if address.isIPv6 {
                untried.ipv6.append(address)
            } else {
                untried.other.append(address)
            }
        }
        if isLast { hasAllAnswers = true }
        guard attempts.isEmpty else { return }
        if hadUntried, let ipv6 = untried.ipv6.first, let other = untried.other.first {
            isIPv6Next = prefersIPv6(ipv6, other)
        } else if let first = addresses.first, !hadUntried {
            isIPv6Next = first.isIPv6
        }
        // The addresses of IPv6 have a moment to come, too. RFC 8305, 3.
        let isHeld = untried.ipv6.isEmpty && hasUntried && !hasAllAnswers
        heldUntil = isHeld ? now &+ resolutionDelay : 0
    }

    /// An answer has come that has no addresses.
    mutating func foundNone(_ error: ResolverError, isLast: Bool) {
        if isLast { hasAllAnswers = true }
        // IPv6 is not waited for any more, whichever of the two this was.
        heldUntil = 0
        // That one family is missing says less than what is wrong with the other.
        if resolverError?.isAbsence != false { resolverError = error }
    }

    /// An attempt has connected.
    mutating func connected(_ number: Int) {
        guard outcome == nil, let place = underWay.firstIndex(of: number) else { return }
        underWay.remove(at: place)
        outcome = .connected(number)
    }

    /// An attempt has failed.
    mutating func failed(_ number: Int, _ error: SocketError) {
        guard let place = underWay.firstIndex(of: number) else { return }
        underWay.remove(at: place)
        attempts[number].error = error
        nextStart = 0
    }

    /// An attempt goes on, though it has met this; what it fails with if nothing else follows.
    mutating func met(_ error: SocketError, in number: Int) {
        if underWay.contains(number) { attempts[number].error = error }
    }
}

// MARK: - What to do

extension ConnectionRace {
    /// Says what to do now; to be asked again and again, until it says to wait or that it is over.
    mutating func step(at now: UInt64) -> Step {
        if outcome == nil { outcome = verdict(at: now) }
        if let outcome {
            if underWay.isEmpty { return .end(outcome) }
            return .cancel(underWay.removeFirst())
        }
        guard hasUntried else { return .wait(until: deadline) }
        let start = max(heldUntil, nextStart)
        if start > now { return .wait(until: min(start, deadline)) }
        guard let address = takeNext() else { return .wait(until: deadline) }
        nextStart = now &+ attemptDelay
        attempts.append(Attempt(address: address))
        underWay.append(attempts.count - 1)
        return .start(attempts.count - 1, address)
    }

    private mutating func verdict(at now: UInt64) -> Outcome? {
        if now >= deadline {
            for number in underWay where attempts[number].error == nil {
                let address = attempts[number].address
                attempts[number].error = SocketError(.connect, .timedOut, at: address)
            }
            return .failed(.timedOut)
        }
        guard hasAllAnswers, !hasUntried, underWay.isEmpty else { return nil }
        if let last = failures.last { return .failed(.refused(last)) }
        if let resolverError { return .failed(.unresolved(resolverError)) }
        return .failed(.refused(SocketError(.connect, .addressNotAvailable)))
    }

    /// The families take turns for as long as both have addresses left.
    ///
    /// Source: RFC 8305, 4.
    private mutating func takeNext() -> SocketAddress? {
        let isIPv6 = untried.other.isEmpty || (isIPv6Next && !untried.ipv6.isEmpty)
        isIPv6Next = !isIPv6
        return isIPv6 ? untried.ipv6.popFirst() : untried.other.popFirst()
    }
}

extension SocketAddress {
    fileprivate var isIPv6: Bool { ipAddress?.isIPv6 == true }
}

extension ResolverError {
    /// Whether all that is wrong is that there are no such addresses.
    fileprivate var isAbsence: Bool { reason == .noAddress || reason == .noAddressOfFamily }
}
