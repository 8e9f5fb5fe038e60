// SPDX-License-Identifier: Apache-2.0
//
// Passes every connection on to another server, in both directions, as fast as the slower side.
// Usage: Relay TARGET-PORT [PORT].

@preconcurrency import Glibc  // For stderr, a variable of C.
import Sluice

let arguments = CommandLine.arguments
guard (2...3).contains(arguments.count), let target = UInt16(arguments[1]),
    let port = UInt16(arguments.count == 3 ? arguments[2] : "0")
else {
    fputs("usage: Relay TARGET-PORT [PORT]\n", stderr)
    exit(64)
}

/// Copies both ways between two channels until both ways have ended, or one has failed.
final class Pair {
    private let near: Channel
    private let far: Channel
    private var openWays = 2

    init(_ near: Channel, _ far: Channel) throws {
        self.near = near
        self.far = far
        try near.copy(to: far) { self.wayEnded($0, other: self.far) }
        try far.copy(to: near) { self.wayEnded($0, other: self.near) }
    }

    private func wayEnded(_ result: CopyResult, other: Channel) {
        openWays -= 1
        if result.error == nil, openWays > 0 {
            // The end of one direction is passed on, and the other goes on.
            try? other.closeWriting()  // Fails only where the other has ended, too.
        } else {
            near.close()
            far.close()
        }
    }
}

do {
    let reactor = try Reactor()
    // Bytes pass untouched where neither side has them as text.
    var clientOptions = ClientOptions()
    clientOptions.channel = .binary
    let client = Client(on: reactor, options: clientOptions)
    var options = ServerOptions()
    options.channel = .binary
    options.channel.idleTimeout = .seconds(600)
    let server = try Server(
        on: reactor, at: [.loopback(port: port)], options: options
    ) { near, _ in
        _ = try Pair(near, client.open(.loopback(port: target)))
    }
    print("listening on \(server.addresses[0])")
    fflush(nil)
    reactor.run()
} catch {
    fputs("\(error)\n", stderr)
    exit(1)
}
