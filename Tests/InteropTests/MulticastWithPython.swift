// SPDX-License-Identifier: Apache-2.0
//
// Multicast groups that we and Python are in: each hears the other, by IPv4 over the loopback
// interface, and by IPv6 over the first interface on which Python hears itself.

import Sluice
import TestSupport
import Testing

/// Where this machine hears what it says to a group; Python finds it out by itself.
struct GroupPlace: Sendable, CustomTestStringConvertible {
    let family: AddressFamily
    /// The index of the interface.
    let interface: UInt32
    /// The address that senders have there.
    let source: IPAddress

    var testDescription: String { "\(family) on interface \(interface)" }

    /// Those that there are: one for each family, at most.
    static let all = [AddressFamily.ipv4, .ipv6].compactMap { GroupPlace($0) }

    private init?(_ family: AddressFamily) {
        // A machine without such a place is none of our faults: the tests are left out then.
        guard
            let python = try? CommandProcess.pythonPeer(
                GroupPlace.python
                    + """
                    for interface, _ in socket.if_nameindex():
                        hearing, talking = hear(), talk(interface)
                        hearing.settimeout(0.5)
                        try:
                            join(hearing, groups[0], interface)
                            talking.sendto(b"?", (groups[0], hearing.getsockname()[1]))
                            _, sender = hearing.recvfrom(10)
                        except OSError:
                            continue
                        say(interface, sender[0])
                        break
                    """, "\(family.rawValue)"),
            let words = try? python.finish().output.split(whereSeparator: \.isWhitespace),
            words.count == 2, let interface = UInt32(words[0]),
            let source = IPAddress(String(words[1].prefix { $0 != "%" }))
        else { return nil }
        self.family = family
        self.interface = interface
        self.source = source
    }

    /// Two groups of this machine alone, of a kind that sources are chosen for.
    var groups: [IPAddress] {
        let texts =
            family == .ipv4 ? ["232.7.7.1", "232.7.7.2"] : ["ff31::8000:71", "ff31::8000:72"]
        return texts.compactMap { IPAddress($0) }
    }

    /// An address that nobody sends from.
    var stranger: IPAddress {
        family == .ipv4
            ? .v4(0xC000_0209) : .v6(high: 0x2001_0DB8_0000_0000, low: 9, scope: 0)
    }

    /// Every address of the machine.
    var any: SocketAddress { .ip(family == .ipv4 ? .any : .any6, port: 0) }

    /// This machine, as one that hears a group is reached without it.
    var loopback: IPAddress { family == .ipv4 ? .loopback : .loopback6 }

    /// A bare socket that sends to groups here.
    func talkingSocket() throws -> Socket {
        let socket = try Socket(for: any, kind: .datagram)
        if family == .ipv4 {
            try socket.bind(to: .ip(source, port: 0))
            try socket.set(.ipv4MulticastInterface, to: .index(interface))
        } else {
            try socket.set(.ipv6MulticastInterface, to: interface)
        }
        return socket
    }

    /// A channel that hears what it joins, and nothing that others have joined.
    func hearingChannel(on reactor: Reactor) throws -> DatagramChannel {
        let channel = try DatagramChannel(on: reactor, at: any)
        try channel.set(family == .ipv4 ? .ipv4MulticastAll : .ipv6MulticastAll, to: false)
        return channel
    }

    /// Says "wrong" in the first group and "right" in the second.
    func speak(by socket: borrowing Socket, port: UInt16) throws {
        for (group, text) in zip(groups, ["wrong", "right"]) {
            let bytes = Array(text.utf8)
            let sent = try socket.send(bytes.span.bytes, to: .ip(group, port: port))
            #expect(sent == .bytes(5))
        }
    }

    /// The same in Python: the family comes first of the words that a script is given.
    static let python = """
        family = int(sys.argv[1])
        IP_MULTICAST_ALL, IPV6_MULTICAST_ALL = 49, 29
        if family == socket.AF_INET:
            groups = "232.7.7.1", "232.7.7.2"
            level, everything = socket.IPPROTO_IP, IP_MULTICAST_ALL
        else:
            groups = "ff31::8000:71", "ff31::8000:72"
            level, everything = socket.IPPROTO_IPV6, IPV6_MULTICAST_ALL

        def packed(address):
            return socket.inet_pton(family, address)

        def hear():
            hearing = socket.socket(family, socket.SOCK_DGRAM)
            hearing.settimeout(20)
            hearing.setsockopt(level, everything, 0)
            hearing.bind(("0.0.0.0" if family == socket.AF_INET else "::", 0))
            return hearing

        def talk(interface, loop=1):
            talking = socket.socket(family, socket.SOCK_DGRAM)
            if family == socket.AF_INET:
                talking.bind(("127.0.0.1", 0))
                talking.setsockopt(level, socket.IP_MULTICAST_IF,
                                   struct.pack("=8xi", interface))
                talking.setsockopt(level, socket.IP_MULTICAST_LOOP, loop)
            else:
                talking.setsockopt(level, socket.IPV6_MULTICAST_IF, interface)
                talking.setsockopt(level, socket.IPV6_MULTICAST_LOOP, loop)
            return talking

        def join(hearing, group, interface):
            if family == socket.AF_INET:
                hearing.setsockopt(level, socket.IP_ADD_MEMBERSHIP,
                                   struct.pack("=4s4xi", packed(group), interface))
            else:
                hearing.setsockopt(level, socket.IPV6_JOIN_GROUP,
                                   struct.pack("=16si", packed(group), interface))

        def join_source(hearing, group, interface, source):
            def form(address):
                inside = "HH4s" if family == socket.AF_INET else "HHI16sI"
                rest = (packed(address),) if family == socket.AF_INET else (0, packed(address), 0)
                return struct.pack("=" + inside, family, 0, *rest).ljust(128, b"\\0")
            MCAST_JOIN_SOURCE_GROUP = 46
            hearing.setsockopt(level, MCAST_JOIN_SOURCE_GROUP,
                               struct.pack("=I4x", interface) + form(group) + form(source))


        """
}

@Suite(.countingDescriptors, .serialized, .enabled(if: !GroupPlace.all.isEmpty))
struct MulticastWithPython {
    // N20, P36
    @Test(arguments: GroupPlace.all)
    func `python hears what we say to its group, and from whom`(place: GroupPlace) throws {
        let python = try CommandProcess.pythonPeer(
            GroupPlace.python + """
                hearing = hear()
                join(hearing, groups[1], int(sys.argv[2]))
                say(hearing.getsockname()[1])
                data, sender = hearing.recvfrom(100)
                say(data.decode(), sender[0].partition("%")[0])
                """, "\(place.family.rawValue)", "\(place.interface)")
        let port = try #require(UInt16(try python.nextLine()))
        try place.speak(by: try place.talkingSocket(), port: port)
        try python.expectLines(["right \(place.source)"])
    }

    // N20, P36
    @Test(arguments: GroupPlace.all)
    func `we hear what python says to our group, until we leave it`(place: GroupPlace) throws {
        let reactor = try Reactor()
        let channel = try place.hearingChannel(on: reactor)
        defer { channel.close() }
        let group = try #require(place.groups.first)
        try channel.join(group, on: place.interface)
        let heard = Box<[String]>([])
        channel.onDatagram { _, bytes, info in
            heard.value.append("\(bytes.text) \(info.sender.ipAddress?.bare ?? "")")
        }
        let port = try #require(try channel.localAddress.port)
        let python = try CommandProcess.pythonPeer(
            GroupPlace.python + """
                talking = talk(int(sys.argv[2]))
                port = int(sys.argv[3])
                talking.sendto(b"member", (groups[0], port))
                wait_for_test()
                talking.sendto(b"member no more", (groups[0], port))
                alone = socket.socket(family, socket.SOCK_DGRAM)
                alone.sendto(b"by address", (sys.argv[4], port))
                """, "\(place.family.rawValue)", "\(place.interface)", "\(port)",
            "\(place.loopback)")
        reactor.expect("what is said to the group") { heard.value.count == 1 }
        try channel.leave(group, on: place.interface)
        python.goOn()
        try python.outcome(running: reactor)
        reactor.expect("what is said to us alone") { heard.value.count == 2 }
        #expect(
            heard.value == ["member \(place.source)", "by address \(place.loopback)"])
    }

    // N20, P36
    @Test(arguments: GroupPlace.all)
    func `of two groups python hears the one whose source we are`(place: GroupPlace) throws {
        let python = try CommandProcess.pythonPeer(
            GroupPlace.python + """
                hearing = hear()
                for group, source in zip(groups, sys.argv[3:]):
                    join_source(hearing, group, int(sys.argv[2]), source)
                say(hearing.getsockname()[1])
                say(hearing.recv(100).decode())
                """, "\(place.family.rawValue)", "\(place.interface)", "\(place.stranger)",
            "\(place.source)")
        let port = try #require(UInt16(try python.nextLine()))
        try place.speak(by: try place.talkingSocket(), port: port)
        try python.expectLines(["right"])
    }

    // N20, P36
    @Test(arguments: GroupPlace.all)
    func `of two groups we hear the one whose source python is, until we leave it`(
        place: GroupPlace
    ) throws {
        let reactor = try Reactor()
        let channel = try place.hearingChannel(on: reactor)
        defer { channel.close() }
        let sources = [place.stranger, place.source]
        for (group, source) in zip(place.groups, sources) {
            try channel.join(group, on: place.interface, from: source)
        }
        let heard = Box<[String]>([])
        channel.onDatagram { _, bytes, _ in heard.value.append(bytes.text) }
        let port = try #require(try channel.localAddress.port)
        let python = try CommandProcess.pythonPeer(
            GroupPlace.python + """
                talking = talk(int(sys.argv[2]))
                port = int(sys.argv[3])
                for end in b"", b" again":
                    for group, text in zip(groups, [b"wrong", b"right"]):
                        talking.sendto(text + end, (group, port))
                    say("said")
                    wait_for_test()
                alone = socket.socket(family, socket.SOCK_DGRAM)
                alone.sendto(b"by address", (sys.argv[4], port))
                """, "\(place.family.rawValue)", "\(place.interface)", "\(port)",
            "\(place.loopback)")
        try python.expectLines(["said"], isAll: false)
        reactor.expect("what is said to one group") { !heard.value.isEmpty }
        for (group, source) in zip(place.groups, sources) {
            try channel.leave(group, on: place.interface, from: source)
        }
        python.goOn()
        try python.expectLines(["said"], isAll: false)
        python.goOn()
        try python.outcome(running: reactor)
        reactor.expect("what is said to us alone") { heard.value.count == 2 }
        #expect(heard.value == ["right", "by address"])
    }

    // A loopback interface brings back whatever leaves by it, so Python tells what is to be heard.
    // N20, P36
    @Test(arguments: GroupPlace.all)
    func `without loop python hears as much of us as of itself`(place: GroupPlace) throws {
        let python = try CommandProcess.pythonPeer(
            GroupPlace.python + """
                hearing = hear()
                interface, port = int(sys.argv[2]), hearing.getsockname()[1]
                join(hearing, groups[1], interface)

                def heard():
                    texts = []
                    while b"end" not in texts:
                        texts.append(hearing.recv(100))
                    return len(texts)

                for loop, text in (0, b"silent"), (1, b"end"):
                    talk(interface, loop).sendto(text, (groups[1], port))
                own = heard()
                say(port)
                say(heard() - own)
                """, "\(place.family.rawValue)", "\(place.interface)")
        let port = try #require(UInt16(try python.nextLine()))
        let group = try #require(place.groups.last)
        let socket = try place.talkingSocket()
        for (loops, text) in [(false, "silent"), (true, "end")] {
            try socket.set(
                place.family == .ipv4 ? .ipv4MulticastLoop : .ipv6MulticastLoop, to: loops)
            let bytes = Array(text.utf8)
            _ = try socket.send(bytes.span.bytes, to: .ip(group, port: port))
        }
        try python.expectLines(["0"])
    }
}

extension IPAddress {
    /// The address without an interface, as Python has it.
    fileprivate var bare: String { String(description.prefix { $0 != "%" }) }
}
