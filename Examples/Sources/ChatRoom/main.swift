// SPDX-License-Identifier: Apache-2.0
//
// A chat room: what one says, in a line, all others hear. The first line is one's name.
// Usage: ChatRoom [PORT]. No lock is needed: all guests are on one reactor.

@preconcurrency import Glibc  // For stderr, a variable of C.
import Sluice

/// Everybody who is here.
final class Room {
    private var guests: [ObjectIdentifier: (name: String, channel: Channel)] = [:]

    func welcome(_ channel: Channel) throws {
        try channel.writeLine("Your name?")
        channel.onLine { channel, name in try self.enter(channel, as: name) }
        channel.onClose { channel, _ in self.leave(channel) }
    }

    private func enter(_ channel: Channel, as name: String) throws {
        let isTaken = guests.values.contains { $0.name == name }
        guard !name.allSatisfy(\.isWhitespace), name.count <= 64, !isTaken else {
            try channel.writeLine("This name will not do.")
            return channel.close()
        }
        channel.options.idleTimeout = .seconds(3_600)
        guests[ObjectIdentifier(channel)] = (name, channel)
        try channel.writeLine("Here: \(guests.values.map(\.name).sorted().joined(separator: ", "))")
        tellOthers("\(name) comes in", than: channel)
        channel.onLine { channel, text in self.tellOthers("\(name): \(text)", than: channel) }
    }

    private func leave(_ channel: Channel) {
        guard let guest = guests.removeValue(forKey: ObjectIdentifier(channel)) else { return }
        tellOthers("\(guest.name) has left", than: channel)
    }

    private func tellOthers(_ text: String, than speaker: Channel) {
        for (_, channel) in guests.values where channel !== speaker {
            // A guest whose queue is full, or who is gone, leaves the room.
            do { try channel.writeLine(text) } catch { channel.abort() }
        }
    }
}

guard let port = UInt16(CommandLine.arguments.dropFirst().first ?? "0") else {
    fputs("usage: ChatRoom [PORT]\n", stderr)
    exit(64)
}
var options = ServerOptions()
options.maximumConnections = 100  // Further guests wait at the door.
options.channel.text.lineLimit = 1_000
options.channel.outputLimit = 65_536
options.channel.idleTimeout = .seconds(30)  // To give a name; a guest has longer.
do {
    let reactor = try Reactor()
    let room = Room()
    let address = SocketAddress.loopback(port: port)
    let server = try Server(on: reactor, at: [address], options: options) { channel, _ in
        try room.welcome(channel)
    }
    print("listening on \(server.addresses[0])")
    fflush(nil)
    reactor.run()
} catch {
    fputs("\(error)\n", stderr)
    exit(1)
}
