// SPDX-License-Identifier: Apache-2.0
//
// Sends data down a connection of its own, which it makes or waits for, and closes it.

/// Sends one source to a partner over a connection of its own.
///
/// A run connects, or waits for the first partner that comes, sends all, closes the writing side,
/// and then waits for the partner to close, or to have acknowledged everything by
/// ``TransferOptions/closeLimit``. The connection is closed when the run ends, and reset where it
/// fails, so that no partner takes a part for the whole. The reactor keeps a run alive, so nobody
/// need hold the transmitter; after its end it may start again.
///
/// Source: tcllib's transfer::transmitter(n).
public final class Transmitter {
    /// How it gets its connection, copies and ends.
    public let options: TransferOptions
    let run: TransferRun

    /// A transmitter whose connection, and channel if its source is one, are on `reactor`.
    ///
    /// `opening` says how connections become open channels, such as by TLS.
    public init(
        on reactor: Reactor, source: TransferSource, options: TransferOptions,
        opening: any ConnectorOpening = PlainOpening()
    ) {
        self.options = options
        run = TransferRun(on: reactor, .sending(source), options, opening)
    }

    /// Whether a run is under way.
    public var isBusy: Bool { run.isBusy }

    /// The port that a passive run waits at; `nil` while none waits.
    public var port: UInt16? { run.port }

    /// Begins a run.
    ///
    /// `completion` is called once, in a later turn, when the run is over; it may start another.
    /// After ``cancel()`` and after the reactor's end it is not called.
    ///
    /// - Parameters:
    ///   - progress: called as blocks go out.
    ///   - completion: called once, at the end.
    /// - Returns: the port that a passive one waits at, for the partner to be told; else `nil`.
    /// - Throws: ``TransferError``: `.busy` while a run is under way, which goes on; as
    ///   ``TransferSource/check()``; `.connecting` when this side can't even begin.
    @discardableResult
    public func start(
        progress: ((CopyCounts) -> Void)? = nil, _ completion: @escaping (TransferResult) -> Void
    ) throws(TransferError) -> UInt16? {
        try run.start(progress, completion)
    }

    /// Ends the run, wherever it is: the connection is reset, and nobody is told.
    ///
    /// Without a run it does nothing.
    public func cancel() { run.cancel() }

    /// Sends to a partner, or to the one that comes where `host` is empty, and forgets about it.
    ///
    /// What is sent is, for instance, `.file("/etc/hosts")`. `port` is the partner's, or the one to wait
    /// at: 0 for one that the kernel picks.
    ///
    /// - Returns: the transmitter under way, for its port and to be cancelled.
    /// - Throws: ``TransferError``, as ``start(progress:_:)``.
    @discardableResult
    public static func send(
        _ source: TransferSource, to host: String, port: UInt16, on reactor: Reactor,
        progress: ((CopyCounts) -> Void)? = nil, completion: ((TransferResult) -> Void)? = nil
    ) throws(TransferError) -> Transmitter {
        let options = TransferOptions(host: host, port: port)
        let transmitter = Transmitter(on: reactor, source: source, options: options)
        try transmitter.start(progress: progress) { completion?($0) }
        return transmitter
    }
}

/// Transmitters stay on their reactor's thread.
@available(*, unavailable)
extension Transmitter: Sendable {}
