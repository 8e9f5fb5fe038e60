// SPDX-License-Identifier: Apache-2.0
//
// Tells each client the time in a line and closes: the server of Tcl's manual page socket(n).
// Usage: TimeServer [PORT]; port 0, or none, lets the kernel choose.

@preconcurrency import Foundation  // For stderr, a variable of C.
import Sluice

guard let port = UInt16(CommandLine.arguments.dropFirst().first ?? "0") else {
    fputs("usage: TimeServer [PORT]\n", stderr)
    exit(64)
}
do {
    let reactor = try Reactor()
    let server = try Server(on: reactor, at: [.loopback(port: port)]) { channel, _ in
        // What was written still goes out after the close.
        try channel.writeLine(Date().formatted(.iso8601))
        channel.close()
    }
    print("listening on \(server.addresses[0])")
    fflush(nil)
    reactor.run()
} catch {
    fputs("\(error)\n", stderr)
    exit(1)
}
