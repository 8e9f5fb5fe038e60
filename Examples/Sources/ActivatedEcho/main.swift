// SPDX-License-Identifier: Apache-2.0
//
// An echo server on sockets that a service manager has opened: it starts when the first client comes.
// To be started by systemd, or `systemd-socket-activate -l 7000 ActivatedEcho`. sd_listen_fds(3).

@preconcurrency import Glibc  // For stderr, a variable of C.
import Sluice

do {
    // Before anything else is opened: the sockets have fixed numbers.
    let sockets = try InheritedSockets.fromEnvironment()
    let reactor = try Reactor()
    guard sockets.count > 0 else {
        fputs("no socket was handed over (LISTEN_FDS)\n", stderr)
        exit(64)
    }
    let server = try Server(on: reactor, adopting: sockets) { channel, _ in
        channel.onBytes { channel, bytes in try channel.write(bytes) }
    }
    for address in server.addresses { print("listening on \(address)") }
    fflush(nil)
    reactor.run()
} catch {
    fputs("\(error)\n", stderr)
    exit(1)
}
