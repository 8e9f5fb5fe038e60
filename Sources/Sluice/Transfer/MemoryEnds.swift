// SPDX-License-Identifier: Apache-2.0
//
// Memory as an end of a copy: bytes or a text that are sent, and bytes that are collected.
// A text becomes bytes on the way, a piece at a time.

import SluiceText

/// Bytes, or a text and how it becomes bytes, as the source of a copy.
final class MemorySource {
    /// How many characters of a text become bytes at a time.
    private static var pieceSize: Int { 16_384 }

    private var bytes: ArraySlice<UInt8>
    /// What of the text has not become bytes yet; `nil` where its end has, too.
    private var text: Substring.UnicodeScalarView?
    private var output: TextOutput

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        output = TextOutput(TextOptions())
    }

    init(_ text: Substring.UnicodeScalarView, as options: TextOptions) {
        bytes = []
        self.text = text
        output = TextOutput(options)
    }

    /// Makes bytes of the text, where there are none.
    private func encode() throws(ChannelError) {
        while bytes.isEmpty, let rest = text {
            let piece = rest.prefix(Self.pieceSize)
            var encoded: [UInt8] = []
            do throws(TextError) {
                try output.append(String(Substring(piece)), to: &encoded)
            } catch {
                throw .text(error, at: "in memory")
            }
            text = rest[piece.endIndex...]
            if piece.endIndex == rest.endIndex {
                output.finish(into: &encoded)
                text = nil
            }
            bytes = encoded[...]
        }
    }
}

/// Mirrors can't copy how far the text has come.
extension MemorySource: CustomReflectable {
    var customMirror: Mirror { Mirror(self, children: []) }
}

extension MemorySource: LendingSource {
    func passesUntouched(to theirs: TextOptions?) -> Bool { true }

    func attachSource(_ copy: ChannelCopy) { copy.goOnLater() }

    func detachSource(_ copy: ChannelCopy) {}

    func takeBytes(
        upTo limit: Int, waits: Bool, _ body: (RawSpan) -> Int
    ) throws(ChannelError) -> Bool {
        try encode()
        if bytes.isEmpty { return false }
        let piece = bytes.prefix(limit)
        let taken = body(piece.span.bytes)
        bytes = bytes.dropFirst(taken)
        return true
    }

    // Its bytes always pass untouched, so nobody asks for characters.

    func waitingText(upTo limit: Int, waits: Bool) -> String { "" }

    func dropText(_ count: Int) {}

    var hasEnded: Bool { bytes.isEmpty && text == nil }

    func takeFailure() -> ChannelError? { nil }

    var isPaused: Bool { false }

    func goOn(_ copy: ChannelCopy) { copy.goOnLater() }

    var turnLimit: Int { 262_144 }
}

/// Bytes that are collected, up to a limit, as the sink of a copy.
final class CollectedBytes: CopySink {
    private(set) var bytes: [UInt8] = []
    private let limit: Int

    init(upTo limit: Int) { self.limit = limit }

    /// Takes bytes as they are.
    var textOptions: TextOptions? { nil }

    func attachSink(_ copy: ChannelCopy) {}

    func detachSink(_ copy: ChannelCopy) {}

    // It has no text, so nobody brings characters.

    func encode(_ text: String, into bytes: inout [UInt8]) {}

    func endText(_ written: inout Int) {}

    func put(
        _ more: RawSpan, waits: Bool, _ written: inout Int
    ) throws(ChannelError) -> Bool {
        let count = min(more.byteCount, limit - bytes.count)
        more.extracting(first: count).withUnsafeBytes { bytes += $0 }
        written += count
        if count < more.byteCount { throw .socket(SocketError(.write, .noBufferSpace)) }
        return false
    }

    func isAllOut() -> Bool { true }
}
