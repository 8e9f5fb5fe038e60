// SPDX-License-Identifier: Apache-2.0
//
// One question to the servers, from the first try until c-ares says that it is over.

import CCares
import Sluice

/// A question that c-ares puts to servers.
final class ServerQuestion {
    let id: UInt16
    let question: DNSQuestion
    /// Who wants to know, and for which of its names.
    let inquiry: UInt64
    let search: Int
    /// Whether it says how long a datagram may be.
    let hasOptions: Bool
    /// How long an answer in a datagram may be.
    let byteLimit: Int
    /// The channel is there whenever c-ares calls: it ends all questions before it goes.
    unowned let channel: ServerChannel
    /// The sockets that it was sent over.
    var sockets: [UInt64] = []
    /// The last answer that was let through, and whose it was.
    var message: DNSMessage?
    var server: SocketAddress?
    /// The channel's first server has answered, whatever it said.
    var hasHeardFirst = false
    /// Something came that claimed to be the answer.
    var hasBadAnswer = false

    init(
        _ id: UInt16, _ question: DNSQuestion, for inquiry: UInt64, _ search: Int,
        byteLimit: Int?, on channel: ServerChannel
    ) {
        self.id = id
        self.question = question
        self.inquiry = inquiry
        self.search = search
        self.channel = channel
        hasOptions = byteLimit != nil
        // Without an offer. Source: RFC 1035, 4.2.1.
        self.byteLimit = byteLimit ?? 512
    }

    /// What came of it.
    ///
    /// `status`: how c-ares has ended it. `failure`: why no socket could be had, where that was so.
    func answer(_ status: CInt, _ failure: ErrorCode?) -> ServerAnswer {
        if let message, status == ARES_SUCCESS || message.code.isRefusal {
            return ServerAnswer(message, to: question)
        }
        return .failed(reason(of: status, failure))
    }

    private func reason(of status: CInt, _ failure: ErrorCode?) -> ResolverError.Reason {
        switch status {
        // Whatever waited in vain for a proper answer has run out of time, too.
        case ARES_ETIMEOUT: hasBadAnswer ? .badAnswer : .timedOut
        case ARES_ECONNREFUSED:
            failure.map { .system($0) } ?? (hasBadAnswer ? .badAnswer : .unreachable)
        case ARES_ENOMEM: .noMemory
        // c-ares gives this where it has no servers.
        case ARES_ESERVFAIL: .noServers
        case ARES_ECANCELLED, ARES_EDESTRUCTION: .cancelled
        default: .badAnswer
        }
    }
}

extension DNSMessage.Code {
    /// c-ares asks the next server then, and at the end does not tell what the last one said.
    fileprivate var isRefusal: Bool {
        [.serverFailed, .notImplemented, .refused].contains(self)
    }
}
