// SPDX-License-Identifier: Apache-2.0
//
// What all channels of a reactor have done together.

/// What went over all channels of a reactor, with those that have closed.
public struct ReactorCounters: Hashable, Sendable {
    /// How many channels there are, with those that still connect and those that still send.
    public var channelCount = 0
    /// Bytes that came.
    public var bytesReceived: UInt64 = 0
    /// Bytes that the kernel took.
    public var bytesSent: UInt64 = 0

    /// Zeros.
    public init() {}
}

extension Reactor {
    /// What its channels have done up to now; a look at each that is open.
    public var counters: ReactorCounters {
        var sum = ReactorCounters()
        sum.bytesReceived = closedInput
        sum.bytesSent = closedOutput
        for channel in channels {
            if channel.status != .closed { sum.channelCount += 1 }
            sum.bytesReceived &+= channel.counters.bytesReceived
            sum.bytesSent &+= channel.counters.bytesSent
        }
        return sum
    }
}
