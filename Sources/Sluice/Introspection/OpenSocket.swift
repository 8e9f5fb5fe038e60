// SPDX-License-Identifier: Apache-2.0
//
// What is open on a reactor: channels, datagrams' too, and listeners, with their addresses, state and counters.
// A list of values, taken at one moment; nothing is asked of the kernel for it that costs.

internal import Glibc

/// A channel, a datagram channel or a listener of a reactor, as it was when the list was made.
public struct OpenSocket: Hashable, Sendable {
    /// What it is.
    public enum Kind: Hashable, Sendable {
        /// A connection, and where it is in its life.
        case channel(Channel.Status)
        /// It waits for clients.
        case listener
        /// It sends and hears datagrams.
        case datagrams
    }

    /// `sock` and the descriptor's number, such as `sock7`.
    public let name: String
    /// What it is.
    public let kind: Kind
    /// This side's address; `nil` where the kernel does not tell it any more.
    public let localAddress: SocketAddress?
    /// The peer's address; `nil` for a listener, and for datagrams without one peer.
    public let peerAddress: SocketAddress?
    /// What went over a channel, where each datagram counts as a read or a write; zeros for a
    /// listener.
    public let counters: ChannelCounters
    /// How many bytes a channel has read that are not consumed.
    public let unreadByteCount: Int
    /// How many bytes were written to a channel that have not gone out.
    public let unsentByteCount: Int
}

extension Reactor {
    /// The channels, datagram channels and listeners that are open, in the order of their descriptors.
    ///
    /// A channel that was closed is not on the list any more, even if its output still goes out.
    ///
    /// - Parameter pattern: only those whose name matches: `*` stands for anything, `?` for one
    ///   character, `[...]` for one of a set. Source: fnmatch(3).
    public func openSockets(matching pattern: String = "*") -> [OpenSocket] {
        // C would take the pattern up to there for the whole, and no name has one.
        if pattern.utf8.contains(0) { return [] }
        var found: [(number: CInt, socket: OpenSocket)] = []
        for resident in residents {
            guard let part = resident as? any Inspectable, let number = part.descriptorNumber else {
                continue
            }
            let name = "sock\(number)"
            if pattern == "*" || fnmatch(pattern, name, 0) == 0 {
                found.append((number, part.inspected(as: name)))
            }
        }
        return found.sorted { $0.number < $1.number }.map(\.socket)
    }
}

/// Something that is on the list of what is open.
private protocol Inspectable {
    /// `nil` for what is not to be listed.
    var descriptorNumber: CInt? { get }
    func inspected(as name: String) -> OpenSocket
}

extension Channel: Inspectable {
    /// `sock` and the descriptor's number, such as `sock7`, as in
    /// ``Reactor/openSockets(matching:)``; `nil` once the channel is closed.
    public var name: String? { descriptorNumber.map { "sock\($0)" } }

    fileprivate var descriptorNumber: CInt? {
        status == .closing || status == .closed ? nil : socketNumber
    }

    fileprivate func inspected(as name: String) -> OpenSocket {
        OpenSocket(
            name: name, kind: .channel(status),
            // Not kept: a list must not cost each channel memory for good.
            localAddress: rare?.localAddress ?? (try? socket?.localAddress),
            peerAddress: peerAddress, counters: counters, unreadByteCount: unreadByteCount,
            unsentByteCount: unsentByteCount)
    }
}

extension Listener: Inspectable {
    /// `sock` and the descriptor's number, such as `sock5`; `nil` once the listener is closed.
    public var name: String? { descriptorNumber.map { "sock\($0)" } }

    fileprivate var descriptorNumber: CInt? { socketNumber }

    fileprivate func inspected(as name: String) -> OpenSocket {
        OpenSocket(
            name: name, kind: .listener, localAddress: address, peerAddress: nil,
            counters: ChannelCounters(), unreadByteCount: 0, unsentByteCount: 0)
    }
}

extension DatagramChannel: Inspectable {
    /// `sock` and the descriptor's number, such as `sock5`; `nil` once the channel is closed.
    public var name: String? { descriptorNumber.map { "sock\($0)" } }

    fileprivate var descriptorNumber: CInt? {
        switch socket {
        case .some(let socket): socket.number
        case .none: nil
        }
    }

    fileprivate func inspected(as name: String) -> OpenSocket {
        var sum = ChannelCounters()
        sum.bytesReceived = counters.bytesReceived
        sum.bytesSent = counters.bytesSent
        sum.reads = counters.datagramsReceived
        sum.writes = counters.datagramsSent
        return OpenSocket(
            name: name, kind: .datagrams,
            // The kernel always has one for an open socket.
            localAddress: try? localAddress, peerAddress: peerAddress, counters: sum,
            unreadByteCount: 0, unsentByteCount: unsentByteCount)
    }
}
