// SPDX-License-Identifier: Apache-2.0
//
// A name server of the test's own, behind dnsmasq, which asks it for some names: it answers late,
// with a failure, or never. It lives on the test's reactor.

import Sluice
import TestSupport

/// A name server that deals with every question in one way.
final class Upstream {
    /// How it deals with questions.
    enum Manner {
        /// Asked for an address, it tells 192.0.2.99, after this time.
        case answering(after: Duration)
        /// It answers with a code, such as 2 for `SERVFAIL`.
        ///
        /// Source: RFC 1035, 4.1.1.
        case failing(UInt8)
        /// It never answers.
        case silent
    }

    /// The address that it tells.
    static let answer = IPAddress.v4(0xC000_0263)

    private let channel: DatagramChannel
    /// How often it was asked.
    private(set) var questionCount = 0

    init(on reactor: Reactor, _ manner: Manner) throws {
        channel = try DatagramChannel(on: reactor, at: .loopback(port: 0))
        channel.onDatagram { [weak self, unowned reactor] channel, bytes, info in
            let question = bytes.withUnsafeBytes { Array($0) }
            guard let self, question.count > 12 else { return }
            questionCount += 1
            switch manner {
            case .silent: break
            case .failing(let code):
                try channel.send(Self.reply(to: question, code), to: info.sender)
            case .answering(let delay):
                reactor.after(delay) {
                    // Whoever has asked may have all of it behind him.
                    guard channel.isOpen else { return }
                    try channel.send(Self.reply(to: question, 0), to: info.sender)
                }
            }
        }
    }

    deinit { channel.close() }

    /// The option by which dnsmasq asks it for all names below a domain.
    func option(for domain: String) throws -> String {
        "--server=/\(domain)/127.0.0.1#\(try channel.localAddress.port ?? 0)"
    }

    /// The reply to a question: with an address, where one is asked for and nothing has failed.
    ///
    /// Source: RFC 1035, 4.1.
    private static func reply(to message: [UInt8], _ code: UInt8) -> [UInt8] {
        // Behind the header the name, a label after the other, and four bytes of type and class.
        var end = 12
        while end < message.count, message[end] > 0 { end += 1 + Int(message[end]) }
        let question = message[12..<min(end + 5, message.count)]
        let hasAnswer = code == 0 && question.dropLast(2).last == 1
        let header = message[..<2] + [0x81, 0x80 | code, 0, 1, 0, hasAnswer ? 1 : 0, 0, 0, 0, 0]
        if !hasAnswer { return Array(header + question) }
        // The name is the question's; type and class are 1; it holds for 60 s, and has 4 bytes.
        return Array(header + question) + [0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 99]
    }
}
