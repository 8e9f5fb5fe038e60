// SPDX-License-Identifier: Apache-2.0
//
// Receives one file from one FileSender, whole or not at all, and ends.
// Usage: FileReceiver FILE [PORT]. Who sends nothing, as port scans do, has sent no file.

@preconcurrency import Glibc  // For stderr, a variable of C.
import Sluice

let arguments = CommandLine.arguments
guard (2...3).contains(arguments.count),
    let port = UInt16(arguments.count == 3 ? arguments[2] : "0")
else {
    fputs("usage: FileReceiver FILE [PORT]\n", stderr)
    exit(64)
}
let file = arguments[1]
/// Where the file grows: what stands under its name stays until the new one is whole.
let part = "\(file).\(getpid()).part"

do {
    let reactor = try Reactor()
    reactor.onError = { error, _ in fail(error) }
    var options = ServerOptions()
    options.channel.idleTimeout = .seconds(60)
    var server: Server?
    let address = SocketAddress.loopback(port: port)
    server = try Server(on: reactor, at: [address], options: options) { channel, peer in
        server?.close()  // One sender, one file.
        channel.onClose { _, reason in fail("\(peer): \(reason)") }
        try channel.receiveFile(part, limit: 1 << 30) { result in
            if let error = result.error { fail(error) }
            keep(result.counts.bytesWritten, from: channel)
        }
    }
    for address in server?.addresses ?? [] { print("listening on \(address)") }
    fflush(nil)
    reactor.run()
} catch {
    fail(error)
}

/// Gives the file its name, and tells the sender.
func keep(_ byteCount: Int, from sender: Channel) {
    // Only the sender's own end makes a file whole: not a reset, and not the limit.
    guard byteCount > 0, sender.endReason == .finished else {
        fail("\(sender.peerAddress): no whole file")
    }
    guard rename(part, file) == 0 else { fail("\(file): \(ErrorCode(rawValue: errno))") }
    print("received \(byteCount) bytes from \(sender.peerAddress)")
    sender.onClose { _, _ in exit(0) }
    // The file is here, whether the sender hears of it or not.
    _ = try? sender.writeLine("received \(byteCount) bytes")
    sender.close()
}

/// Ends without the file.
func fail(_ reason: Any) -> Never {
    unlink(part)
    fputs("\(reason)\n", stderr)
    exit(1)
}
