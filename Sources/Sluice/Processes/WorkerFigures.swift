// SPDX-License-Identifier: Apache-2.0
//
// What a worker has done, as figures that its supervisor adds up, and their form as text.
// They come from another process: no text is taken for granted.

/// What a worker has done so far; or several together.
public struct WorkerFigures: Hashable, Sendable {
    /// How many connections are open.
    public var connections: UInt64 = 0
    /// Connections that became channels.
    public var accepted: UInt64 = 0
    /// Clients that were turned away.
    public var refused: UInt64 = 0
    /// The same by reason; of workers that do not tell reasons there are none.
    public var refusals = RefusalCounters()
    /// Bytes that came.
    public var bytesReceived: UInt64 = 0
    /// Bytes that the kernel took.
    public var bytesSent: UInt64 = 0

    /// Zeros.
    public init() {}

    /// The figures of a reactor and of the servers on it.
    public init(of reactor: Reactor, _ servers: [Server]) {
        let sum = reactor.counters
        bytesReceived = sum.bytesReceived
        bytesSent = sum.bytesSent
        for server in servers {
            connections += UInt64(clamping: server.connectionCount)
            accepted += server.counters.accepted
            refused += server.counters.refused
            refusals.add(server.counters.refusals)
        }
    }

    /// Adds another's figures; a sum that is too large stays at the largest number.
    public mutating func add(_ other: WorkerFigures) {
        for (_, place) in Self.places {
            let (sum, isTooLarge) = self[keyPath: place]
                .addingReportingOverflow(other[keyPath: place])
            self[keyPath: place] = isTooLarge ? .max : sum
        }
        refusals.add(other.refusals)
    }

    /// The name that the variable of a message to a service manager has: `X_SLUICE_FIGURES`.
    public static let fieldName = "X_SLUICE_FIGURES"

    /// `connections=2 accepted=10 refused=3 received=4096 sent=4096 refused.rate=3`: reasons that
    /// nobody was turned away for are left out.
    public var text: String {
        let numbers = Self.places.map { "\($0.name)=\(self[keyPath: $0.place])" }
        let reasons = RefusalReason.allCases.filter { refusals[$0] > 0 }
            .map { "\(Self.reasonPrefix)\($0.rawValue)=\(refusals[$0])" }
        return (numbers + reasons).joined(separator: " ")
    }

    /// Reads what ``text`` writes; what is missing is 0, and what has another name is passed over.
    ///
    /// `nil` for a word that is no name and number, a number below 0 or above 2^64 - 1, or more
    /// than 1,024 bytes.
    public init?(_ text: String) {
        guard text.utf8.count <= 1_024 else { return nil }
        for word in text.split(separator: " ") {
            let parts = word.split(separator: "=", omittingEmptySubsequences: false)
            guard parts.count == 2, let number = UInt64(digits: parts[1]) else { return nil }
            if let place = Self.places.first(where: { $0.name == parts[0] })?.place {
                self[keyPath: place] = number
            } else if let reason = Self.reason(named: parts[0]) {
                refusals[reason] = number
            }
        }
    }

    /// What the name of a reason has before it, so that `connections` is told apart.
    private static let reasonPrefix = "refused."

    private static func reason(named name: Substring) -> RefusalReason? {
        guard name.hasPrefix(reasonPrefix) else { return nil }
        return RefusalReason(rawValue: String(name.dropFirst(reasonPrefix.count)))
    }

    private static var places: [(name: String, place: WritableKeyPath<WorkerFigures, UInt64>)] {
        [
            ("connections", \.connections), ("accepted", \.accepted), ("refused", \.refused),
            ("received", \.bytesReceived), ("sent", \.bytesSent),
        ]
    }
}
