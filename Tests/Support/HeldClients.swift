// SPDX-License-Identifier: Apache-2.0
//
// Clients that stay connected once they have their answer.

public import Sluice
import Testing

/// Clients that keep their connections, and who serves each.
public final class HeldClients {
    /// Who has answered, of the connections that are open.
    public private(set) var answers: [WorkerAnswer] = []
    /// Who had answered, of the connections that have ended.
    public private(set) var lost: [WorkerAnswer] = []
    private var channels: [Channel] = []

    /// Connects `count` clients and waits for their answers.
    public init(_ count: Int, to address: SocketAddress, on reactor: Reactor) throws {
        let client = Client(on: reactor)
        for _ in 0..<count {
            try client.connect(to: address) { [weak self] verdict in
                if case .success(let channel) = verdict { self?.hold(channel) }
            }
        }
        reactor.expect("all are answered") { self.answers.count == count }
    }

    private func hold(_ channel: Channel) {
        channels.append(channel)
        var answer: WorkerAnswer?
        channel.onLine { [weak self] _, line in
            answer = WorkerAnswer(line)
            if let answer { self?.answers.append(answer) }
        }
        channel.onClose { [weak self] _, _ in
            guard let self, let answer else { return }
            if let place = answers.firstIndex(of: answer) { answers.remove(at: place) }
            lost.append(answer)
        }
    }

    /// Lets all of them go.
    public func close() { for channel in channels { channel.close() } }
}
