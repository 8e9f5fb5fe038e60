// SPDX-License-Identifier: Apache-2.0
//
// Who may come in and how fast, for all servers that share it: each on a thread of its own.

internal import CSystemCalls
import SluiceText

/// The overall rate and the sources of one server, or of all servers of a group.
final class AdmissionControl: Sendable {
    private struct State {
        var sources: SourceTable?
        var rate: TokenBucket?
    }

    private let state: Locked<State>
    /// Whether clients wait while the rate is used up.
    let clientsWait: Bool

    /// `nil` where the options limit nothing that it knows.
    init?(_ options: AdmissionOptions, at now: UInt64 = csystem_monotonic_nanoseconds()) {
        let sources = SourceTable(options, at: now)
        let rate = options.rate?.bucket(at: now)
        if sources == nil, rate == nil { return nil }
        state = Locked(State(sources: sources, rate: rate))
        clientsWait = rate != nil && options.whenFull == .wait
    }

    /// Lets a client in, or says why not; whoever is in is told of by ``leave(_:at:)`` once.
    ///
    /// Where clients wait for the rate, one that was accepted in spite of it is let in, and the
    /// others wait the longer.
    func admit(_ peer: SocketAddress, at now: UInt64) -> RefusalReason? {
        state.withLock { state in
            if !clientsWait, let count = state.rate?.count(at: now), count < 1 { return .rate }
            if let address = peer.ipAddress?.unmapped,
                let reason = state.sources?.admit(address, at: now)
            {
                return reason
            }
            state.rate?.spend(1, at: now)
            return nil
        }
    }

    /// The connection of a client that was let in has gone, or was never made.
    func leave(_ peer: SocketAddress, at now: UInt64 = csystem_monotonic_nanoseconds()) {
        guard let address = peer.ipAddress?.unmapped else { return }
        state.withLock { $0.sources?.leave(address, at: now) }
    }

    /// How long it is until the rate lets the next one in, in nanoseconds; 0 where it does now.
    func pause(at now: UInt64) -> UInt64 {
        state.withLock { $0.rate?.wait(for: 1, at: now) ?? 0 }
    }

    /// How many addresses and networks are known.
    var sourceCount: Int { state.withLock { $0.sources?.count ?? 0 } }
}
