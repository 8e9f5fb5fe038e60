// SPDX-License-Identifier: Apache-2.0
//
// An echo server whose reactor has nothing else to do, or asks for names and connects in vain all
// the while: what its clients notice of that is measured.

import Glibc
import Sluice

@main
enum ResolvingServer {
    static func main() throws {
        var words = Array(CommandLine.arguments.dropFirst())
        let isBusy = words.last == "--busy"
        if isBusy { words.removeLast() }
        guard words.count == 3, words.starts(with: ["echo", "--port"]), let port = UInt16(words[2])
        else {
            complain("usage: resolving-server echo --port P [--busy]")
            exit(64)
        }
        DescriptorLimit.raise()
        let reactor = try Reactor()
        let server = try Server(on: reactor, at: [.loopback(port: port)]) { channel, _ in
            channel.onBytes { channel, bytes in try channel.write(bytes) }
        }
        let chores = isBusy ? try Chores(on: reactor) : nil
        let end = try reactor.onSignal(.terminate) { [unowned reactor] in reactor.stop() }
        for address in server.addresses { print("listening on \(address)") }
        fflush(nil)
        reactor.run()
        end.end()
        if let chores { complain(chores.report) }
    }

    private static func complain(_ line: String) {
        let bytes = Array("\(line)\n".utf8)
        _ = write(STDERR_FILENO, bytes, bytes.count)
    }
}
