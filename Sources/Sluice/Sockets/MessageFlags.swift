// SPDX-License-Identifier: Apache-2.0
//
// How bytes are to be sent or received, and what the kernel says of a message that came.

import CSystemCalls
import Glibc

/// How bytes are to be sent or received, and what is said of a message that came.
///
/// Source: recv(2), send(2).
public struct MessageFlags: OptionSet, Hashable, Sendable {
    /// The set as bits, as in C.
    public let rawValue: CInt

    /// A set of bits.
    public init(rawValue: CInt) { self.rawValue = rawValue }

    // MARK: Asked for

    /// What is received stays to be received again (`MSG_PEEK`).
    public static let peek = Self(rawValue: 0x2)
    /// The byte out of band (`MSG_OOB`).
    ///
    /// Source: tcp(7), RFC 6093.
    public static let outOfBand = Self(rawValue: 0x1)
    /// Sends past no gateway (`MSG_DONTROUTE`).
    public static let dontRoute = Self(rawValue: 0x4)
    /// Waits for as many bytes as were asked for, on a blocking socket (`MSG_WAITALL`).
    public static let waitAll = Self(rawValue: 0x100)
    /// Does not wait, on a blocking socket (`MSG_DONTWAIT`).
    public static let dontWait = Self(rawValue: 0x40)
    /// The peer has answered: its entry in the neighbour cache is good (`MSG_CONFIRM`).
    ///
    /// Source: arp(7).
    public static let confirm = Self(rawValue: 0x800)
    /// More comes: the segment or datagram is not sent yet (`MSG_MORE`).
    ///
    /// Source: tcp(7), udp(7).
    public static let more = Self(rawValue: 0x8000)
    /// Sends with the connection's first packet (`MSG_FASTOPEN`).
    ///
    /// Source: tcp(7).
    public static let fastOpen = Self(rawValue: 0x2000_0000)

    // MARK: Asked for, and told

    /// Told: the datagram was longer than the room for it.
    ///
    /// Asked for: its real length is told all the same; of a TCP stream the bytes are dropped
    /// (`MSG_TRUNC`).
    public static let truncated = Self(rawValue: 0x20)
    /// The last part of a record (`MSG_EOR`).
    public static let endOfRecord = Self(rawValue: 0x80)
    /// From the queue of errors instead of messages (`MSG_ERRQUEUE`).
    ///
    /// Source: ip(7), `IP_RECVERR`.
    public static let errorQueue = Self(rawValue: 0x2000)

    // MARK: Told

    /// There was no room for all of the ancillary data (`MSG_CTRUNC`).
    public static let controlTruncated = Self(rawValue: 0x8)
}
