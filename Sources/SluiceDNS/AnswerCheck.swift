// SPDX-License-Identifier: Apache-2.0
//
// The door that every answer has to pass before c-ares hears of it.
// A forged one that c-ares took for the real one would end the question.

/// Whether bytes from a server are an answer to something that it was asked.
package enum AnswerCheck {
    /// Why bytes are no answer.
    package enum Fault: Hashable, Sendable {
        case wrongID, wrongQuestion, malformed, oversized
    }

    /// What the bytes are.
    package enum Verdict: Sendable {
        case answer(DNSMessage)
        /// `id`: the question that they claim to answer, where there is one.
        case refused(Fault, id: UInt16?)
    }

    /// Looks at the bytes that came in one datagram or one frame.
    ///
    /// `byteCount`: how many came, which may be more than there was room for. `asked`: the question
    /// that a number stands for, if it was asked there, and how long the answer may be.
    ///
    /// A failure without a question, as servers send it that understand none, passes with the
    /// question that was asked: it is never more than a failure.
    package static func verdict(
        on bytes: [UInt8], byteCount: Int, isDatagram: Bool,
        asked: (UInt16) -> (question: DNSQuestion, byteLimit: Int)?
    ) -> Verdict {
        guard bytes.count >= DNSMessage.headerByteCount else {
            return .refused(.malformed, id: nil)
        }
        // Looked at first, for it costs least: whoever guesses is wrong about it most of the time.
        let id = UInt16(bytes[0]) << 8 | UInt16(bytes[1])
        guard let (question, limit) = asked(id) else { return .refused(.wrongID, id: nil) }
        if byteCount > min(limit, bytes.count) { return .refused(.oversized, id: id) }
        guard let message = DNSMessage(bytes, isDatagram: isDatagram) else {
            return .refused(.malformed, id: id)
        }
        if let failure = message.bareFailure(of: question) { return .answer(failure) }
        guard message.question == question else { return .refused(.wrongQuestion, id: id) }
        return .answer(message)
    }
}
