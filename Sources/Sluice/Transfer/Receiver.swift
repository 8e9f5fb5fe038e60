// SPDX-License-Identifier: Apache-2.0
//
// Takes data from a connection of its own, which it makes or waits for, and closes it.

/// Fills one destination from a partner over a connection of its own.
///
/// A run connects or waits for the partner and takes what comes, up to the partner's end or the
/// size that was promised; then the connection is closed. The reactor keeps a run alive, so nobody
/// need hold the receiver; after its end it may start again.
///
/// Source: tcllib's transfer::receiver(n).
public final class Receiver {
    /// How it gets its connection, copies and ends.
    public let options: TransferOptions
    let run: TransferRun

    /// A receiver whose connection, and channel if its destination is one, are on `reactor`.
    ///
    /// `opening` says how connections become open channels, such as by TLS.
    public init(
        on reactor: Reactor, destination: TransferDestination, options: TransferOptions,
        opening: any ConnectorOpening = PlainOpening()
    ) {
        self.options = options
        run = TransferRun(on: reactor, .receiving(destination), options, opening)
    }

    /// Whether a run is under way.
    public var isBusy: Bool { run.isBusy }

    /// The port that a passive run waits at; `nil` while none waits.
    public var port: UInt16? { run.port }

    /// Begins a run.
    ///
    /// `completion` is called once, in a later turn, when the run is over and all is where it was
    /// to go; it may start another. After ``cancel()`` and after the reactor's end it is not
    /// called.
    ///
    /// - Parameters:
    ///   - progress: called after each block.
    ///   - completion: called once, at the end.
    /// - Returns: the port that a passive one waits at, for the partner to be told; else `nil`.
    /// - Throws: ``TransferError``: `.busy` while a run is under way, which goes on; as
    ///   ``TransferDestination/check()``; `.connecting` when this side can't even begin.
    @discardableResult
    public func start(
        progress: ((CopyCounts) -> Void)? = nil, _ completion: @escaping (TransferResult) -> Void
    ) throws(TransferError) -> UInt16? {
        try run.start(progress, completion)
    }

    /// Ends the run, wherever it is: the connection is reset, and nobody is told.
    ///
    /// What a file has got stays in it. Without a run it does nothing.
    public func cancel() { run.cancel() }

    /// Receives from a partner, or from the one that comes where `host` is empty, and forgets about
    /// it.
    ///
    /// It goes to, for instance, `.file("/tmp/hosts")`. `port` is the partner's, or the one to wait at:
    /// 0 for one that the kernel picks.
    ///
    /// - Returns: the receiver under way, for its port and to be cancelled.
    /// - Throws: ``TransferError``, as ``start(progress:_:)``.
    @discardableResult
    public static func receive(
        into destination: TransferDestination, from host: String, port: UInt16,
        on reactor: Reactor, progress: ((CopyCounts) -> Void)? = nil,
        completion: ((TransferResult) -> Void)? = nil
    ) throws(TransferError) -> Receiver {
        let options = TransferOptions(host: host, port: port)
        let receiver = Receiver(on: reactor, destination: destination, options: options)
        try receiver.start(progress: progress) { completion?($0) }
        return receiver
    }
}

/// Receivers stay on their reactor's thread.
@available(*, unavailable)
extension Receiver: Sendable {}
