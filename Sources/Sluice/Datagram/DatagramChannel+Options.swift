// SPDX-License-Identifier: Apache-2.0
//
// The options of the socket under a datagram channel, and the multicast groups that it hears.

extension DatagramChannel {
    /// Reads an option of the socket underneath.
    ///
    /// - Throws: ``SocketError`` with operation `.getOption`; `.badDescriptor` once it is closed.
    public func get<Value>(_ option: SocketOption<Value>) throws(SocketError) -> Value {
        guard let value = try socket?.get(option) else {
            throw SocketError(.getOption, .badDescriptor)
        }
        return value
    }

    /// Reads an option of the socket underneath that can't be set.
    ///
    /// - Throws: ``SocketError`` with operation `.getOption`; `.badDescriptor` once it is closed.
    public func get<Value>(_ option: ReadOnlySocketOption<Value>) throws(SocketError) -> Value {
        guard let value = try socket?.get(option) else {
            throw SocketError(.getOption, .badDescriptor)
        }
        return value
    }

    /// Changes an option of the socket underneath.
    ///
    /// - Throws: ``SocketError`` with operation `.setOption`; `.badDescriptor` once it is closed.
    public func set<Value>(_ option: SocketOption<Value>, to value: Value) throws(SocketError) {
        guard socket != nil else { throw SocketError(.setOption, .badDescriptor) }
        try socket?.set(option, to: value)
    }

    /// Changes an option of the socket underneath that can't be read.
    ///
    /// - Throws: ``SocketError`` with operation `.setOption`; `.badDescriptor` once it is closed.
    public func set<Value>(
        _ option: WriteOnlySocketOption<Value>, to value: Value
    ) throws(SocketError) {
        guard socket != nil else { throw SocketError(.setOption, .badDescriptor) }
        try socket?.set(option, to: value)
    }

    /// Hears what is sent to a multicast group, as ``Socket/join(_:on:from:)``.
    ///
    /// - Throws: ``SocketError``, as there; `.badDescriptor` once it is closed.
    public func join(
        _ group: IPAddress, on interface: UInt32 = 0, from source: IPAddress? = nil
    ) throws(SocketError) {
        guard socket != nil else { throw SocketError(.setOption, .badDescriptor) }
        try socket?.join(group, on: interface, from: source)
    }

    /// Hears the group no more, as ``Socket/leave(_:on:from:)``.
    ///
    /// - Throws: ``SocketError``, as there; `.badDescriptor` once it is closed.
    public func leave(
        _ group: IPAddress, on interface: UInt32 = 0, from source: IPAddress? = nil
    ) throws(SocketError) {
        guard socket != nil else { throw SocketError(.setOption, .badDescriptor) }
        try socket?.leave(group, on: interface, from: source)
    }
}
