// SPDX-License-Identifier: Apache-2.0
//
// How much memory the clients of `sluice serve` may take, and how fast their bytes may go.

import ArgumentParser
import Sluice

/// The options that limit memory and rates.
struct BufferArguments: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            """
            How many bytes may wait in memory for all clients together, in equal shares for \
            processes and threads of 64k or more; k, M and G are 1024, 1024k and 1024M.
            """, valueName: "bytes"))
    var bufferLimit: ByteCountArgument?

    @Option(
        help: """
            What happens then: the clients that hold most are closed, or read no more until there \
            is room. Nothing but a time limit ends a client that is paused. (default: end)
            """)
    var bufferPolicy: BufferPolicyArgument?

    @Option(help: ArgumentHelp("Read so many bytes a second from a client.", valueName: "bytes"))
    var receiveRate: ByteCountArgument?

    @Option(help: ArgumentHelp("Send so many bytes a second to a client.", valueName: "bytes"))
    var sendRate: ByteCountArgument?

    /// The names of those that are given.
    var given: [String] {
        [
            ("--buffer-limit", bufferLimit != nil), ("--buffer-policy", bufferPolicy != nil),
            ("--receive-rate", receiveRate != nil), ("--send-rate", sendRate != nil),
        ].filter(\.1).map(\.0)
    }

    func validate() throws {
        if bufferPolicy != nil, bufferLimit == nil {
            throw ValidationError("--buffer-policy needs --buffer-limit")
        }
    }

    /// Sets what is given for each client.
    func apply(to options: inout ChannelOptions) {
        options.receiveRate = receiveRate.map { ByteRate(bytesPerSecond: $0.byteCount) }
        options.sendRate = sendRate.map { ByteRate(bytesPerSecond: $0.byteCount) }
    }

    /// A share is this large at least: a client may have as much waiting before it is read no more.
    private static let smallestShare = 65_536

    /// Whether so many reactors can share what is given.
    func isEnough(for count: Int) -> Bool {
        bufferLimit.map { $0.byteCount / max(1, count) >= Self.smallestShare } ?? true
    }

    /// What one of several reactors may hold; `nil` for as much as it likes.
    func limit(in part: Share) -> BufferLimit? {
        guard let bufferLimit else { return nil }
        var limit = BufferLimit()
        limit.byteCount = part.part(of: bufferLimit.byteCount)
        if let bufferPolicy { limit.policy = bufferPolicy.value }
        return limit
    }
}

/// What happens when the clients have too much in memory.
enum BufferPolicyArgument: String, CaseIterable, ExpressibleByArgument {
    /// Those that hold most are closed.
    case end
    /// Those that hold most are read no more for a while.
    case pause

    var value: BufferLimit.Policy {
        switch self {
        case .end: .end
        case .pause: .pause
        }
    }
}
