// SPDX-License-Identifier: Apache-2.0
//
// What a transfer fills: memory up to a limit, a file, or a channel.

/// Where the data of a transfer goes to.
///
/// It is one thing from the beginning on, as a ``TransferSource`` is.
public struct TransferDestination {
    enum Kind {
        case bytes(limit: Int)
        case file(String, offset: Int)
        case channel(Channel)
    }

    let kind: Kind
    /// How much was promised: less is an error, and what follows is not taken, so that a partner
    /// that sends on meets a reset; `nil` for all that comes.
    public let size: Int?

    private init(_ kind: Kind, _ size: Int?) {
        self.kind = kind
        self.size = size.map { max(0, $0) }
    }

    /// Memory, given as ``TransferResult/bytes``; more than `limit` bytes are an error,
    /// `.destination` with `.noBufferSpace`.
    public static func bytes(upTo limit: Int, size: Int? = nil) -> TransferDestination {
        TransferDestination(.bytes(limit: limit), size)
    }

    /// A regular file: made, or emptied first; or continued at an offset, where what stands behind
    /// that is cut off first.
    ///
    /// It is made once there is a connection, and emptied or cut off when the first bytes come, or
    /// at the end of an input that has none: one of which nothing comes leaves it as it was. What
    /// had come stays in the file of a transfer that fails: there another may continue.
    ///
    /// - Parameters:
    ///   - path: the file.
    ///   - offset: where to begin, in bytes; where it is not 0, the file must have so many.
    ///   - size: how many bytes are to come.
    public static func file(
        _ path: String, from offset: Int = 0, size: Int? = nil
    ) -> TransferDestination {
        TransferDestination(.file(path, offset: offset), size)
    }

    /// A channel; the end of what is received ends neither of its sides.
    public static func channel(_ channel: Channel, size: Int? = nil) -> TransferDestination {
        TransferDestination(.channel(channel), size)
    }

    /// Makes sure that data can go there, as far as that can be told beforehand; changes nothing.
    ///
    /// - Throws: ``TransferError/destination(_:)``: for a file that is no regular one, may not be
    ///   written, has fewer bytes than the offset, or can't be made in its folder; for a channel
    ///   that is closed or that another copy writes to; for a negative limit or offset.
    public func check() throws(TransferError) {
        do throws(ChannelError) {
            switch kind {
            case .bytes(let limit):
                if limit < 0 { throw .socket(SocketError(.write, .invalidArgument)) }
                if let size, size > limit { throw .socket(SocketError(.write, .noBufferSpace)) }
            case .file(let path, let offset):
                try RegularFile.checkWriting(path, from: offset)
            case .channel(let channel):
                do throws(SocketError) { try channel.checkSink() } catch { throw .socket(error) }
            }
        } catch {
            throw .destination(error)
        }
    }
}

extension TransferDestination {
    /// The channel that it is, if it is one.
    var channel: Channel? { if case .channel(let channel) = kind { channel } else { nil } }

    /// Makes sure that data can go there, and that it is on this reactor.
    func check(on reactor: Reactor) throws(TransferError) {
        try check()
        guard let channel, channel.reactorOrNil !== reactor else { return }
        throw .destination(
            .socket(SocketError(.perform, .invalidArgument, at: channel.peerAddress)))
    }

    /// What a copy on this reactor writes to, checked.
    ///
    /// A file that is not there is made.
    func makeEnd(on reactor: Reactor) throws(TransferError) -> any CopySink {
        // A file is checked as it is opened.
        if case .file = kind {} else { try check(on: reactor) }
        switch kind {
        case .bytes(let limit): return CollectedBytes(upTo: limit)
        case .file(let path, let offset):
            do throws(ChannelError) {
                return try RegularFile(writing: path, from: offset, as: nil, isCutLater: true)
            } catch {
                throw .destination(error)
            }
        case .channel(let channel): return channel
        }
    }
}
