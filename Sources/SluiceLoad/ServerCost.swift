// SPDX-License-Identifier: Apache-2.0
//
// From samples of a server's process to its cost for one message and one connection.

/// The samples of a server's process that were taken around a load.
public struct ServerSamples: Hashable, Sendable {
    /// Resident bytes before the first connect.
    public var memoryBefore: Int?
    /// Resident bytes when all connections were open and none had sent anything.
    public var memoryIdle: Int?
    /// Processor time before the first connect.
    public var timeAtStart: ProcessorTime?
    /// Processor time when all connections were open and none had sent anything.
    public var timeIdle: ProcessorTime?
    /// Resident bytes after the last answer, with the connections still open.
    public var memoryAfter: Int?
    /// Processor time when measuring began.
    public var timeBefore: ProcessorTime?
    /// Processor time when measuring ended.
    public var timeAfter: ProcessorTime?

    /// No samples.
    public init() {}

    /// What the server's process cost, as far as the samples tell.
    public func cost(of result: LoadResult) -> ServerCost {
        var cost = ServerCost()
        if let timeBefore, let timeAfter {
            let user = max(0, (timeAfter.user - timeBefore.user).fractionalSeconds) * 1e6
            let total = (timeAfter.total - timeBefore.total).fractionalSeconds * 1e6
            cost.totalMicroseconds = total
            if result.requestCount > 0 {
                cost.userMicrosecondsPerRequest = user / Double(result.requestCount)
                cost.totalMicrosecondsPerRequest = total / Double(result.requestCount)
            }
        }
        if let timeAtStart, let timeIdle, result.connectionCount > 0 {
            cost.microsecondsPerConnection =
                (timeIdle.total - timeAtStart.total).fractionalSeconds * 1e6
                / Double(result.connectionCount)
        }
        cost.idleBytesPerConnection = perConnection(memoryIdle, result)
        cost.bytesPerConnectionAfterTraffic = perConnection(memoryAfter, result)
        return cost
    }

    private func perConnection(_ memory: Int?, _ result: LoadResult) -> Double? {
        guard let memory, let memoryBefore, result.connectionCount > 0 else { return nil }
        return Double(memory - memoryBefore) / Double(result.connectionCount)
    }
}

/// What a server's process costs; `nil` for what the samples do not tell.
public struct ServerCost: Hashable, Sendable {
    /// Processor time in the program and the kernel while it was measured.
    public var totalMicroseconds: Double?
    /// Processor time in the program itself for an answered request.
    public var userMicrosecondsPerRequest: Double?
    /// Processor time in the program and the kernel for an answered request.
    public var totalMicrosecondsPerRequest: Double?
    /// Processor time in the program and the kernel for a connection that was opened and has not
    /// sent anything.
    public var microsecondsPerConnection: Double?
    /// Resident memory for an open connection that has not sent anything yet.
    public var idleBytesPerConnection: Double?
    /// Resident memory for an open connection after the load.
    public var bytesPerConnectionAfterTraffic: Double?

    /// Nothing known.
    public init() {}
}
