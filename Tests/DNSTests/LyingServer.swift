// SPDX-License-Identifier: Apache-2.0
//
// A name server that answers as a test tells it to: the truth, lies, nothing, over UDP and TCP.

import Sluice
import TestSupport

@testable import SluiceDNS

/// A name server on loopback, on the reactor of the test; it ends with the reactor.
final class LyingServer {
    /// What it is asked.
    struct Query {
        let id: UInt16
        let name: String
        let kind: RecordKind
        let isStream: Bool
        let hasOptions: Bool
        /// Which one it is, counted from 1.
        let number: Int

        /// The right answer's beginning.
        func packet(code: UInt16 = 0) -> Packet { Packet(name, kind, id: id, code: code) }

        /// The right answer.
        func packet(_ records: [UInt8]...) -> Packet { packet().answering(records) }

        /// An address for whatever was asked.
        var truth: Packet { packet(Packet.host(name, kind == .a ? "192.0.2.1" : "2001:db8::1")) }
    }

    /// What it does then.
    enum Reply {
        /// Sends these bytes.
        case send([UInt8])
        /// Sends them from a port of which nobody was asked.
        case sendFromElsewhere([UInt8])
        /// Ends the connection.
        case close
    }

    /// Where it is.
    let address: SocketAddress
    /// What it was asked.
    private(set) var queries: [Query] = []
    /// How many connections were made to it.
    private(set) var connectionCount = 0
    private let answer: (Query) -> [Reply]
    private let ends: Ends

    /// Its sockets: for datagrams, for connections, and one of which nobody knows.
    private struct Ends {
        let datagrams: DatagramChannel
        let stranger: DatagramChannel
        let streams: Server?
        let connected = Box<(Channel) -> Void>({ _ in })

        /// UDP and TCP have the same port, which may be taken for one of them.
        init(on reactor: Reactor, _ ip: IPAddress, isDeaf: Bool) throws {
            stranger = try DatagramChannel(on: reactor, at: .ip(ip, port: 0))
            while true {
                let datagrams = try DatagramChannel(on: reactor, at: .ip(ip, port: 0))
                let address = try datagrams.localAddress
                do throws(SocketError) {
                    let accept = { [connected] (channel: Channel, _: SocketAddress) in
                        connected.value(channel)
                    }
                    streams =
                        isDeaf ? nil : try Server(on: reactor, at: [address], onAccept: accept)
                    self.datagrams = datagrams
                    return
                } catch {
                    guard error.code == .addressInUse else { throw error }
                    datagrams.close()
                }
            }
        }
    }

    /// Starts to serve.
    ///
    /// - Parameter isDeaf: whether nobody can connect to it over TCP.
    init(
        on reactor: Reactor, at ip: IPAddress = .loopback, isDeaf: Bool = false,
        answering answer: @escaping (Query) -> [Reply]
    ) throws {
        self.answer = answer
        ends = try Ends(on: reactor, ip, isDeaf: isDeaf)
        address = try ends.datagrams.localAddress
        // The reactor keeps the handlers, and with them the server, to its end.
        ends.datagrams.onDatagram { _, bytes, info in
            for reply in self.replies(to: bytes.array, isStream: false) {
                switch reply {
                case .send(let bytes): try self.ends.datagrams.send(bytes, to: info.sender)
                case .sendFromElsewhere(let bytes):
                    try self.ends.stranger.send(bytes, to: info.sender)
                case .close: break
                }
            }
        }
        // Whoever has asked may be gone when the answer comes.
        ends.datagrams.onError { _, _ in }
        ends.stranger.onError { _, _ in }
        // Weakly: the ends have the box, and the handler above keeps the server.
        ends.connected.value = { [weak self] channel in self?.serve(channel) }
    }

    /// The names that it was asked for, in order.
    var names: [String] { queries.map(\.name) }

    private func serve(_ channel: Channel) {
        connectionCount += 1
        let input = Box<[UInt8]>([])
        channel.onBytes { channel, bytes in
            input.value += bytes.array
            while let frame = Self.frame(of: &input.value) {
                for reply in self.replies(to: frame, isStream: true) {
                    switch reply {
                    case .send(let bytes), .sendFromElsewhere(let bytes):
                        try channel.write(Packet.number(UInt16(bytes.count)) + bytes)
                    case .close: channel.close()
                    }
                }
            }
        }
    }

    private static func frame(of input: inout [UInt8]) -> [UInt8]? {
        guard input.count >= 2 else { return nil }
        let end = 2 + Int(input[0]) << 8 + Int(input[1])
        guard input.count >= end else { return nil }
        defer { input.removeFirst(end) }
        return Array(input[2..<end])
    }

    private func replies(to bytes: [UInt8], isStream: Bool) -> [Reply] {
        // A query is an answer without the bit that says so.
        var answer = bytes
        if answer.count > 2 { answer[2] |= 0x80 }
        guard let message = DNSMessage(answer), let question = message.question,
            let kind = RecordKind(rawValue: question.kind)
        else { return [] }
        let query = Query(
            id: message.id, name: question.name.hostText ?? "", kind: kind, isStream: isStream,
            hasOptions: message.hasOptions, number: queries.count + 1)
        queries.append(query)
        return self.answer(query)
    }
}
