// SPDX-License-Identifier: Apache-2.0
//
// Options of sockets by C's numbers, as Python's getsockopt and setsockopt have them, and the sizes
// of ancillary data.

import Glibc
import Sluice
import TestSupport
import Testing

@Suite(.countingDescriptors, .serialized)
struct OptionsAsPython {
    private let kinds: [(family: AddressFamily, kind: SocketKind)] = [
        (.ipv4, .stream), (.ipv4, .datagram), (.ipv6, .stream), (.ipv6, .datagram),
        (.unix, .stream), (.unix, .datagram),
    ]

    /// The levels that are asked, each with the last number of an option there.
    private static let levels: [(level: CInt, last: CInt)] = [
        (SOL_SOCKET, 80), (SOL_IP, 52), (CInt(IPPROTO_TCP), 45), (CInt(IPPROTO_UDP), 104),
        (SOL_IPV6, 80), (99, 2),
    ]

    /// Not the same of two sockets (SO_COOKIE, TCP_INFO, TCP_TIMESTAMP), or an answer to what the
    /// memory for it holds before (IP_MSFILTER, MCAST_MSFILTER, IPV6_FLOWLABEL_MGR,
    /// TCP_REPAIR_WINDOW, TCP_ZEROCOPY_RECEIVE, TCP_AO_INFO, TCP_AO_GET_KEYS, TCP_AO_REPAIR).
    private static let others: [[CInt]] = [
        [SOL_SOCKET, 57], [6, 11], [6, 24], [SOL_IP, 41], [SOL_IP, 48], [SOL_IPV6, 41],
        [SOL_IPV6, 48], [SOL_IPV6, 32], [6, 26], [6, 35], [6, 40], [6, 41], [6, 42],
    ]

    private static let numbers = levels.flatMap { level, last in (0...last).map { [level, $0] } }
        .filter { !others.contains($0) }

    /// Python's answers for each kind of sockets and each number: as an integer, and as bytes with
    /// room for 64 and for 2.
    private static let asking = """
        def answer(asked, *words):
            try:
                found = asked.getsockopt(*words)
                return found.hex() if isinstance(found, bytes) else found
            except OSError as error:
                return f"E{error.errno}"

        for word in sys.argv[1].split(","):
            family, kind = map(int, word.split())
            asked = socket.socket(family, kind)
            for text in sys.argv[2].split(","):
                number = [int(part) for part in text.split()]
                print(*[answer(asked, *number, *room) for room in [(), (64,), (2,)]], sep="/")
        """

    // P28
    @Test func `every option of a socket that was just made has the same value`() throws {
        let python = try CommandProcess.pythonPeer(
            Self.asking,
            kinds.map { "\($0.rawValue) \($1.rawValue)" }.joined(separator: ","),
            Self.numbers.map { "\($0[0]) \($0[1])" }.joined(separator: ","))
        var theirs = try python.outcome().split(separator: "\n").map { String($0) }[...]
        try #require(theirs.count == kinds.count * Self.numbers.count)
        var known = 0
        for (family, kind) in kinds {
            let asked = try Socket(family: family, kind: kind)
            for number in Self.numbers {
                let ours = answers(of: asked, number[0], number[1])
                let line = theirs.removeFirst()
                #expect(ours == line, "\(family) \(kind), level \(number[0]), option \(number[1])")
                known += ours.hasPrefix("E") ? 0 : 1
            }
        }
        // Every kind has those of its level and its protocol, some 100 each.
        #expect(known > 300)
    }

    private func answers(of asked: borrowing Socket, _ level: CInt, _ name: CInt) -> String {
        let bytes = answer { hexadecimal(try asked.rawOption(level: level, name: name, upTo: 64)) }
        let few = answer { hexadecimal(try asked.rawOption(level: level, name: name, upTo: 2)) }
        let number = answer { "\(try asked.rawOption(level: level, name: name))" }
        // Of an answer without bytes Python makes 0.
        return "\(number == "E\(ENODATA)" && bytes.isEmpty ? "0" : number)/\(bytes)/\(few)"
    }

    // P36
    @Test func `an option that is set, well or not, has the same value then`() throws {
        let values: [[Int]] = [
            // SO_REUSEADDR, SO_KEEPALIVE, SO_BROADCAST, SO_RCVBUF, SO_PRIORITY, SO_RCVLOWAT,
            // SO_TYPE
            [1, 2, 1], [1, 2, 0], [1, 9, 7], [1, 6, 1], [1, 8, 50_000], [1, 8, -1], [1, 8, 1],
            [1, 12, 6], [1, 12, 0], [1, 18, 9], [1, 3, 1],
            // IP_TTL, IP_TOS, IP_MULTICAST_TTL, IP_MULTICAST_LOOP, IP_MTU_DISCOVER, none
            [0, 2, 9], [0, 2, 0], [0, 2, 256], [0, 2, -1], [0, 1, 40], [0, 1, 256], [0, 33, 0],
            [0, 33, 256], [0, 34, 0], [0, 10, 9], [0, 10, 2], [0, 59, 1],
            // TCP_NODELAY, TCP_KEEPIDLE, TCP_USER_TIMEOUT, TCP_MAXSEG, TCP_DEFER_ACCEPT
            [6, 1, 1], [6, 4, 30], [6, 4, 0], [6, 4, 40_000], [6, 18, 5_000], [6, 18, -1],
            [6, 2, 9], [6, 2, 1_000], [6, 9, 5], [6, 99, 1],
            // UDP_CORK, UDP_SEGMENT, UDP_GRO
            [17, 1, 1], [17, 103, 1_000], [17, 103, 65_536], [17, 103, -1], [17, 104, 1],
        ]
        let theirs = try CommandProcess.pythonPeer(
            """
            for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
                for level, name, value in \(values):
                    changed = socket.socket(socket.AF_INET, kind)
                    try:
                        changed.setsockopt(level, name, value)
                        print(changed.getsockopt(level, name))
                    except OSError as error:
                        print(f"E{error.errno}")
            """
        ).outcome().split(separator: "\n").map { String($0) }
        var ours: [String] = []
        for kind in [SocketKind.stream, .datagram] {
            for value in values {
                let changed = try Socket(family: .ipv4, kind: kind)
                let (level, name) = (CInt(value[0]), CInt(value[1]))
                ours.append(
                    answer {
                        try changed.setRawOption(level: level, name: name, to: value[2])
                        return "\(try changed.rawOption(level: level, name: name))"
                    })
            }
        }
        #expect(theirs.count == ours.count)
        for (place, answers) in zip(values + values, zip(ours, theirs)) {
            #expect(answers.0 == answers.1, "\(place)")
        }
    }

    // P28, P36
    @Test func `bytes that are laid out by hand are taken and given alike`() throws {
        // SO_LINGER, SO_RCVTIMEO, SO_BINDTODEVICE, TCP_CONGESTION, and some that are too short.
        let values: [(level: CInt, name: CInt, bytes: [UInt8])] = [
            (1, 13, [1, 0, 0, 0, 7, 0, 0, 0]), (1, 13, [1, 0, 0, 0]),
            (1, 20, [2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), (1, 20, [2, 0, 0, 0]),
            (1, 25, Array("lo".utf8)), (1, 25, Array("nowhere0".utf8)),
            (6, 13, Array("reno".utf8)), (6, 13, Array("nothing".utf8)), (6, 1, [1, 0, 0, 0]),
            (6, 1, [1]), (0, 1, [40]), (0, 1, []), (0, 2, [9, 0, 0, 0]),
        ]
        let words = values.map { "\($0) \($1) \(hexadecimal($2))" }.joined(separator: ",")
        let theirs = try CommandProcess.pythonPeer(
            """
            for word in sys.argv[1].split(","):
                level, name, text = word.split(" ")
                changed = socket.socket()
                try:
                    changed.setsockopt(int(level), int(name), bytes.fromhex(text))
                    print(changed.getsockopt(int(level), int(name), 32).hex())
                except OSError as error:
                    print(f"E{error.errno}")
            """, words
        ).outcome().split(separator: "\n").map { String($0) }
        let ours = try values.map { level, name, bytes in
            let changed = try Socket(family: .ipv4, kind: .stream)
            return answer {
                try changed.setRawOption(level: level, name: name, to: bytes)
                return hexadecimal(try changed.rawOption(level: level, name: name, upTo: 32))
            }
        }
        #expect(ours == theirs)
    }

    // N26
    @Test func `ancillary data takes as many bytes as CMSG_LEN and CMSG_SPACE say`() throws {
        let counts = Array(0...100) + [1_000, 65_535, 1_000_000_000, -1, .min, .max]
        let theirs = try CommandProcess.pythonPeer(
            """
            def sized(call, count):
                try:
                    return call(count)
                except OverflowError:
                    return "-"

            for count in \(counts):
                print(sized(socket.CMSG_LEN, count), sized(socket.CMSG_SPACE, count))
            """
        ).outcome().split(separator: "\n").map { String($0) }
        let ours = counts.map { count in
            // What is refused prints as in the script.
            let sizes = [
                try? AncillaryItem.byteCount(ofData: count),
                try? AncillaryItem.space(forData: count),
            ]
            return sizes.map { $0.map { "\($0)" } ?? "-" }.joined(separator: " ")
        }
        #expect(ours == theirs)
    }
}

/// The text of an answer, or `E` and the number of the error.
private func answer(_ call: () throws -> String) -> String {
    do {
        return try call()
    } catch let error as SocketError {
        return "E\(error.code.rawValue)"
    } catch {
        return "\(error)"
    }
}
