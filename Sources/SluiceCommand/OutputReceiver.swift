// SPDX-License-Identifier: Apache-2.0
//
// Receives into standard output.

import Glibc
import Sluice

/// Writes what comes to standard output, as fast as whoever reads that takes it.
final class OutputReceiver: Transfer {
    private unowned let session: TransferSession
    private let output: OutputStream
    private var channel: Channel?
    private var digest: Digest
    /// All has come; some of it may wait for standard output.
    private var hasCome = false

    init(in session: TransferSession) throws(ErrorCode) {
        self.session = session
        output = OutputStream(STDOUT_FILENO, on: session.reactor)
        digest = try Digest()
    }

    func begin(on channel: Channel, in session: TransferSession) {
        self.channel = channel
        channel.onBytes { [unowned self] channel, bytes in
            bytes.withUnsafeBytes { digest.add($0) }
            session.figures.moved += bytes.byteCount
            if !output.write(bytes) { channel.pauseReading() }
            checkOutput()
        }
        output.onRoom = { [unowned self] in
            if hasCome { return finish() }
            self.channel?.resumeReading()
            checkOutput()
        }
        channel.onClose { [unowned self] channel, reason in closed(channel, reason) }
    }

    /// Whoever reads standard output may take as long as they like.
    var waitsForPartner: Bool { !hasCome && output.waitingByteCount == 0 }

    func cancel() {
        channel?.abort()
        // What has come is told of, so it is written, too; but nobody is waited for.
        let dropped = output.drop()
        session.figures.moved -= dropped
        session.figures.dropped = dropped
    }

    private func checkOutput() {
        if let failure = output.failure { session.fail("standard output: \(failure)") }
    }

    private func closed(_ channel: Channel, _ reason: EndReason) {
        guard reason == .finished else {
            return session.fail(.read, on: channel, because: reason)
        }
        hasCome = true
        if output.waitingByteCount == 0 { finish() }
    }

    private func finish() {
        checkOutput()
        do throws(ErrorCode) {
            session.finish(sha256: try digest.text())
        } catch {
            session.fail("\(error)")
        }
    }
}
