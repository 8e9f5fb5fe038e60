// SPDX-License-Identifier: Apache-2.0
//
// What happens on reactors, as lines of swift-log.

public import Logging
public import Sluice

extension Reactor {
    /// Logs what happens on this reactor from now on.
    ///
    /// | what | level |
    /// | --- | --- |
    /// | a connection is accepted, made or closed; a name is resolved | debug |
    /// | a client is turned away | debug, and for each reason a notice now and then |
    /// | a connection ends by a limit of its own; a name is not found | notice |
    /// | a turn of the loop that took as long as `slowTurn` | warning |
    /// | what ``Sluice/Reactor/onError`` is told, which this replaces: a handler's error, a shortage | error |
    ///
    /// Facts stand in the metadata: `peer`, `reason`, `count`, `bytes-received`, `bytes-sent`,
    /// `age`, `name`, `duration`, `error`.
    ///
    /// The first client that is turned away for a reason is noticed at once, and further ones every
    /// five seconds at most, at a turn of the loop: `count` says how many there were since the
    /// notice before, and `peer` who came last.
    ///
    /// - Parameter slowTurn: initially 100 ms: for so long all else on the reactor has waited.
    public func log(to logger: Logger, slowTurn: Duration = .milliseconds(100)) {
        log(to: logger, slowTurn: slowTurn, quietTime: .seconds(5))
    }

    /// - Parameter quietTime: how far the notices of clients that are turned away are apart.
    func log(to logger: Logger, slowTurn: Duration, quietTime: Duration) {
        var refusals = RefusalNotices(quietTime: quietTime)
        observe { observation in
            switch observation {
            case .accepted(let channel):
                logger.debug("accepted", metadata: ["peer": "\(channel.peerAddress)"])
            case .connected(let channel):
                logger.debug("connected", metadata: ["peer": "\(channel.peerAddress)"])
            case .arrived(let channel):
                logger.debug("arrived", metadata: ["peer": "\(channel.peerAddress)"])
            case .refused(let peer, let reason):
                logger.debug(
                    "refused", metadata: ["peer": "\(peer)", "reason": "\(reason.rawValue)"])
                let now = SuspendingClock.now
                refusals.note(peer, reason, at: now)
                logger.tell(refusals.takeDue(at: now))
            case .closed(let channel, let reason):
                let level = reason.isOrdinary ? Logger.Level.debug : .notice
                logger.log(level: level, "closed", metadata: channel.facts(reason))
            case .turned(let turn):
                if refusals.untoldCount > 0 {
                    logger.tell(refusals.takeDue(at: SuspendingClock.now))
                }
                if turn.duration < slowTurn { return }
                logger.warning("a slow turn", metadata: ["duration": "\(turn.duration)"])
            case .resolved(let name, let duration, let error):
                var facts: Logger.Metadata = ["name": "\(name)", "duration": "\(duration)"]
                guard let error else { return logger.debug("resolved", metadata: facts) }
                facts["error"] = "\(error)"
                logger.notice("not resolved", metadata: facts)
            }
        }
        onError = { error, channel in
            var facts: Logger.Metadata = ["error": "\(error)"]
            if let channel { facts["peer"] = "\(channel.peerAddress)" }
            logger.error("failed", metadata: facts)
        }
    }
}

extension ReactorGroup {
    /// Logs what happens on all of its reactors, as ``Sluice/Reactor/log(to:slowTurn:)``, each with its
    /// number in the metadata as `reactor`.
    ///
    /// - Throws: ``Sluice/SocketError`` with operation `.perform` and `.cancelled` after the group has
    ///   ended.
    public func log(
        to logger: Logger, slowTurn: Duration = .milliseconds(100)
    ) throws(SocketError) {
        for (number, handle) in handles.enumerated() {
            var logger = logger
            logger[metadataKey: "reactor"] = "\(number)"
            try handle.perform { [logger] reactor in reactor.log(to: logger, slowTurn: slowTurn) }
        }
    }
}

extension Logger {
    fileprivate func tell(_ refusals: [RefusalNotices.Notice]) {
        for refusal in refusals {
            notice(
                "refused",
                metadata: [
                    "peer": "\(refusal.peer)", "reason": "\(refusal.reason.rawValue)",
                    "count": "\(refusal.count)",
                ])
        }
    }
}

extension EndReason {
    /// Whether it is nobody's concern.
    fileprivate var isOrdinary: Bool {
        switch self {
        case .local, .finished, .reset, .drained, .moved: true
        case .timedOut, .limit, .failed: false
        }
    }
}

extension Channel {
    fileprivate func facts(_ reason: EndReason) -> Logger.Metadata {
        [
            "peer": "\(peerAddress)", "reason": "\(reason)",
            "bytes-received": "\(counters.bytesReceived)", "bytes-sent": "\(counters.bytesSent)",
            "age": "\(age)",
        ]
    }
}
