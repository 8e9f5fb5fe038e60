// SPDX-License-Identifier: Apache-2.0
//
// Sockets in places that only lend what they hold: an array, a tuple, another module's struct.

public import Sluice

/// A socket in an array.
public final class HeldSocket {
    /// What is held.
    public let socket: Socket

    /// Holds a socket until the end of this object.
    public init(_ socket: consuming Socket) { self.socket = socket }
}

extension Socket {
    /// Takes a socket out of a place that only lends it, and leaves an unused one there.
    public static func taken(from place: inout Socket) throws(SocketError) -> Socket {
        exchange(&place, with: try Socket(for: .unnamed))
    }
}
