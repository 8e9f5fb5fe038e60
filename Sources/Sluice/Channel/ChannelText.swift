// SPDX-License-Identifier: Apache-2.0
//
// What a channel keeps for text: how far decoding and encoding have come.
// A channel that moves bytes only has none.

/// How far the text of both directions of a channel has come.
final class ChannelText {
    @exclusivity(unchecked) var input: TextInput
    @exclusivity(unchecked) var output: TextOutput
    /// What a turn has read into the reactor's memory and no line was made of yet, while the
    /// handler of a line before it runs.
    ///
    /// ``Channel/keepLent(_:)`` moves it into the channel's queue for
    /// whoever wants to read on.
    @exclusivity(unchecked) var lent: UnsafeRawBufferPointer?

    init(_ options: TextOptions) {
        input = TextInput(options)
        output = TextOutput(options)
    }

    /// How far both have come, in an object of its own; this one is at its beginning then.
    func taken() -> ChannelText {
        let other = ChannelText(TextOptions())
        swap(&input, &other.input)
        swap(&output, &other.output)
        return other
    }
}

/// Mirrors can't copy what it holds, and would end the process.
extension ChannelText: CustomReflectable {
    var customMirror: Mirror { Mirror(self, children: []) }
}

extension Channel {
    /// The text's state, made when it is first needed.
    var textState: ChannelText {
        if let text { return text }
        let made = ChannelText(shared.values.text)
        text = made
        return made
    }

    /// The settings of the text have changed: what is undecoded is looked at anew.
    func textOptionsChanged() {
        guard let text else { return }
        keepLent(text)
        let wasAtMark = text.input.isAtEndMark
        text.input.change(to: shared.values.text)
        // An end that the mark caused is none any more.
        if wasAtMark, !text.input.isAtEndMark { flags.subtract([.isEndTold, .isAtEnd]) }
        text.output.change(to: shared.values.text)
        // A line may be complete now.
        flags.remove(.needsMore)
        announceRest()
        arrange()
    }

    /// Moves what is lent into the channel's own queue, behind nothing: a lent rest is all there
    /// is.
    func keepLent(_ text: ChannelText) {
        guard let lent = text.lent else { return }
        text.lent = nil
        input.append(lent)
    }

    /// Somebody is about to take bytes: a line feed that belongs to the line before goes first, and
    /// what was decoded ahead is forgotten.
    ///
    /// - Returns: whether what comes next is for whoever takes bytes; `false` while only more input
    ///   can tell.
    func skipLineFeed(_ text: ChannelText, waits: Bool) -> Bool {
        let isDecided = dropSwallowed(text, waits: waits)
        if isDecided { text.input.reset() }
        return isDecided
    }

    /// Drops a line feed that belongs to the line before.
    ///
    /// - Returns: `false` while only more input can tell whether there is one.
    func dropSwallowed(_ text: ChannelText, waits: Bool) -> Bool {
        keepLent(text)
        while text.input.awaitsLineFeed {
            let isLast = state.input != .open
            let found = input.withBytes { text.input.takeSwallowed(from: $0, isLast: isLast) }
            if let found {
                input.drop(found)
                return true
            }
            // Waiting that fails is told by the read that follows.
            let count = (try? fillQueue(waits: waits)) ?? nil
            if count == nil, state.input == .open { return false }
        }
        return true
    }

    /// Writes what closes the text: a stateful encoding's return to its beginning, the end mark.
    func finishText() {
        guard text != nil || shared.values.text.outputEndMark != nil, state.output == .open else {
            return
        }
        var bytes: [UInt8] = []
        textState.output.finish(into: &bytes)
        if !bytes.isEmpty { writeLast(bytes) }
    }
}
