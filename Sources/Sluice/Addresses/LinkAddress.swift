// SPDX-License-Identifier: Apache-2.0
//
// Where a frame came from or goes to, below IP.

/// An interface, a protocol of frames, and the hardware address of a party.
///
/// Source: packet(7).
public struct LinkAddress: Hashable, Sendable {
    /// What the frame is to this machine.
    public enum PacketType: UInt8, Hashable, Sendable {
        /// Addressed to this machine.
        case host = 0
        /// To all on the link.
        case broadcast = 1
        /// To a group.
        case multicast = 2
        /// To another machine, and caught all the same.
        case otherHost = 3
        /// Sent by this machine, and looped back.
        case outgoing = 4
        /// Anything newer.
        case other = 255
    }

    // In this order they take no more room than an IP address: each channel holds an address.

    /// The hardware address: at most 8 bytes.
    public var hardwareAddress: [UInt8]
    /// The interface's index; 0 for any.
    public var interface: UInt32
    /// The protocol of the frames, such as `0x0800` for IPv4; 0 for none, 3 for all.
    ///
    /// Source: `ETH_P_*`.
    public var protocolNumber: UInt16
    /// What kind of hardware it is, such as 1 for Ethernet; told by the kernel.
    ///
    /// Source: `ARPHRD_*`.
    public var hardwareType: UInt16
    /// What the frame is to this machine; told by the kernel.
    public var packetType: PacketType

    /// An interface's frames of a protocol, and whom they go to.
    public init(
        protocolNumber: UInt16, interface: UInt32, hardwareAddress: [UInt8] = [],
        hardwareType: UInt16 = 0, packetType: PacketType = .host
    ) {
        self.protocolNumber = protocolNumber
        self.interface = interface
        self.hardwareAddress = hardwareAddress
        self.hardwareType = hardwareType
        self.packetType = packetType
    }
}
