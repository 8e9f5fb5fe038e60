// SPDX-License-Identifier: Apache-2.0
//
// A client: connects to the echo example, says a greeting, prints the answer, and ends.
// Half-closing tells the server that nothing more comes, so its close ends the program.
// Usage: Greet [ADDRESS:PORT].

@preconcurrency import Glibc  // For stderr, a variable of C.
import Sluice

guard let address = SocketAddress(CommandLine.arguments.dropFirst().first ?? "127.0.0.1:7777")
else {
    fail("usage: Greet [ADDRESS:PORT]", status: 64)
}
do {
    let reactor = try Reactor()
    try Client(on: reactor).connect(to: address) { verdict in
        do {
            let channel = try verdict.get()
            channel.onBytes { _, bytes in
                let text = bytes.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
                print(text, terminator: "")
            }
            channel.onClose { _, reason in
                if reason != .finished { fail("ended: \(reason)") }
                reactor.stop()
            }
            try channel.write(Array("hello\n".utf8))
            try channel.closeWriting()
        } catch {
            fail(error)
        }
    }
    reactor.run()
} catch {
    fail(error)
}

/// Ends the program with a line on standard error.
func fail(_ reason: Any, status: CInt = 1) -> Never {
    fputs("\(reason)\n", stderr)
    exit(status)
}
