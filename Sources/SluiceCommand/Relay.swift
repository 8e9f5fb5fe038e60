// SPDX-License-Identifier: Apache-2.0
//
// Standard input to a channel and the channel to standard output, each as fast as its slower side.

import ArgumentParser
import Glibc
import Sluice

/// A channel between the two standard streams.
final class Relay {
    private let channel: Channel
    private let reactor: Reactor
    private let keepsOpen: Bool
    private var input: Registration?
    private let output: OutputStream
    private var ending: EndReason?
    private var buffer = [UInt8](repeating: 0, count: 65_536)

    init(of channel: Channel, on reactor: Reactor, keepsOpen: Bool) {
        self.channel = channel
        self.reactor = reactor
        self.keepsOpen = keepsOpen
        output = OutputStream(STDOUT_FILENO, on: reactor)
    }

    /// Relays until the peer has ended.
    ///
    /// - Throws: `ExitCode` when the connection did not end in an orderly way.
    func run() throws {
        // What is sent and what comes have nothing to do with each other.
        channel.options.pausesReadingAboveMark = false
        channel.onBytes { [unowned self] _, bytes in self.received(bytes) }
        channel.onClose { [unowned self] _, reason in self.ending = reason }
        output.onRoom = { [unowned self] in self.channel.resumeReading() }
        startReadingInput()
        reactor.run(until: { ending != nil || output.failure != nil })
        input = nil
        output.finish()
        try judge()
    }

    private func received(_ bytes: RawSpan) {
        if !output.write(bytes) { channel.pauseReading() }
    }

    private func judge() throws {
        if let failure = output.failure {
            // Whoever read our output has had enough.
            if failure == .brokenPipe { return }
            StandardStreams.complain("standard output: \(failure)")
            throw ExitCode.software
        }
        switch ending {
        case .reset:
            StandardStreams.complain("read \(channel.peerAddress): \(ErrorCode.connectionReset)")
        case .failed(let error): StandardStreams.complain("\(error)")
        default: return
        }
        throw ExitCode.software
    }
}

// MARK: - Standard input

extension Relay {
    private func startReadingInput() {
        do throws(SocketError) {
            input = try reactor.watch(STDIN_FILENO, for: .readable) { [unowned self] _ in
                self.takeInput()
            }
            channel.onDrained { [unowned self] _ in try self.input?.change(to: .readable) }
        } catch {
            // A file is always readable, so nothing watches it: the channel asks for its next part.
            channel.onWritable { [unowned self] _ in self.takeInput() }
        }
    }

    private func takeInput() {
        let count = Glibc.read(STDIN_FILENO, &buffer, buffer.count)
        if count < 0, errno == EINTR || errno == EAGAIN { return }
        // Where standard input can't be read, or is closed, it has ended.
        guard count > 0 else { return endInput() }
        do throws(SocketError) {
            let result = try channel.write(Array(buffer[..<count]))
            if result == .aboveMark { try input?.change(to: []) }
        } catch {
            // The channel tells why when it closes; there is nobody left to read for.
            input = nil
        }
    }

    private func endInput() {
        input = nil
        channel.onWritable(nil)
        // Fails only on a channel that has ended by itself.
        if !keepsOpen { try? channel.closeWriting() }
    }
}
