// SPDX-License-Identifier: Apache-2.0
//
// Membership in multicast groups, for IPv4 and IPv6 alike. How far and whether back to this machine
// what is sent to one goes are options of the socket.

import CSystemCalls
import Glibc

extension Socket {
    /// Hears what is sent to a multicast group.
    ///
    /// A socket may be in up to 20 groups of IPv4 (`/proc/sys/net/ipv4/igmp_max_memberships`).
    /// Source: `MCAST_JOIN_GROUP`, `MCAST_JOIN_SOURCE_GROUP`, RFC 3678.
    ///
    /// - Parameters:
    ///   - group: the group's address.
    ///   - interface: the index of the interface to hear it on; 0 lets the kernel choose.
    ///   - source: hears only what this address sends; `nil` hears anybody.
    /// - Throws: ``SocketError`` with operation `.setOption`, naming the group: `.invalidArgument`
    ///   for an address that is no group, `.addressInUse` for a group that it is in,
    ///   `.noSuchDevice` for an interface that there is not, `.noBufferSpace` for one group more
    ///   than it may be in, `.noProtocolOption` for a group of the other family.
    public func join(
        _ group: IPAddress, on interface: UInt32 = 0, from source: IPAddress? = nil
    ) throws(SocketError) {
        try change(
            group, interface, source, source == nil ? MCAST_JOIN_GROUP : MCAST_JOIN_SOURCE_GROUP)
    }

    /// Hears the group no more.
    ///
    /// - Throws: ``SocketError`` with operation `.setOption`, naming the group:
    ///   `.addressNotAvailable` for a group or source that it does not hear.
    public func leave(
        _ group: IPAddress, on interface: UInt32 = 0, from source: IPAddress? = nil
    ) throws(SocketError) {
        try change(
            group, interface, source, source == nil ? MCAST_LEAVE_GROUP : MCAST_LEAVE_SOURCE_GROUP)
    }

    /// Hears no more what one source sends to a group that the socket hears from anybody.
    ///
    /// Source: `MCAST_BLOCK_SOURCE`, RFC 3678.
    ///
    /// - Throws: ``SocketError`` with operation `.setOption`, naming the group: `.invalidArgument`
    ///   for a group that the socket is not in.
    public func block(
        _ source: IPAddress, in group: IPAddress, on interface: UInt32 = 0
    ) throws(SocketError) {
        try change(group, interface, source, MCAST_BLOCK_SOURCE)
    }

    /// Hears a source again after ``block(_:in:on:)``.
    ///
    /// - Throws: ``SocketError`` with operation `.setOption`, naming the group:
    ///   `.addressNotAvailable` for a source that is not blocked.
    public func unblock(
        _ source: IPAddress, in group: IPAddress, on interface: UInt32 = 0
    ) throws(SocketError) {
        try change(group, interface, source, MCAST_UNBLOCK_SOURCE)
    }

    private func change(
        _ group: IPAddress, _ interface: UInt32, _ source: IPAddress?, _ name: CInt
    ) throws(SocketError) {
        let place = SocketAddress.ip(group, port: 0)
        let form = try kernelForm(of: place, for: .setOption)
        guard let source else {
            var request = group_req()
            request.gr_interface = interface
            request.gr_group = form.storage
            return try setMembership(&request, group, name)
        }
        if source.isIPv6 != group.isIPv6 {
            throw SocketError(.setOption, .invalidArgument, at: place)
        }
        var request = group_source_req()
        request.gsr_interface = interface
        request.gsr_group = form.storage
        request.gsr_source = try kernelForm(of: .ip(source, port: 0), for: .setOption).storage
        try setMembership(&request, group, name)
    }

    private func setMembership<Request>(
        _ request: inout Request, _ group: IPAddress, _ name: CInt
    ) throws(SocketError) {
        let level = CInt(group.isIPv6 ? IPPROTO_IPV6 : IPPROTO_IP)
        let size = socklen_t(MemoryLayout<Request>.size)
        let number = number
        _ = try retrying(.setOption, at: .ip(group, port: 0)) {
            SystemCall.setOption.made {
                withUnsafeBytes(of: &request) {
                    setsockopt(number, level, name, $0.baseAddress, size)
                }
            }
        }
    }
}
