// SPDX-License-Identifier: Apache-2.0
//
// How a transfer ended: what was moved, what was collected, and which side failed in what way.

/// Why a transfer was refused, or has failed.
public enum TransferError: Error, Hashable, Sendable {
    /// A run is under way already.
    case busy
    /// As many transfers wait as a queue may hold.
    case tooManyWaiting(limit: Int)
    /// The source has less than was asked for: bytes, or characters of a text.
    case notEnough(asked: Int, there: Int)
    /// The connector could not begin, or came to no connection.
    case connecting(ConnectorError)
    /// What the data came from failed.
    case source(ChannelError)
    /// What the data went to failed.
    case destination(ChannelError)
    /// The connection that a transmitter or receiver had made failed.
    case connection(ChannelError)
    /// The input ended before all had come that was asked for or promised.
    case cutShort(promised: Int, came: Int)
    /// The task was cancelled, or its reactor has ended.
    case cancelled
    /// A deadline of the task has passed.
    case timedOut
}

extension TransferError: CustomStringConvertible {
    /// One sentence, such as `the input has ended after 10 of 20`.
    public var description: String {
        switch self {
        case .busy: "a transfer is under way already"
        case .tooManyWaiting(let limit): "\(limit) transfers wait already"
        case .notEnough(let asked, let there): "\(asked) asked for, of \(there) that are there"
        case .connecting(let error): "\(error)"
        case .source(let error): "source: \(error)"
        case .destination(let error): "destination: \(error)"
        case .connection(let error): "\(error)"
        case .cutShort(let promised, let came): "the input has ended after \(came) of \(promised)"
        case .cancelled: "the transfer was cancelled"
        case .timedOut: "the transfer took too long"
        }
    }
}

/// How a transfer ended.
public struct TransferResult: Hashable, Sendable {
    /// What was moved, also by a transfer that failed.
    public var counts = CopyCounts()
    /// What was collected, for ``TransferDestination/bytes(upTo:size:)``; else empty.
    public var bytes: [UInt8] = []
    /// Why it failed; `nil` where all was moved.
    public var error: TransferError?

    init(counts: CopyCounts = CopyCounts(), bytes: [UInt8] = [], error: TransferError? = nil) {
        self.counts = counts
        self.bytes = bytes
        self.error = error
    }
}

extension ChannelCopy {
    /// What a copy has come to that ended without a result, as one of its channels was closed.
    ///
    /// Asked in a later turn: only then is it known what closed it. An end that is no channel is
    /// not what ended it.
    func stopped(from source: Channel?, to sink: Channel?) -> CopyResult {
        let isSource = source.map { $0.isEnding || $0.state.input == .shut } ?? false
        let ended = isSource ? source : sink ?? source
        let operation: SocketError.Operation = isSource || sink == nil ? .read : .write
        let error = ended?.endError(operation) ?? SocketError(operation, .badDescriptor)
        return CopyResult(
            counts: counts, error: .socket(error), failedSide: operation == .read ? .source : .sink)
    }
}

extension CopyResult {
    /// What it is to a transfer.
    ///
    /// - Parameters:
    ///   - promised: how much must have been read.
    ///   - told: how a side's error is told.
    func transferred(
        promised: Int?,
        _ told: (CopySide, ChannelError) -> TransferError = {
            $0 == .source ? .source($1) : .destination($1)
        }
    ) -> TransferResult {
        var result = TransferResult(counts: counts)
        if let error {
            result.error = told(failedSide ?? .sink, error)
        } else if let promised, counts.read < promised {
            result.error = .cutShort(promised: promised, came: counts.read)
        }
        return result
    }
}
