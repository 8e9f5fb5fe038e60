// SPDX-License-Identifier: Apache-2.0
//
// One run of `sluice send` or `sluice receive`, from the connection to the report.
// What is moved, and how, is the transfer's affair.

import ArgumentParser
import Glibc
import Sluice
import SluiceReport

/// What moves the bytes over a channel.
protocol Transfer: AnyObject {
    /// Whether it is the partner's turn to send or to take something.
    var waitsForPartner: Bool { get }
    /// Begins; the session is told of every block, and of the end, also where that is a failure.
    func begin(on channel: Channel, in session: TransferSession)
    /// Counts what has gone out since the session was told.
    func updateFigures()
    /// Ends it wherever it is: the connection is reset, and the session is told nothing more.
    func cancel()
}

extension Transfer {
    func updateFigures() {}
}

/// Has a transfer's connection made, shows its progress and ends it on signals.
final class TransferSession {
    /// How a transfer ended.
    private enum Ending {
        case done(sha256: String)
        case failed(TransferRefusal)
        case interrupted
    }

    let reactor: Reactor
    /// How far it is; the transfer keeps it.
    var figures: TransferFigures
    private let arguments: TransferArguments
    /// Where the report goes: not between the bytes, where they go to standard output.
    private let report: CInt
    private var progress: TransferProgress?
    private var patience: PartnerPatience?
    private var ending: Ending?
    /// `nil` until there is a partner.
    private var peer: SocketAddress?
    private var start = ContinuousClock.now

    init(_ arguments: TransferArguments, _ figures: TransferFigures) throws {
        self.arguments = arguments
        self.figures = figures
        reactor = try Reactor()
        let isData = figures.direction == .receiving && figures.file == TransferFile.standardStream
        report = isData ? STDERR_FILENO : STDOUT_FILENO
        progress = TransferProgress(isWanted: arguments.progress)
    }

    /// Runs a transfer and prints the report.
    ///
    /// - Parameter make: makes the transfer; throws ``TransferRefusal`` where that can't be.
    /// - Throws: `ExitCode` for every end that is not well.
    func run(_ make: () throws -> any Transfer) throws {
        do {
            try run(make())
        } catch let refusal as TransferRefusal {
            ending = .failed(refusal)
        }
        try judge(after: .now - start)
    }

    private func run(_ transfer: any Transfer) throws {
        let interrupt = try reactor.onSignal(.interrupt) { [unowned self] in interrupted() }
        let terminate = try reactor.onSignal(.terminate) { [unowned self] in interrupted() }
        start = .now
        if let channel = try connected() { run(transfer, on: channel) }
        interrupt.end()
        terminate.end()
    }

    private func interrupted() { ending = ending ?? .interrupted }

    private func run(_ transfer: any Transfer, on channel: Channel) {
        peer = channel.peerAddress
        start = .now
        let ticking = progress.map { progress in
            reactor.every(progress.interval) { [unowned self] in
                transfer.updateFigures()
                self.progress?.show(figures, after: .now - start)
            }
        }
        let watching = watch(transfer, on: channel)
        transfer.begin(on: channel, in: self)
        reactor.run(until: { ending != nil })
        ticking?.cancel()
        watching?.cancel()
        progress?.erase()
        if case .done = ending { return }
        transfer.updateFigures()
        transfer.cancel()
    }

    /// Ends a transfer whose partner does nothing.
    private func watch(_ transfer: any Transfer, on channel: Channel) -> Timer? {
        patience = arguments.patience.map { PartnerPatience($0) }
        return patience.map { patience in
            reactor.every(patience.interval) { [unowned self] in
                let isOver = self.patience?.isOver(
                    channel, at: figures.position, isExpected: transfer.waitsForPartner)
                guard isOver == true else { return }
                let limit = DurationArgument.text(of: patience.limit)
                fail("\(channel.peerAddress): nothing has moved for \(limit)\(moved)")
            }
        }
    }

    private func judge(after time: Duration) throws {
        switch ending {
        case .done(let sha256):
            guard let peer else { return }
            let text =
                arguments.json
                ? figures.json(after: time, with: peer, .success(sha256)).description
                : figures.report(after: time, with: peer, sha256: sha256)
            StandardStreams.write(text + "\n", to: report)
        case .failed(let refusal): try complain(refusal, after: time)
        case .interrupted:
            if !arguments.json, let peer {
                StandardStreams.write(figures.summary(after: time, with: peer) + "\n", to: report)
            }
            let sentence = "interrupted\(moved)"
            try complain(TransferRefusal(sentence: sentence, code: .interrupted), after: time)
        case nil: throw ExitCode.software  // Nobody stops the reactor.
        }
    }

    private func complain(_ refusal: TransferRefusal, after time: Duration) throws {
        if arguments.json {
            let object = figures.json(after: time, with: peer, .failure(refusal))
            StandardStreams.write("\(object)\n", to: report)
        }
        StandardStreams.complain(refusal.sentence)
        throw refusal.code
    }

    /// What the sentences of failures end with; nothing where nobody has come.
    private var moved: String {
        if peer == nil { return "" }
        if figures.direction == .receiving, figures.file != TransferFile.standardStream {
            let size = TransferFile.size(of: figures.file)
            return size.map { "; \(figures.file) has \(NumberText.grouped($0)) bytes" } ?? ""
        }
        let count = " after \(NumberText.grouped(figures.moved)) bytes"
        if figures.dropped == 0 { return count }
        let dropped = NumberText.grouped(figures.dropped)
        return "\(count); standard output has not taken \(dropped) more"
    }
}

// MARK: - What transfers tell

extension TransferSession {
    /// All is over, and well if as much has come as was to.
    func finish(sha256: String) {
        if let size = figures.size, figures.position != size {
            return failMoving(.cutShort(promised: size, came: figures.position))
        }
        ending = ending ?? .done(sha256: sha256)
    }

    /// It can't go on.
    func fail(_ sentence: String, _ code: ExitCode = .software) {
        ending = ending ?? .failed(TransferRefusal(sentence: sentence, code: code))
    }

    /// The channel has closed before its time.
    func fail(_ operation: SocketError.Operation, on channel: Channel, because reason: EndReason) {
        switch reason {
        case .failed(let error): fail("\(error)\(moved)")
        case .reset:
            let error = SocketError(operation, .connectionReset, at: channel.peerAddress)
            fail("\(error)\(moved)")
        default: fail("\(channel.peerAddress): \(reason)\(moved)")
        }
    }

    /// The connection or a file has failed while bytes were moved.
    func failMoving(_ error: TransferError) {
        // A file that fails before the first byte could not be opened at all.
        let isOpening = figures.moved == 0
        switch error {
        // What has come to be told of a file names the file itself.
        case .source(let error):
            fail(TransferFile.sentence(error), isOpening ? .noInput : .software)
        case .destination(let error):
            fail(TransferFile.sentence(error), isOpening ? .cannotCreate : .software)
        case .cutShort:
            let size = figures.size.map { " of \(NumberText.grouped($0))" } ?? ""
            let count = NumberText.grouped(figures.position)
            let isMore = figures.size.map { figures.position > $0 } == true
            let sentence = isMore ? "more than was to come" : "cut short"
            fail("\(figures.file): \(sentence): \(count)\(size) bytes have come")
        default: fail("\(error)\(moved)")
        }
    }
}

// MARK: - The connection

extension TransferSession {
    /// - Returns: an open channel; `nil` where a signal, or a failure, came first.
    private func connected() throws -> Channel? {
        let connector = Connector(on: reactor, options: try arguments.connectorOptions())
        var answer: Result<Channel, ConnectorError>?
        do throws(ConnectorError) {
            let port = try connector.connect { answer = $0 }
            if let port, let listen = arguments.listen {
                let place = SocketAddress.ip(listen.host, port: port)
                StandardStreams.write("listening on \(place)\n", to: report)
            }
        } catch {
            throw unavailable(error)
        }
        reactor.run(until: { answer != nil || ending != nil })
        connector.cancel()
        switch answer {
        case .success(let channel): return channel
        case .failure(let error): throw unavailable(error)
        case nil: return nil
        }
    }

    private func unavailable(_ error: ConnectorError) -> TransferRefusal {
        var sentence = "\(error)"
        if error.isTimeout, arguments.listen != nil, let limit = arguments.timeout {
            sentence = "nobody has connected within \(DurationArgument.text(of: limit.duration))"
        }
        return TransferRefusal(sentence: sentence, code: .unavailable)
    }
}
