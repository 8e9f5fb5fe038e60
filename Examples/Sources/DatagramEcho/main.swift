// SPDX-License-Identifier: Apache-2.0
//
// Sends every datagram back to where it came from: a task on one reactor.
// Usage: DatagramEcho [PORT].

@preconcurrency import Glibc  // For stderr, a variable of C.
import Sluice

guard let port = UInt16(CommandLine.arguments.dropFirst().first ?? "0") else {
    fputs("usage: DatagramEcho [PORT]\n", stderr)
    exit(64)
}
do {
    let group = try ReactorGroup(count: 1)
    let channel = try await AsyncDatagramChannel.open(
        at: .loopback(port: port), on: group.leastLoaded)
    print("listening on \(try await channel.localAddress)")
    fflush(nil)
    for try await datagram in channel.datagrams {
        try await channel.send(datagram.bytes, to: datagram.sender)
    }
} catch {
    fputs("\(error)\n", stderr)
    exit(1)
}
