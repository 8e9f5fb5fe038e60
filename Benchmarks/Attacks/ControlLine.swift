// SPDX-License-Identifier: Apache-2.0
//
// A part's line to the conductor: its standard input, which is a socket.

import Glibc
import Sluice

/// Orders come in, figures go out; with the end of the line the process ends.
struct ControlLine {
    private let channel: Channel

    init(
        on reactor: Reactor, _ heard: @escaping (Order, ControlLine) throws -> Void
    ) throws(SocketError) {
        let socket = try Socket(adoptingNumber: STDIN_FILENO)
        let channel = try Channel(adopting: socket, on: reactor)
        self.channel = channel
        let line = self
        channel.onLine { _, text in
            if let order = Order(text: text) { try heard(order, line) }
        }
        // Nobody is left to whom a part could be of use, whatever it does now.
        channel.onClose { _, _ in exit(EXIT_SUCCESS) }
    }

    /// Tells figures.
    func say(_ figures: Figures) {
        // Where the conductor has gone the end of the line is what counts.
        _ = try? channel.writeLine(figures.text)
    }
}

/// Reactors for all parts.
enum Reactors {
    /// A reactor of a process to which a lost reader is an error of the write, not its end.
    static func make() throws(SocketError) -> Reactor {
        signal(SIGPIPE, SIG_IGN)
        return try Reactor()
    }
}
