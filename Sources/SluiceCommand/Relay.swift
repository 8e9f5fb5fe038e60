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
    /// Why text could not be sent or received.
    private var failure: ChannelError?
    /// Standard input as text; `nil` where bytes go untouched.
    private var typing: TextInput?
    private var untyped: [UInt8] = []
    private var buffer = [UInt8](repeating: 0, count: 65_536)

    /// - Parameter text: how text is written on the connection; people write UTF-8. `nil` leaves
    ///   the bytes alone.
    init(of channel: Channel, on reactor: Reactor, keepsOpen: Bool, as text: TextOptions?) {
        self.channel = channel
        self.reactor = reactor
        self.keepsOpen = keepsOpen
        output = OutputStream(STDOUT_FILENO, on: reactor)
        guard let text else { return }
        channel.options.text = text
        var local = TextOptions()
        local.inputTranslation = .lf
        local.errorPolicy = .replacing
        typing = TextInput(local)
    }

    /// Relays until the peer has ended.
    ///
    /// - Throws: `ExitCode` when the connection did not end in an orderly way.
    func run() throws {
        // What is sent and what comes have nothing to do with each other.
        channel.options.pausesReadingAboveMark = false
        if typing == nil {
            channel.onBytes { [unowned self] _, bytes in self.received(bytes) }
        } else {
            channel.onReadable { [unowned self] channel in self.receiveText(channel) }
        }
        channel.onClose { [unowned self] _, reason in self.ending = reason }
        output.onRoom = { [unowned self] in self.channel.resumeReading() }
        startReadingInput()
        reactor.run(until: { ending != nil || output.failure != nil || failure != nil })
        input = nil
        output.finish()
        try judge()
    }

    private func receiveText(_ channel: Channel) {
        do throws(ChannelError) {
            let text = try channel.read(characters: 65_536)
            received(text.utf8Span.span.bytes)
        } catch {
            return fail(error)
        }
        if channel.isAtEnd { channel.close() }
    }

    /// Ends everything: `run` tells why.
    private func fail(_ error: ChannelError) {
        failure = failure ?? error
        channel.abort()
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
        if let failure {
            StandardStreams.complain("\(failure)")
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
            if try send(buffer[..<count]) == .aboveMark { try input?.change(to: []) }
        } catch {
            // The channel tells why when it closes; there is nobody left to read for.
            input = nil
        }
    }

    private func send(_ bytes: ArraySlice<UInt8>) throws(SocketError) -> WriteResult {
        guard typing != nil else { return try channel.write(Array(bytes)) }
        untyped += bytes
        do throws(ChannelError) {
            return try channel.write(takeText(isLast: false))
        } catch {
            if case .socket(let error) = error { throw error }
            fail(error)
            return .accepted
        }
    }

    private func takeText(isLast: Bool) -> String {
        // What can't be decoded is replaced, so nothing is thrown.
        let piece = try? typing?.take(upTo: .max, from: untyped.span.bytes, isLast: isLast)
        untyped.removeFirst(piece?.byteCount ?? 0)
        return piece?.text ?? ""
    }

    private func endInput() {
        input = nil
        channel.onWritable(nil)
        if typing != nil { endText() }
        // Fails only on a channel that has ended by itself.
        if !keepsOpen { try? channel.closeWriting() }
    }

    /// Sends a replacement for a character that was cut off.
    private func endText() {
        do throws(ChannelError) {
            try channel.write(takeText(isLast: true))
        } catch {
            // A socket that fails ends its channel, which tells why.
            if case .socket = error { return }
            fail(error)
        }
    }
}
