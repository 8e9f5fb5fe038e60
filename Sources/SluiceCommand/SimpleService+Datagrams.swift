// SPDX-License-Identifier: Apache-2.0
//
// The simple services by datagrams: each datagram is answered by one, or by none.
// Senders may be forged, so some are not answered: two services would answer each other for ever.

import Glibc
import Sluice

extension SimpleService {
    /// Serves whoever sends datagrams to a channel.
    ///
    /// What can't be answered is dropped, as it may be anywhere on its way. Source: RFC 862, 863,
    /// 864, 867, 868.
    ///
    /// - Parameter port: the channel's own; `nil` where it has none.
    func serve(_ channel: DatagramChannel, at port: UInt16?) {
        let peers = AnsweredPeers(ownPort: port)
        switch self {
        case .echo:
            channel.onDatagram { channel, bytes, info in
                guard peers.contains(info.sender) else { return }
                // What the kernel refuses is dropped: see above.
                _ = try? channel.send(bytes, to: info.sender)
            }
        case .discard: channel.onDatagram { _, _, _ in }
        case .chargen: Self.answer(on: channel, peers) { Self.someCharacters() }
        case .daytime:
            Self.answer(on: channel, peers) { Array(Self.daytimeLine(at: Glibc.time(nil)).utf8) }
        case .time: Self.answer(on: channel, peers) { Self.timeBytes(at: Glibc.time(nil)) }
        }
    }

    private static func answer(
        on channel: DatagramChannel, _ peers: AnsweredPeers, with content: @escaping () -> [UInt8]
    ) {
        channel.onDatagram { channel, _, info in
            guard peers.contains(info.sender) else { return }
            // As with echo.
            _ = try? channel.send(content(), to: info.sender)
        }
    }

    /// The longest answer of chargen: more would serve those who forge senders.
    private static let characters = Array(pattern.prefix(512))

    /// The beginning of the pattern: 0 to 512 characters, by chance.
    ///
    /// Source: RFC 864, "UDP Based Character Generator Service".
    static func someCharacters() -> [UInt8] {
        Array(characters.prefix(.random(in: 0...characters.count)))
    }
}

/// Whom a simple service answers by datagrams.
///
/// All but the ports of the simple services that answer, its own among them, as with inetd(8); and
/// port 0, which is nobody's.
struct AnsweredPeers {
    /// The port of the service; `nil` for a Unix socket.
    let ownPort: UInt16?

    @inline(__always)
    func contains(_ sender: SocketAddress) -> Bool {
        guard let port = sender.port else { return true }
        return switch port {
        // Echo, daytime, chargen and time.
        case 0, 7, 13, 19, 37: false
        default: port != ownPort
        }
    }
}
