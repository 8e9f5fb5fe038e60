// SPDX-License-Identifier: Apache-2.0
//
// What an option of a socket is before and after it is set.

public import Sluice

extension Socket {
    /// What an option is at first, and then after each value that it is set to.
    public func readings<Value>(
        of option: SocketOption<Value>, setTo values: [Value]
    ) throws(SocketError) -> [Value] {
        var readings = [try get(option)]
        for value in values {
            try set(option, to: value)
            readings.append(try get(option))
        }
        return readings
    }

    /// What an option is after it is set; `nil` where this process may not set it, or the kernel
    /// does not have it.
    public func reading<Value>(
        of option: SocketOption<Value>, setTo value: Value
    ) throws(SocketError) -> Value? {
        do throws(SocketError) {
            try set(option, to: value)
        } catch {
            guard error.isRefusal else { throw error }
            return nil
        }
        return try get(option)
    }

    /// Opens a socket of IPv4 or IPv6; `nil` where this process may not, or the kernel can't.
    public static func opened(
        family: AddressFamily, kind: SocketKind, protocol: SocketProtocol
    ) throws(SocketError) -> Socket? {
        do throws(SocketError) {
            return try Socket(family: family, kind: kind, protocol: `protocol`)
        } catch {
            guard error.isRefusal || error.code == .protocolNotSupported else { throw error }
            return nil
        }
    }
}

extension SocketError {
    /// Whether the process lacks a right, or the kernel the option: nobody's mistake.
    public var isRefusal: Bool {
        [.notPermitted, .permissionDenied, .noProtocolOption].contains(code)
    }
}
