// SPDX-License-Identifier: Apache-2.0
//
// How data is copied, and how a transmitter or a receiver gets its connection and ends it.

/// How data is copied to a channel.
public struct CopyOptions: Hashable, Sendable {
    /// How much is moved at a time: bytes, or characters of text that is translated.
    ///
    /// 1 to 65,536, of characters to 16,384: what is beyond is brought to the nearer end.
    /// Initially 65,536.
    public var blockSize = 65_536
    /// What of the text settings of a channel that is read is set while the copy goes on.
    ///
    /// They are as before when it is over, however it ends. Initially nothing.
    public var sourceText = TextSettings()
    /// What of the text settings of the channel that is written to is set while the copy goes on.
    ///
    /// They are as before when it is over, however it ends. Initially nothing.
    public var destinationText = TextSettings()

    /// The initial values.
    public init() {}

    /// Bytes pass as they are, whatever the channels are set to.
    public static var binary: CopyOptions {
        var options = CopyOptions()
        options.sourceText = .binary
        options.destinationText = .binary
        return options
    }
}

/// How a ``Transmitter`` or a ``Receiver`` gets its connection, copies and ends.
public struct TransferOptions: Hashable, Sendable {
    /// How the connection is had: whether it is made or waited for, where, within which time, and
    /// what its channel is like.
    ///
    /// ``ChannelOptions/idleTimeout`` of its channel ends a run in which nothing moves. Its text is
    /// binary to begin with: ``ConnectorOptions/text`` has ``TextSettings/isBinary`` on.
    public var connector: ConnectorOptions
    /// How much is moved at a time, as ``CopyOptions/blockSize``.
    ///
    /// Initially 65,536.
    public var blockSize = 65_536
    /// What of the text settings is set, while the run goes on, on a channel that is the source or
    /// the destination.
    ///
    /// Initially ``TextSettings/binary``.
    public var channelText = TextSettings.binary
    /// How long a transmitter that has sent all waits for a peer that acknowledges nothing more
    /// and does not close.
    ///
    /// One that has acknowledged all by then is as good as one that has closed. Initially 30 s.
    public var closeLimit = Duration.seconds(30)

    /// The initial values, with a way to the connection.
    public init(_ connector: ConnectorOptions) {
        self.connector = connector
        self.connector.text.isBinary = true
    }

    /// The initial values; connects to `host`, or waits for the partner where that is empty.
    ///
    /// `port` is the partner's, or the one to wait at: 0 for one that the kernel picks.
    public init(host: String, port: UInt16) {
        self.init(ConnectorOptions(host.isEmpty ? .passive : .active, host: host, port: port))
    }
}
