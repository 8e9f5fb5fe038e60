// SPDX-License-Identifier: Apache-2.0
//
// Asks a spamd about a message on standard input: it answers only when our side has ended, so the
// writing side is closed while the reading side stays open.
// Usage: SpamCheck HOST PORT < MESSAGE.

@preconcurrency import Foundation  // For stderr, a variable of C.
import Sluice

let arguments = CommandLine.arguments
guard arguments.count == 3, let port = UInt16(arguments[2]) else {
    fail("usage: SpamCheck HOST PORT < MESSAGE", status: 64)
}
do {
    // Bytes, not text: a message may be in any encoding, and is judged as it is.
    let message = try FileHandle.standardInput.readToEnd() ?? Data()
    let reactor = try Reactor()
    var options = ClientOptions()
    options.channel.text.outputTranslation = .crlf
    options.channel.idleTimeout = .seconds(60)
    let client = Client(on: reactor, options: options)
    try client.connect(to: .host(arguments[1], port: port)) { verdict in
        do {
            try ask(about: [UInt8](message), on: verdict.get())
        } catch {
            fail(error)
        }
    }
    reactor.run()
} catch {
    fail(error)
}

/// Sends the message, ends our side, and prints the answer, if it is one and of a sane length.
func ask(about message: [UInt8], on channel: Channel) throws {
    var answer: [String] = []
    channel.onLine { _, line in
        answer.append(line)
        if answer.count > 100 { fail("the answer is too long") }
    }
    channel.onClose { channel, reason in
        guard reason == .finished, !answer.isEmpty else {
            fail("no answer from \(channel.peerAddress): \(reason)")
        }
        print(answer.joined(separator: "\n"))
        exit(0)
    }
    try channel.writeLine("CHECK SPAMC/1.0")
    try channel.write(message)
    try channel.closeWriting()
}

/// Ends the program with a line on standard error.
func fail(_ reason: Any, status: CInt = 1) -> Never {
    fputs("\(reason)\n", stderr)
    exit(status)
}
