// SPDX-License-Identifier: Apache-2.0
//
// What a transfer sends: bytes, a text, a part of a file, or what a channel reads.

/// Where the data of a transfer comes from.
///
/// It is one thing from the beginning on, so there is none to be told twice, and none that is not
/// told. Each transfer takes it from its start again, but for a channel, which goes on where it is.
public struct TransferSource {
    enum Kind {
        case bytes([UInt8])
        case text(String, TextOptions)
        case file(String, offset: Int)
        case channel(Channel)
    }

    let kind: Kind
    /// How much is asked for: bytes, characters of a text, or what the copy of a channel counts;
    /// `nil` for all there is.
    public let size: Int?

    private init(_ kind: Kind, _ size: Int?) {
        self.kind = kind
        self.size = size.map { max(0, $0) }
    }

    /// Bytes, or the first `size` of them.
    public static func bytes(_ bytes: [UInt8], size: Int? = nil) -> TransferSource {
        TransferSource(.bytes(bytes), size)
    }

    /// A text, or its first `size` characters, which become bytes by these options; their end mark,
    /// where there is one, follows.
    ///
    /// What a destination channel is set to does not matter.
    public static func text(
        _ text: String, as options: TextOptions = .init(), size: Int? = nil
    ) -> TransferSource {
        TransferSource(.text(text, options), size)
    }

    /// A regular file from an offset on, to its end or for `size` bytes.
    ///
    /// Its bytes go untouched and never come into memory. Source: sendfile(2).
    public static func file(
        _ path: String, from offset: Int = 0, size: Int? = nil
    ) -> TransferSource {
        TransferSource(.file(path, offset: offset), size)
    }

    /// What a channel reads, up to its end or to `size` characters, or bytes where they pass
    /// untouched; an end before that is ``TransferError/cutShort(promised:came:)``.
    public static func channel(_ channel: Channel, size: Int? = nil) -> TransferSource {
        TransferSource(.channel(channel), size)
    }

    /// Makes sure that there is what is asked for, as far as that can be told beforehand.
    ///
    /// - Throws: ``TransferError``: `.notEnough` for bytes and texts; `.source` for a file that is
    ///   not there, is no regular one or has less, and for a channel that is closed or that another
    ///   copy reads.
    public func check() throws(TransferError) {
        switch kind {
        case .bytes(let bytes): try check(size: bytes.count)
        case .text(let text, _):
            if size != nil { try check(size: text.unicodeScalars.count) }
        case .file(let path, let offset):
            do throws(ChannelError) {
                _ = try RegularFile(reading: path, from: offset, count: size, as: nil)
            } catch {
                throw .source(error)
            }
        case .channel(let channel):
            do throws(SocketError) { try channel.checkReading() } catch {
                throw .source(.socket(error))
            }
        }
    }

    private func check(size there: Int) throws(TransferError) {
        if let size, size > there { throw .notEnough(asked: size, there: there) }
    }
}

extension TransferSource {
    /// The channel that it is, if it is one.
    var channel: Channel? { if case .channel(let channel) = kind { channel } else { nil } }

    /// How much must have been read: of all but channels that is seen beforehand.
    var promised: Int? { channel == nil ? nil : size }

    /// Makes sure that it is there, and on this reactor.
    func check(on reactor: Reactor) throws(TransferError) {
        try check()
        guard let channel, channel.reactorOrNil !== reactor else { return }
        throw .source(.socket(SocketError(.perform, .invalidArgument, at: channel.peerAddress)))
    }

    /// What a copy on this reactor reads; checked by that.
    func makeEnd(on reactor: Reactor) throws(TransferError) -> any CopySource {
        // A file is checked as it is opened.
        if case .file = kind {} else { try check(on: reactor) }
        switch kind {
        case .bytes(let bytes): return MemorySource(bytes.prefix(size ?? bytes.count))
        case .text(let text, let options):
            let characters = text.unicodeScalars[...]
            return MemorySource(size.map { characters.prefix($0) } ?? characters, as: options)
        case .file(let path, let offset):
            do throws(ChannelError) {
                return try RegularFile(reading: path, from: offset, count: size, as: nil)
            } catch {
                throw .source(error)
            }
        case .channel(let channel): return channel
        }
    }
}

extension Channel {
    /// Whether it has closed, or does.
    var isEnding: Bool { status == .closed || status == .closing }

    /// What has ended the channel, as an error of an operation.
    func endError(_ operation: SocketError.Operation) -> SocketError {
        let code: ErrorCode =
            switch endReason {
            case .failed(let error): error.code
            case .reset: .connectionReset
            case .timedOut: .timedOut
            default: .badDescriptor
            }
        return SocketError(operation, code, at: peerAddress)
    }
}
