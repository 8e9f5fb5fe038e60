// SPDX-License-Identifier: Apache-2.0
//
// Sends standard input, whatever that is: a pipe, a terminal or a file.

import Glibc
import Sluice

/// Sends what it reads from standard input, up to its end.
final class InputSender: Transfer {
    private unowned let session: TransferSession
    private var channel: Channel?
    private var input: Registration?
    private var digest: Digest
    private var buffer = [UInt8](repeating: 0, count: 65_536)
    /// How many bytes were read; some of them may wait in the channel.
    private var readByteCount = 0
    private var isFinishing = false
    /// It is a file: nothing is waited for but the partner.
    private var isAlwaysReadable = false

    /// How long a partner may take nothing of what it was sent last.
    private static let standstill = Duration.seconds(30)

    init(in session: TransferSession) throws(ErrorCode) {
        self.session = session
        digest = try Digest()
    }

    func begin(on channel: Channel, in session: TransferSession) {
        self.channel = channel
        // What the partner says is nobody's, and must not hold its end up.
        channel.ignoreInput()
        channel.onClose { [unowned self] channel, reason in
            updateFigures()
            session.fail(.write, on: channel, because: reason)
        }
        do throws(SocketError) {
            input = try session.reactor.watch(STDIN_FILENO, for: .readable) { [unowned self] _ in
                takeInput()
            }
            channel.onDrained { [unowned self] _ in try input?.change(to: .readable) }
        } catch {
            // A file is always readable, so nothing watches it: the channel asks for its next part.
            isAlwaysReadable = true
            channel.onWritable { [unowned self] _ in takeInput() }
        }
    }

    /// Whoever types may take as long as they like; the end has a limit of its own.
    var waitsForPartner: Bool {
        !isFinishing && (isAlwaysReadable || (channel?.unsentByteCount ?? 0) > 0)
    }

    func updateFigures() { session.figures.moved = readByteCount - (channel?.unsentByteCount ?? 0) }

    func cancel() {
        input = nil
        channel?.abort()
    }

    private func takeInput() {
        let count = read(STDIN_FILENO, &buffer, buffer.count)
        if count < 0, errno == EINTR || errno == EAGAIN { return }
        if count < 0 { return session.fail("standard input: \(ErrorCode(rawValue: errno))") }
        if count == 0 { return endInput() }
        buffer.withUnsafeBytes { digest.add(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
        do throws(SocketError) {
            if try channel?.write(Array(buffer[..<count])) == .aboveMark {
                try input?.change(to: [])
            }
            readByteCount += count
        } catch {
            session.fail("\(error)")
        }
    }

    /// All is read; the partner is to have taken all of it.
    private func endInput() {
        input = nil
        isFinishing = true
        channel?.onWritable(nil)
        channel?.finishSending(within: Self.standstill) { [unowned self] error in
            if let error { return session.fail("\(error)") }
            session.figures.moved = readByteCount
            finish()
        }
    }

    private func finish() {
        do throws(ErrorCode) {
            session.finish(sha256: try digest.text())
        } catch {
            session.fail("\(error)")
        }
    }
}
