// SPDX-License-Identifier: Apache-2.0
//
// One `sluice load` from its first sample to its report and exit status.

import ArgumentParser
import Sluice
import SluiceLoad
import SluiceReport

/// Conducts a load: samples the server between the phases, shows progress, ends on signals.
final class LoadSession {
    private let options: LoadOptions
    private let reactor: Reactor
    private let engine: any LoadEngine
    private let observer: ProcessObserver?
    private var samples = ServerSamples()
    private var progress: LoadProgress?
    private var isInterrupted = false

    /// A server that has just taken its last connection is given this long to come to rest before
    /// its memory is read.
    private static let rest = Duration.milliseconds(200)

    init(_ options: LoadOptions, on reactor: Reactor, engine: any LoadEngine) {
        self.options = options
        self.reactor = reactor
        self.engine = engine
        observer = options.observe.map { ProcessObserver(processID: $0) }
        guard options.progress ?? LoadProgress.isWanted else { return }
        let usesDatagrams = options.target.usesDatagrams
        progress = LoadProgress(counting: usesDatagrams ? "sockets" : "connections")
    }

    /// Runs the load and prints its report.
    ///
    /// - Throws: `ExitCode` for every end that is not well.
    func run() throws {
        let interrupt = try reactor.onSignal(.interrupt) { self.interrupt() }
        let terminate = try reactor.onSignal(.terminate) { self.interrupt() }
        let ticking = reactor.every(.seconds(1)) { self.progress?.show(self.engine.result) }
        samples.memoryBefore = observer?.residentByteCount
        samples.timeAtStart = observer?.processorTime
        engine.onPhase = { self.entered($0) }
        engine.connect()
        engine.run()
        engine.onPhase = { _ in }
        ticking.cancel()
        if !options.churn { samples.memoryAfter = observer?.residentByteCount }
        engine.close()
        interrupt.end()
        terminate.end()
        progress?.erase()
        try report()
    }

    private func interrupt() {
        isInterrupted = true
        engine.stop()
    }

    private func entered(_ phase: LoadRun.Phase) {
        switch phase {
        case .ready: becameReady()
        case .measuring:
            progress?.measuringBegins()
            samples.timeBefore = observer?.processorTime
        case .settling: samples.timeAfter = observer?.processorTime
        case .idle, .connecting, .warmingUp, .ended: break
        }
    }

    private func becameReady() {
        guard let observer else { return engine.begin() }
        reactor.after(Self.rest) {
            if !self.options.churn {
                self.samples.memoryIdle = observer.residentByteCount
                self.samples.timeIdle = observer.processorTime
            }
            self.engine.begin()
        }
    }
}

// MARK: - The end

extension LoadSession {
    private func report() throws {
        let result = engine.result
        if isNobodyThere(result), !isInterrupted, engine.fault == nil {
            StandardStreams.complain(result.connectFailure ?? "no connection could be made")
            throw ExitCode.unavailable
        }
        let report = LoadReport(
            workload: options.workload, result: result,
            cost: observer == nil ? nil : samples.cost(of: result))
        StandardStreams.say(options.json ? report.json.description : report.text)
        try judge(result)
    }

    /// Whether nothing could be opened or, by datagrams, every socket was refused before it had an
    /// answer.
    private func isNobodyThere(_ result: LoadResult) -> Bool {
        result.connectionCount == 0 || (options.target.usesDatagrams && result.isCutShort)
    }

    private func judge(_ result: LoadResult) throws {
        if let fault = engine.fault {
            StandardStreams.complain(fault)
            throw ExitCode.software
        }
        if isInterrupted { throw ExitCode.interrupted }
        if result.isCutShort {
            StandardStreams.complain("every connection was lost")
            throw ExitCode.unavailable
        }
        if result.requestCount == 0, options.workload.expectsAnswers {
            StandardStreams.complain("no request was answered")
            throw ExitCode.unavailable
        }
        let missed = options.thresholds.missed(by: result)
        for sentence in missed { StandardStreams.complain(sentence) }
        if !missed.isEmpty { throw ExitCode.missed }
    }
}
