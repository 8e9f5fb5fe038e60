// SPDX-License-Identifier: Apache-2.0
//
// How long the clients of `sluice serve` may take for what they do.

import ArgumentParser
import Sluice

/// The options that limit times.
struct TimeLimitArguments: ParsableArguments {
    @Option(help: "Close a client when no byte came or went for this long.")
    var idleTimeout: DurationArgument?

    @Option(help: "Close a client that has sent nothing for this long since it came.")
    var firstByteTimeout: DurationArgument?

    @Option(
        help: """
            With --style lines: close a client whose line is not complete after this long, however \
            steadily it sends.
            """)
    var messageTimeout: DurationArgument?

    @Option(help: "Close a client that has taken nothing for this long of what is sent to it.")
    var writeTimeout: DurationArgument?

    @Option(help: "Close a client this long after it came, whatever it does.")
    var lifetime: DurationArgument?

    private var all: [(name: String, argument: DurationArgument?)] {
        [
            ("--idle-timeout", idleTimeout), ("--first-byte-timeout", firstByteTimeout),
            ("--message-timeout", messageTimeout), ("--write-timeout", writeTimeout),
            ("--lifetime", lifetime),
        ]
    }

    /// The names of those that are given.
    var given: [String] { all.filter { $0.argument != nil }.map(\.name) }

    func validate() throws {
        if let (name, _) = all.first(where: { $0.argument?.duration == .zero }) {
            throw ValidationError("\(name) is more than 0")
        }
    }

    /// Sets what is given.
    func apply(to options: inout ChannelOptions) {
        options.idleTimeout = idleTimeout?.duration
        options.firstByteTimeout = firstByteTimeout?.duration
        options.messageTimeout = messageTimeout?.duration
        options.writeProgressTimeout = writeTimeout?.duration
        options.lifetime = lifetime?.duration
    }
}
