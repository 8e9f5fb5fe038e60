// SPDX-License-Identifier: Apache-2.0
//
// The options of the socket under a channel, by their typed keys.

extension Channel {
    /// Reads an option of the socket underneath.
    ///
    /// - Throws: ``SocketError`` with operation `.getOption`; `.notConnected` where there is no
    ///   socket yet, `.badDescriptor` where there is none any more.
    public func get<Value>(_ option: SocketOption<Value>) throws(SocketError) -> Value {
        guard let value = try socket?.get(option) else {
            throw SocketError(.getOption, missingSocket, at: peerAddress)
        }
        return value
    }

    /// Changes an option of the socket underneath.
    ///
    /// - Throws: ``SocketError`` with operation `.setOption`; `.notConnected` where there is no
    ///   socket yet, `.badDescriptor` where there is none any more.
    public func set<Value>(_ option: SocketOption<Value>, to value: Value) throws(SocketError) {
        guard try socket?.set(option, to: value) != nil else {
            throw SocketError(.setOption, missingSocket, at: peerAddress)
        }
    }

    /// Reads an option of the socket underneath that can't be set.
    ///
    /// - Throws: ``SocketError`` with operation `.getOption`.
    public func get<Value>(_ option: ReadOnlySocketOption<Value>) throws(SocketError) -> Value {
        guard let value = try socket?.get(option) else {
            throw SocketError(.getOption, missingSocket, at: peerAddress)
        }
        return value
    }

    /// Changes an option of the socket underneath that can't be read.
    ///
    /// - Throws: ``SocketError`` with operation `.setOption`.
    public func set<Value>(
        _ option: WriteOnlySocketOption<Value>, to value: Value
    ) throws(SocketError) {
        guard try socket?.set(option, to: value) != nil else {
            throw SocketError(.setOption, missingSocket, at: peerAddress)
        }
    }

    /// Not there: the option can only be set.
    @available(*, unavailable, message: "this option can only be set")
    public func get<Value>(_ option: WriteOnlySocketOption<Value>) throws(SocketError) -> Value {
        throw SocketError(.getOption, .notSupported)
    }

    /// Not there: the option can only be read.
    @available(*, unavailable, message: "this option can only be read")
    public func set<Value>(
        _ option: ReadOnlySocketOption<Value>, to value: Value
    ) throws(SocketError) {
        throw SocketError(.setOption, .notSupported)
    }
}
