// SPDX-License-Identifier: Apache-2.0
//
// Runs once on a machine: whoever has the port is the one instance.
// Usage: SingleInstance PORT.

@preconcurrency import Glibc  // For stderr, a variable of C.
import Sluice

guard let port = UInt16(CommandLine.arguments.dropFirst().first ?? "") else {
    fputs("usage: SingleInstance PORT\n", stderr)
    exit(64)
}
do {
    let reactor = try Reactor()
    // Ports are not shared unless somebody asks for it, so a second instance is refused.
    let lock = try Server(on: reactor, at: [.loopback(port: port)]) { channel, _ in
        channel.close()
    }
    print("the only instance, holding \(lock.addresses[0])")
    fflush(nil)
    reactor.run()
} catch {
    let isTaken = error.code == .addressInUse
    fputs(isTaken ? "another instance runs already\n" : "\(error)\n", stderr)
    exit(1)
}
