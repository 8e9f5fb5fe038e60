// SPDX-License-Identifier: Apache-2.0
//
// The beginning of a server's end: its channels are told, many of them in several turns.

extension Server {
    /// How many channels are told in one turn.
    private static let toldPerTurn = 256

    /// Marks all of its channels, and has those told that want to be.
    func tellDraining(on reactor: Reactor) {
        var waiting: [Channel] = []
        for channel in reactor.channels where channel.owner === self {
            if channel.beginDraining() { waiting.append(channel) }
        }
        tellSome(of: waiting[...], reactor)
    }

    private func tellSome(of channels: ArraySlice<Channel>, _ reactor: Reactor) {
        // Each has a turn of its own: this may be the turn of one of them.
        for channel in channels.prefix(Self.toldPerTurn) { channel.enqueue([]) }
        let rest = channels.dropFirst(Self.toldPerTurn)
        if rest.isEmpty { return }
        reactor.after(.zero) { [self, unowned reactor] in tellSome(of: rest, reactor) }
    }
}
