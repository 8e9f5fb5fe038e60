// SPDX-License-Identifier: Apache-2.0
//
// A reconnecting client with everything that it tells, and the rule that it must not break: never
// two connections at once.

public import Sluice
import Testing

/// A client that connects again, with short waits, and what it told.
public final class ReconnectingRecord {
    /// The client.
    public let client: ReconnectingClient
    /// The states in short, such as `connecting 2`, `connected`, `waiting` and `stopped`.
    public private(set) var states: [String] = []
    /// What ended each connection and each attempt.
    public private(set) var losses: [ConnectionLoss] = []
    /// The connections that it brought.
    public private(set) var channels: [Channel] = []
    /// What it handed back.
    public private(set) var unsent: [UnsentMessage] = []
    /// Why it stopped last.
    public private(set) var reason: ReconnectingStop?
    /// Called with each state in short, behind its entry here.
    public var whenState: (String) -> Void = { _ in }
    /// Called with each connection, behind its entry here.
    public var whenConnected: (Channel) throws -> Void = { _ in }

    /// A client that waits a millisecond at first and two at most, where `edit` says nothing else.
    public init(
        on reactor: Reactor, to address: SocketAddress,
        _ edit: (inout ReconnectingOptions) -> Void = { _ in }
    ) {
        var options = ReconnectingOptions()
        options.firstDelay = .milliseconds(1)
        options.longestDelay = .milliseconds(2)
        edit(&options)
        client = ReconnectingClient(on: reactor, to: .address(address), options: options)
        client.onState { [weak self] in self?.note($0) }
        client.onConnected { [weak self] channel in
            self?.channels.append(channel)
            try self?.whenConnected(channel)
        }
        client.onUnsent { [weak self] in self?.unsent += $0 }
    }

    private func note(_ state: ReconnectingClient.State) {
        let word: String
        switch state {
        case .connecting(let attempt):
            #expect(channels.allSatisfy { $0.status == .closed })
            word = "connecting \(attempt)"
        case .connected: word = "connected"
        case .waiting(_, let loss):
            losses.append(loss)
            word = "waiting"
        case .stopped(let reason):
            self.reason = reason
            word = "stopped"
        }
        states.append(word)
        whenState(word)
    }
}
