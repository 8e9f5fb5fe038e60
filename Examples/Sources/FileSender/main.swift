// SPDX-License-Identifier: Apache-2.0
//
// Sends a file to a FileReceiver: the kernel moves it, and it never comes into memory.
// Usage: FileSender HOST PORT FILE.

@preconcurrency import Glibc  // For stderr, a variable of C.
import Sluice

let arguments = CommandLine.arguments
guard arguments.count == 4, let port = UInt16(arguments[2]) else {
    fail("usage: FileSender HOST PORT FILE", status: 64)
}
do {
    let reactor = try Reactor()
    var options = ClientOptions()
    options.channel.idleTimeout = .seconds(60)
    let client = Client(on: reactor, options: options)
    try client.connect(to: .host(arguments[1], port: port)) { verdict in
        do {
            try send(arguments[3], on: verdict.get())
        } catch {
            fail(error)
        }
    }
    reactor.run()
} catch {
    fail(error)
}

/// Sends the file and ends our side; only the receiver's answer tells that all of it has arrived.
func send(_ file: String, on channel: Channel) throws {
    var sent = 0
    var answer = ""
    try channel.sendFile(file) { result in
        if let error = result.error { fail(error) }
        sent = result.counts.bytesWritten
        do { try channel.closeWriting() } catch { fail(error) }
    }
    channel.onLine { _, line in answer = line }
    channel.onClose { channel, reason in
        guard reason == .finished, answer == "received \(sent) bytes" else {
            fail("\(channel.peerAddress) has not received \(file): \(reason)")
        }
        print("sent \(sent) bytes")
        exit(0)
    }
}

/// Ends the program with a line on standard error.
func fail(_ reason: Any, status: CInt = 1) -> Never {
    fputs("\(reason)\n", stderr)
    exit(status)
}
