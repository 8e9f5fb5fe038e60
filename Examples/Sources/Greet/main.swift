// SPDX-License-Identifier: Apache-2.0
//
// A client: connects to the echo example, says a greeting, prints the answer, and ends.
// Half-closing tells the server that nothing more comes, so its close ends the program.

import Sluice

let reactor = try Reactor()
let address = CommandLine.arguments.dropFirst().first.flatMap(SocketAddress.init)
try Client(on: reactor).connect(to: address ?? .loopback(port: 7777)) { verdict in
    do {
        let channel = try verdict.get()
        channel.onBytes { _, bytes in
            print(bytes.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }, terminator: "")
        }
        channel.onClose { _, reason in
            print("ended: \(reason)")
            reactor.stop()
        }
        try channel.write(Array("hello\n".utf8))
        try channel.closeWriting()
    } catch {
        print(error)
        reactor.stop()
    }
}
reactor.run()
