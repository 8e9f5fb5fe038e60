// SPDX-License-Identifier: Apache-2.0
//
// Shows who does what when a client connects: the kernel takes the connection at once, the greeting
// comes only when the server's reactor runs.

import Sluice

let reactor = try Reactor()
let server = try Server(on: reactor, at: [.loopback(port: 0)]) { channel, peer in
    print("server: accepted \(peer)")
    try channel.writeLine("Welcome!")
    channel.close()
}

let client = Client(on: reactor)
let channel = try client.open(server.addresses[0])
print("client: \(channel.status), and the server's reactor has not run yet")
channel.onReadable { channel in
    if let line = try channel.readLine() { print("client: \(line)") }
    if channel.isAtEnd {
        channel.close()
        reactor.stop()
    }
}
reactor.run()
