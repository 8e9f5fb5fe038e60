// SPDX-License-Identifier: Apache-2.0
//
// Serving to the end in one call: signals begin the drain, and the result says how it went.

extension Reactor {
    /// Handles events until a signal comes, then drains `servers`, and returns when all of their
    /// connections have ended.
    ///
    /// The first of `signals` has the servers listen no more and tell their channels
    /// (``Channel/onDraining(_:)``). What is left after `limit` is closed; what that had to send
    /// still goes out within ``ChannelOptions/lingerLimit``. A second signal cuts off what is left.
    /// When this returns the signals do again what they did before, so that the program ends with
    /// ``DrainResult/exitStatus``.
    ///
    /// ``stop()`` ends the call as it ends ``run()``: before a signal nothing is drained, and in a
    /// drain what is still open is left, and counted.
    ///
    /// - Parameters:
    ///   - servers: servers of this reactor.
    ///   - signals: what has them drain; each is watched as by ``onSignal(_:_:)``.
    ///   - limit: how long connections have to end by themselves.
    /// - Throws: ``SocketError`` with operation `.watch`, as ``onSignal(_:_:)``; nothing was served
    ///   then.
    @available(
        *, noasync, message: "it blocks the thread: 'ServerGroup' serves in tasks"
    )
    public func serve(
        _ servers: [Server], drainingOn signals: [Signal] = [.interrupt, .terminate],
        within limit: Duration = .seconds(5)
    ) throws(SocketError) -> DrainResult {
        var isDraining = false
        var isInterrupted = false
        var result: DrainResult?
        var watches: [SignalAction] = []
        defer { for watch in watches { watch.end() } }
        for signal in Set(signals) {
            watches.append(
                try watch(signal) { [unowned self] in
                    if isDraining {
                        isInterrupted = true
                        for server in servers { server.cutOffChannels() }
                    } else {
                        isDraining = true
                        drain(servers, within: limit) { result = $0 }
                    }
                })
        }
        run(until: { result != nil })
        let openCount = isDraining ? servers.reduce(0) { $0 + $1.connectionCount } : 0
        return DrainResult(
            closedCount: result?.closedCount ?? openCount, isInterrupted: isInterrupted)
    }

    /// Drains several servers of this reactor at once, each as by ``Server/drain(within:_:)``.
    ///
    /// `completion` is called once, in a later turn, when the last connection of all of them has
    /// ended.
    public func drain(
        _ servers: [Server], within limit: Duration,
        _ completion: @escaping (DrainResult) -> Void
    ) {
        var closedCount = 0
        var left = servers.count
        let finish = {
            completion(DrainResult(closedCount: closedCount, isInterrupted: false))
        }
        if servers.isEmpty { after(.zero) { finish() } }
        for server in servers {
            server.drain(within: limit) { count in
                closedCount += count
                left -= 1
                if left == 0 { finish() }
            }
        }
    }
}
