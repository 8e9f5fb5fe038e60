// SPDX-License-Identifier: Apache-2.0
//
// What may be asked of a watched descriptor, and what is reported of it.
// libevent's flags stand here and nowhere in a public declaration.

internal import CLibevent

/// What a watched descriptor is asked for, and what it is found to be.
public struct Interest: OptionSet, Hashable, Sendable {
    /// The set as bits.
    public let rawValue: UInt8

    /// A set of bits.
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Data, the end of the input or an error waits to be read.
    public static let readable = Interest(rawValue: 1)
    /// At least one byte can be written, or an error waits to be told.
    public static let writable = Interest(rawValue: 2)
    /// The peer has closed its writing side, or the connection is gone.
    ///
    /// Source: `EPOLLRDHUP`, epoll_ctl(2).
    public static let peerClosed = Interest(rawValue: 4)
}

extension Interest: CustomStringConvertible {
    /// The members by name, such as `readable, peerClosed`.
    public var description: String {
        let names: [(Interest, String)] = [
            (.readable, "readable"), (.writable, "writable"), (.peerClosed, "peerClosed"),
        ]
        return names.filter { contains($0.0) }.map(\.1).joined(separator: ", ")
    }
}

extension Interest {
    /// As libevent's flags.
    var flags: Int16 {
        var flags: CInt = 0
        if contains(.readable) { flags |= EV_READ }
        if contains(.writable) { flags |= EV_WRITE }
        if contains(.peerClosed) { flags |= EV_CLOSED }
        return Int16(flags)
    }

    /// The members that libevent's flags stand for; others are left out.
    @inline(__always)
    init(flags: Int16) {
        let flags = CInt(flags)
        var members: UInt8 = 0
        if flags & EV_READ != 0 { members |= 1 }
        if flags & EV_WRITE != 0 { members |= 2 }
        if flags & EV_CLOSED != 0 { members |= 4 }
        self.init(rawValue: members)
    }
}
