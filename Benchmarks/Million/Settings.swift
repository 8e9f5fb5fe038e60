// SPDX-License-Identifier: Apache-2.0
//
// How many connections, how they are divided, and how long each phase takes.

import Glibc

/// What a run is asked for.
struct Settings {
    /// How many connections are opened.
    var connections = Self.usualConnections
    /// How many must be held for the run to be well; `nil` for as many as are opened, up to
    /// ``fullSize``.
    var leastHeld: Int?
    /// Why there are no more connections, where the machine has decided how many.
    var shortage: Shortage?
    /// How many seconds opening may take, whatever the size; `nil` for a minute at full size.
    var openLimit: Double?
    /// How many processes serve, all on one port.
    var servers = 53
    /// How many processes connect.
    var clients = 52
    /// How many connects, messages or closes each client has under way at most.
    var underWay = 64
    /// How long the message is that goes to all.
    var broadcastByteCount = 512
    /// How many servers send to theirs at once.
    ///
    /// A connection with unread bytes costs the kernel a page of the memory that TCP may have
    /// (`tcp_mem`, tcp(7)): a million at once would be more than all of it.
    var broadcasters = 8
    /// How long nothing is done before the idle time is measured.
    var rest = Duration.seconds(2)
    /// How long the connections are idle.
    var idleTime = Duration.seconds(10)
    /// How much of the connections is closed and opened anew each second, in percent.
    var churnPercent = 1.0
    /// For how long.
    var churnTime = Duration.seconds(10)
    /// How long a phase may take; what is not done then is counted as an error.
    var phaseLimit = Duration.seconds(300)

    /// How many connections are opened where nobody says how many.
    static let usualConnections = 985_000
    /// How long the message is that each connection sends and gets back.
    static let messageByteCount = 64
    /// From so many connections on all limits are judged.
    static let fullSize = 980_000

    /// Whether all limits are judged, also those on times and memory.
    var isFullSize: Bool { connections >= Self.fullSize }

    /// How many connections must be held at once.
    var expected: Int { leastHeld ?? min(connections, Self.fullSize) }

    /// How many connections a client opens.
    func share(of client: Int) -> Int {
        connections / clients + (client < connections % clients ? 1 : 0)
    }

    /// How many of so many connections are closed and opened anew.
    func churned(of count: Int) -> Int {
        Int(Double(count) * churnPercent / 100 * (churnTime / .seconds(1)))
    }
}

// MARK: - Source addresses

extension Settings {
    /// How many addresses each client connects from.
    ///
    /// Linux gives connections every second port of its range first. Once those of an address are
    /// used up, it looks through all of them again for each further one, which takes over a
    /// millisecond: so only the first half is counted upon, for those, too, that wait after their
    /// close (`TIME_WAIT`).
    func sourcesPerClient(ports: Int) -> Int {
        let usable = max(1, ports / 2)
        let needed = share(of: 0) + churned(of: share(of: 0))
        return max(1, (needed + usable - 1) / usable)
    }

    /// The addresses that a client connects from: 127.0.1.1 and those behind it.
    func sources(of client: Int, ports: Int) -> [String] {
        let count = sourcesPerClient(ports: ports)
        return (0..<count).map { place in
            let number = client * count + place
            return "127.0.\(1 + number / Self.hosts).\(1 + number % Self.hosts)"
        }
    }

    private static let hosts = 254
    /// 127.0.1.1 to 127.0.254.254.
    static let sourceLimit = 254 * hosts
}
