// SPDX-License-Identifier: Apache-2.0
//
// Asks a TimeServer for the time: a client that waits, and needs no reactor.
// Usage: TimeClient HOST PORT; the port is a number or a service's name, such as daytime.

@preconcurrency import Glibc  // For stderr, a variable of C.
import Sluice

let arguments = CommandLine.arguments
guard arguments.count == 3 else {
    fputs("usage: TimeClient HOST PORT\n", stderr)
    exit(64)
}
do {
    let port = try ServicePort.number(of: arguments[2])
    let channel = try Channel.connected(to: .host(arguments[1], port: port))
    print(try channel.nextLine())
    channel.close()
} catch {
    fputs("\(error)\n", stderr)
    exit(error is PortError ? 64 : 1)
}
