// SPDX-License-Identifier: Apache-2.0
//
// Sends every line back. Lines may end in LF, CR or CRLF; what goes back ends in LF.
// Usage: LineEcho [PORT]; port 0, or none, lets the kernel choose.

@preconcurrency import Glibc  // For stderr, a variable of C.
import Sluice

guard let port = UInt16(CommandLine.arguments.dropFirst().first ?? "0") else {
    fputs("usage: LineEcho [PORT]\n", stderr)
    exit(64)
}
do {
    let reactor = try Reactor()
    let server = try Server(on: reactor, at: [.loopback(port: port)]) { channel, _ in
        channel.onLine { channel, line in try channel.writeLine(line) }
    }
    print("listening on \(server.addresses[0])")
    fflush(nil)
    reactor.run()
} catch {
    fputs("\(error)\n", stderr)
    exit(1)
}
