// SPDX-License-Identifier: Apache-2.0
//
// Two events of one pass: what the handler of the first does to the second is what a test asks.

public import Sluice

/// Two watched pipes that both have a byte to read, so that both are found in one pass.
public final class ReadyPipes {
    private let first: PipeEnds
    private let second: PipeEnds
    /// The watches of the two, at 0 and 1.
    public let watches = KeptWatches()
    /// The numbers of the pipes whose handler was called, in order.
    public private(set) var found: [Int] = []

    /// Watches both.
    ///
    /// - Parameter handler: gets the number of the pipe that was found, 0 or 1.
    public init(
        on reactor: Reactor, _ handler: @escaping (KeptWatches, Int) throws -> Void
    ) throws {
        first = try PipeEnds()
        second = try PipeEnds()
        first.write("x")
        second.write("x")
        for (number, reading) in [first.reading, second.reading].enumerated() {
            watches.hold(
                try reactor.watch(reading, for: .readable) { [unowned self] _ in
                    found.append(number)
                    try handler(watches, number)
                }, at: number)
        }
    }
}
