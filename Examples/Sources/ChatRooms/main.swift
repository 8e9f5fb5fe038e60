// SPDX-License-Identifier: Apache-2.0
//
// A chat over all cores, in tasks: what one says, in a line, all others hear, on whichever reactor.
// The first line is one's name.
// Usage: ChatRooms [PORT]; port 0, or none, lets the kernel choose.

@preconcurrency import Glibc  // For stderr, a variable of C.
import Sluice

/// The guests of one reactor: an actor on its thread.
actor Room: ReactorActor {
    let executor: Reactor.Executor
    private var guests: [ObjectIdentifier: Connection] = [:]

    init(on executor: Reactor.Executor) { self.executor = executor }

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    func enter(_ guest: Connection) { guests[ObjectIdentifier(guest)] = guest }

    func leave(_ guest: Connection) { guests[ObjectIdentifier(guest)] = nil }

    /// Tells all but the speaker, and waits for none of them.
    func tell(_ text: String, except speaker: Connection? = nil) {
        let bytes = Array("\(text)\n".utf8)
        for guest in guests.values where guest !== speaker {
            guest.onSameReactor { guest in
                // Fails where the guest is gone: its own handler meets that, too, and has it leave.
                let result = try? guest.write(bytes.span.bytes)
                // Whoever does not read is not waited for.
                if result == .aboveMark { guest.abort() }
            }
        }
    }

    /// Sees all guests off; what was written still goes out.
    func close() {
        tell("The room closes.")
        for guest in guests.values { guest.onSameReactor { $0.close() } }
        guests = [:]
    }
}

/// The names of all guests, in whichever room.
///
/// It names no executor: it runs on the reactor of whoever asks.
actor Names {
    private var taken: Set<String> = []

    /// Takes a name.
    ///
    /// - Returns: the names of all guests, in order; `nil` where this one will not do.
    func take(_ name: String) -> [String]? {
        guard !name.allSatisfy(\.isWhitespace), name.count <= 64 else { return nil }
        guard taken.insert(name).inserted else { return nil }
        return taken.sorted()
    }

    func giveBack(_ name: String) { taken.remove(name) }
}

/// A room on each reactor, and the names of all guests.
struct House: Sendable {
    private let rooms: [Room]
    private let names = Names()

    init(on group: ReactorGroup) { rooms = group.executors.map { Room(on: $0) } }

    /// Serves a guest to its end.
    func attend(_ guest: isolated Connection) async throws {
        // There is one: each connection is on a reactor of the group.
        guard let room = rooms.first(where: { $0.executor === guest.executor }) else { return }
        try await guest.writeLine("Your name?")
        let answer = try await guest.within(.seconds(30)) { try await guest.readLine() }
        guard let name = answer else { return }
        guard let present = await names.take(name) else {
            return try await guest.writeLine("This name will not do.")
        }
        var failure: (any Error)?
        do {
            try await guest.writeLine("Here: \(present.joined(separator: ", "))")
            try await converse(with: guest, as: name, in: room)
        } catch {
            failure = error
        }
        // Whatever has ended the talk, the guest leaves.
        room.onSameReactor { $0.leave(guest) }
        await tell("\(name) has left", from: guest, in: room)
        await names.giveBack(name)
        if let failure { throw failure }
    }

    private func converse(
        with guest: isolated Connection, as name: String, in room: Room
    ) async throws {
        room.onSameReactor { $0.enter(guest) }
        await tell("\(name) comes in", from: guest, in: room)
        for try await line in guest.lines {
            await tell("\(name): \(line)", from: guest, in: room)
            // Twenty lines a second are enough for anybody.
            try await guest.executor.sleep(for: .milliseconds(50))
        }
    }

    /// Tells everybody but the speaker: its own room at once, each other as its reactor gets to it.
    private func tell(_ text: String, from speaker: isolated Connection, in room: Room) async {
        room.onSameReactor { $0.tell(text, except: speaker) }
        for other in rooms where other !== room { await other.tell(text) }
    }

    /// Sees all guests off.
    func close() async { for room in rooms { await room.close() } }
}

guard let port = UInt16(CommandLine.arguments.dropFirst().first ?? "0") else {
    fputs("usage: ChatRooms [PORT]\n", stderr)
    exit(64)
}
var options = ServingOptions()
options.maximumHandlers = 500  // Further guests wait at the door.
options.server.channel.text.lineLimit = 1_000
options.server.channel.idleTimeout = .seconds(3_600)
options.onError = { error, guest in
    switch guest.endReason {
    case .local?: break  // A room has closed the connection, and knows why.
    case let reason?: fputs("\(guest.peerAddress): \(reason)\n", stderr)
    case nil: fputs("\(error)\n", stderr)
    }
}
do {
    let group = try ReactorGroup()
    let house = House(on: group)
    let signals = try await group.executors[0].signals(.interrupt, .terminate)
    let server = try await ServerGroup(on: group, at: [.loopback(port: port)], options: options)
    let ending = Task {
        for try await _ in signals {
            server.close()
            await house.close()
        }
    }
    print("listening on \(server.addresses[0])")
    fflush(nil)
    try await server.run { try await house.attend($0) }
    ending.cancel()
    await group.stop()
} catch {
    fputs("\(error)\n", stderr)
    exit(1)
}
