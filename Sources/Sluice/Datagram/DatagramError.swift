// SPDX-License-Identifier: Apache-2.0
//
// What the network has answered to a datagram that did not arrive.

import CSystemCalls
import Glibc

/// What became of a datagram: an error of this side, or what the network has answered.
public struct DatagramError: Error, Hashable, Sendable {
    /// Who says so.
    public enum Origin: Hashable, Sendable {
        /// A call of this program's, or the kernel without saying more.
        case call
        /// This machine, such as by its routes.
        case local
        /// A message of ICMP.
        case icmp
        /// A message of ICMPv6.
        case icmp6
        /// Anything newer, by its number.
        case other(UInt8)
    }

    /// What was asked and the answer, such as `.connectionRefused` for a port where nobody listens;
    /// with the address that the datagram went to, where it is known.
    public let error: SocketError
    /// The answer: that of ``error``.
    public var code: ErrorCode { error.code }
    /// Who says so.
    public let origin: Origin
    /// The machine that says so, such as a router; `nil` where it is not known.
    public let offender: SocketAddress?
    /// The type of the ICMP message; 0 without one.
    public let icmpType: UInt8
    /// The code of the ICMP message; 0 without one.
    public let icmpCode: UInt8
    /// How long a packet may be on its way there, for `.messageTooLong`; `nil` else.
    public let pathByteCount: Int?

    init(_ error: SocketError) {
        self.error = error
        origin = .call
        offender = nil
        icmpType = 0
        icmpCode = 0
        pathByteCount = nil
    }

    /// An error of a call, with what the kernel's own entry says of it.
    init(_ error: SocketError, like entry: DatagramError?) {
        self.error = error
        origin = entry?.origin ?? .call
        offender = entry?.offender
        icmpType = entry?.icmpType ?? 0
        icmpCode = entry?.icmpCode ?? 0
        pathByteCount = entry?.pathByteCount
    }

    /// Reads an entry of the queue of errors.
    ///
    /// - Parameter destination: where the datagram went.
    package init?(_ item: AncillaryItem, destination: SocketAddress?) {
        let isError =
            (item.level == CInt(IPPROTO_IP) && item.type == IP_RECVERR)
            || (item.level == CInt(IPPROTO_IPV6) && item.type == IPV6_RECVERR)
        let size = MemoryLayout<sock_extended_err>.size
        guard isError, item.data.count >= size else { return nil }
        // Plain bytes, in a structure that Swift does not know to be such.
        var entry = sock_extended_err()
        withUnsafeMutableBytes(of: &entry) { $0.copyBytes(from: item.data.prefix(size)) }
        let number = ErrorCode(rawValue: CInt(truncatingIfNeeded: entry.ee_errno))
        error = SocketError(.write, number, at: destination)
        origin =
            switch CInt(entry.ee_origin) {
            case SO_EE_ORIGIN_LOCAL: .local
            case SO_EE_ORIGIN_ICMP: .icmp
            case SO_EE_ORIGIN_ICMP6: .icmp6
            default: .other(entry.ee_origin)
            }
        icmpType = entry.ee_type
        icmpCode = entry.ee_code
        pathByteCount = number == .messageTooLong ? Int(entry.ee_info) : nil
        let address = item.data.withUnsafeBytes { bytes in
            SocketAddress.read(
                UnsafeRawBufferPointer(rebasing: bytes.dropFirst(size)))
        }
        offender = address.ipAddress == nil ? nil : address.unmapped
    }
}

extension DatagramError: CustomStringConvertible {
    /// One sentence, such as `write 127.0.0.1:9: Connection refused (icmp from 127.0.0.1)`.
    public var description: String {
        guard origin != .call else { return error.description }
        let place = offender?.ipAddress.map { " from \($0)" } ?? ""
        return "\(error) (\(origin)\(place))"
    }
}
