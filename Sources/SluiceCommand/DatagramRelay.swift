// SPDX-License-Identifier: Apache-2.0
//
// Standard input to a peer as datagrams, and the peer's datagrams to standard output.

import ArgumentParser
import Glibc
import Sluice

/// A connected datagram channel between the two standard streams.
final class DatagramRelay {
    private let channel: DatagramChannel
    private let reactor: Reactor
    private let wait: Duration
    private var input: Registration?
    /// Whether standard input is a file, which nothing watches.
    private var isFile = false
    private var nextRead: Timer?
    private var hasInputEnded = false
    private let output: OutputStream
    /// Whether output waits, and receiving with it.
    private var isOutputFull = false
    /// How long the wait for answers goes on; `nil` before the end of the input.
    private var waiting: Timer?
    /// Whether the peer has ever answered.
    private var isAnswered = false
    private var isOver = false
    /// Why a datagram was not sent, or did not arrive.
    private var failure: SocketError?
    private var buffer = [UInt8](repeating: 0, count: longestDatagram)

    /// No datagram of UDP over IPv4 has more bytes.
    ///
    /// Source: RFC 768, RFC 791.
    static let longestDatagram = 65_507

    /// - Parameter wait: how long to wait for answers after the end of standard input.
    init(of channel: DatagramChannel, on reactor: Reactor, waitingFor wait: Duration) {
        self.channel = channel
        self.reactor = reactor
        self.wait = wait
        output = OutputStream(STDOUT_FILENO, on: reactor)
    }

    /// Relays until standard input has ended and the time for answers has passed.
    ///
    /// - Throws: `ExitCode` where the peer is not there, or standard output fails.
    func run() throws {
        channel.onDatagram { [unowned self] _, bytes, _ in self.print(bytes) }
        channel.onError { [unowned self] _, error in self.hear(error) }
        channel.onDrained { [unowned self] _ in self.goOn() }
        output.onRoom = { [unowned self] in self.goOnPrinting() }
        startReadingInput()
        reactor.run(until: { isOver || failure != nil || output.failure != nil })
        input = nil
        channel.close()
        output.finish()
        try judge()
    }

    private func hear(_ error: DatagramError) {
        if !error.isPassing(afterAnswer: isAnswered) { fail(error.error) }
    }

    private func fail(_ error: SocketError) { failure = failure ?? error }

    private func judge() throws {
        if let failure = output.failure {
            // Whoever read our output has had enough.
            if failure == .brokenPipe { return }
            StandardStreams.complain("standard output: \(failure)")
            throw ExitCode.software
        }
        guard let failure else { return }
        StandardStreams.complain("\(failure)")
        throw ExitCode.unavailable
    }
}

extension DatagramError {
    /// Whether it says nothing of the datagrams to come.
    ///
    /// The kernel keeps to the packet size that a router has told; networks and hosts that can't be
    /// reached may be again, and where one has answered that is likely. Source: RFC 1122, 3.2.2.1.
    func isPassing(afterAnswer isAnswered: Bool) -> Bool {
        switch error.code {
        case .messageTooLong: origin != .call
        case .hostUnreachable, .networkUnreachable: isAnswered
        default: false
        }
    }
}

// MARK: - Standard output

extension DatagramRelay {
    private func print(_ bytes: RawSpan) {
        isAnswered = true
        if output.write(bytes) { return }
        isOutputFull = true
        channel.pauseReceiving()
    }

    private func goOnPrinting() {
        isOutputFull = false
        channel.resumeReceiving()
        // What has come meanwhile, and what it makes come, has its time from here.
        if waiting != nil { startWaiting() }
    }
}

// MARK: - Standard input

extension DatagramRelay {
    private func startReadingInput() {
        do throws(SocketError) {
            input = try reactor.watch(STDIN_FILENO, for: .readable) { [unowned self] _ in
                self.takeInput()
            }
        } catch {
            isFile = true
            goOn()
        }
    }

    /// The kernel takes datagrams again, or still does.
    private func goOn() {
        if hasInputEnded { return startWaiting() }
        guard isFile else {
            // A descriptor that the kernel watches already is not refused.
            try? input?.change(to: .readable)
            return
        }
        // A turn for each read, so that answers come between.
        if nextRead?.isPending == true { return }
        nextRead = reactor.after(.zero) { [unowned self] in self.takeInput() }
    }

    /// One read is one datagram.
    private func takeInput() {
        let count = Glibc.read(STDIN_FILENO, &buffer, buffer.count)
        if count < 0, errno == EINTR || errno == EAGAIN { return goOn() }
        // Where standard input can't be read, or is closed, it has ended.
        guard count > 0 else { return endInput() }
        do throws(SocketError) {
            if try channel.send(Array(buffer[..<count])) == .accepted {
                if isFile { goOn() }
            } else {
                // As in `goOn`, which is called when there is room.
                try? input?.change(to: [])
            }
        } catch {
            fail(error)
        }
    }

    private func endInput() {
        input = nil
        hasInputEnded = true
        channel.flush()
        // Else the channel says when all has gone.
        if channel.unsentByteCount == 0 { startWaiting() }
    }

    private func startWaiting() {
        waiting?.cancel()
        waiting = reactor.after(wait) { [unowned self] in
            // Where output waits, its room begins the wait again.
            if !self.isOutputFull { self.isOver = true }
        }
    }
}
