// SPDX-License-Identifier: Apache-2.0
//
// What happens on reactors, as the counters and timers of swift-metrics.

public import Metrics
public import Sluice

extension Reactor {
    /// Reports what happens on this reactor from now on to a metrics system.
    ///
    /// | label | what |
    /// | --- | --- |
    /// | `sluice.connections.open` | a meter: as ``Sluice/ReactorCounters/channelCount`` |
    /// | `sluice.connections.accepted`, `.connected`, `.arrived` | counters |
    /// | `sluice.connections.refused`, `.closed` | a counter for each `reason` |
    /// | `sluice.bytes.received`, `.sent` | counters |
    /// | `sluice.turn.duration` | a timer: how long all else on the reactor has waited |
    /// | `sluice.mailbox.depth` | a recorder: letters from other threads that a turn found |
    /// | `sluice.dns.duration` | a timer for each `outcome`, `answered` or `failed` |
    ///
    /// - Parameters:
    ///   - dimensions: what each of them carries besides, such as the reactor's number.
    ///   - interval: how often open connections and bytes are reported; initially 1 s. It takes a
    ///     look at each channel. What came after the last interval's end is not told.
    ///   - factory: initially the one of the process.
    public func reportMetrics(
        dimensions: [(String, String)] = [], every interval: Duration = .seconds(1),
        to factory: any MetricsFactory = MetricsSystem.factory
    ) {
        let metrics = ReactorMetrics(dimensions, factory)
        observe { metrics.note($0) }
        // The timer ends with the reactor, so it is there.
        every(interval) { [unowned self] in metrics.sample(counters) }
    }
}

extension ReactorGroup {
    /// Reports what happens on all of its reactors, as
    /// ``Sluice/Reactor/reportMetrics(dimensions:every:to:)``, with the number of each as the dimension
    /// `reactor`.
    ///
    /// - Throws: ``Sluice/SocketError`` with operation `.perform` and `.cancelled` after the group has
    ///   ended.
    public func reportMetrics(
        dimensions: [(String, String)] = [], every interval: Duration = .seconds(1),
        to factory: any MetricsFactory = MetricsSystem.factory
    ) throws(SocketError) {
        for (number, handle) in handles.enumerated() {
            try handle.perform { reactor in
                reactor.reportMetrics(
                    dimensions: dimensions + [("reactor", "\(number)")], every: interval,
                    to: factory)
            }
        }
    }
}

/// The instruments of one reactor.
private final class ReactorMetrics {
    private let dimensions: [(String, String)]
    private let factory: any MetricsFactory
    private let open: Meter
    private let accepted: Counter
    private let connected: Counter
    private let arrived: Counter
    private var refused: [String: Counter] = [:]
    private var closed: [String: Counter] = [:]
    private let received: Counter
    private let sent: Counter
    private let turn: Metrics.Timer
    private let mailbox: Recorder
    private let answered: Metrics.Timer
    private let failed: Metrics.Timer
    private var last = ReactorCounters()

    init(_ dimensions: [(String, String)], _ factory: any MetricsFactory) {
        func counter(_ label: String) -> Counter {
            Counter(label: label, dimensions: dimensions, factory: factory)
        }
        func timer(_ label: String, _ more: [(String, String)] = []) -> Metrics.Timer {
            Metrics.Timer(label: label, dimensions: dimensions + more, factory: factory)
        }
        self.dimensions = dimensions
        self.factory = factory
        open = Meter(label: "sluice.connections.open", dimensions: dimensions, factory: factory)
        accepted = counter("sluice.connections.accepted")
        connected = counter("sluice.connections.connected")
        arrived = counter("sluice.connections.arrived")
        received = counter("sluice.bytes.received")
        sent = counter("sluice.bytes.sent")
        turn = timer("sluice.turn.duration")
        mailbox = Recorder(label: "sluice.mailbox.depth", dimensions: dimensions, factory: factory)
        answered = timer("sluice.dns.duration", [("outcome", "answered")])
        failed = timer("sluice.dns.duration", [("outcome", "failed")])
    }

    func note(_ observation: Reactor.Observation) {
        switch observation {
        case .accepted: accepted.increment()
        case .connected: connected.increment()
        case .arrived: arrived.increment()
        case .refused(_, let reason):
            counter("sluice.connections.refused", of: reason.label, in: &refused).increment()
        case .closed(_, let reason):
            counter("sluice.connections.closed", of: reason.label, in: &closed).increment()
        case .turned(let length):
            turn.record(duration: length.duration)
            mailbox.record(length.letterCount)
        case .resolved(_, let duration, let error):
            (error == nil ? answered : failed).record(duration: duration)
        }
    }

    func sample(_ counters: ReactorCounters) {
        open.set(counters.channelCount)
        received.increment(by: Int64(clamping: counters.bytesReceived - last.bytesReceived))
        sent.increment(by: Int64(clamping: counters.bytesSent - last.bytesSent))
        last = counters
    }

    private func counter(
        _ label: String, of reason: String, in known: inout [String: Counter]
    ) -> Counter {
        if let counter = known[reason] { return counter }
        let counter = Counter(
            label: label, dimensions: dimensions + [("reason", reason)], factory: factory)
        known[reason] = counter
        return counter
    }
}

extension RefusalReason {
    /// Its name as labels are written.
    fileprivate var label: String {
        switch self {
        case .denied: "denied"
        case .connections: "connections"
        case .rate: "rate"
        case .addressConnections: "address_connections"
        case .addressRate: "address_rate"
        case .networkConnections: "network_connections"
        case .networkRate: "network_rate"
        case .sourceTable: "source_table"
        case .descriptors: "descriptors"
        }
    }
}

extension EndReason {
    /// One word of a small set: what failed in particular is the log's business.
    fileprivate var label: String {
        switch self {
        case .local: "local"
        case .finished: "finished"
        case .reset: "reset"
        case .timedOut(.idle): "timed_out_idle"
        case .timedOut(.linger): "timed_out_linger"
        case .timedOut(.firstByte): "timed_out_first_byte"
        case .timedOut(.message): "timed_out_message"
        case .timedOut(.writeProgress): "timed_out_write_progress"
        case .timedOut(.lifetime): "timed_out_lifetime"
        case .limit(.input): "limit_input"
        case .limit(.line): "limit_line"
        case .limit(.descriptors): "limit_descriptors"
        case .limit(.output): "limit_output"
        case .limit(.reactorBuffers): "limit_reactor_buffers"
        case .drained: "drained"
        case .moved: "moved"
        case .failed: "failed"
        }
    }
}
