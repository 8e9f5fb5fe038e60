// SPDX-License-Identifier: Apache-2.0
//
// Sends a file, or what the partner lacks of it.

import ArgumentParser
import Sluice
import SluiceReport

/// Sends a file, whole, from an offset on, or from where the partner's part of it ends.
final class FileSender: Transfer {
    private let path: String
    private let offset: Int
    private let resumes: Bool
    private let checksum: FileChecksum
    private var transmitter: Transmitter?
    /// The channel, as long as no transmitter has it.
    private var channel: Channel?
    private unowned let session: TransferSession
    private var patience: Timer?
    /// Tells the partner that its bytes are being compared.
    private var reading: Timer?

    /// How long a partner may take to say what it has.
    ///
    /// It has read its part of the file before it connects, or is connected to.
    private static let patience = Duration.seconds(10)

    /// - Throws: ``TransferRefusal`` for a file that can't be sent.
    init(_ path: String, from offset: Int, resumes: Bool, in session: TransferSession) throws {
        do throws(ChannelError) {
            checksum = try FileChecksum(of: path, from: offset)
        } catch {
            throw TransferRefusal(sentence: TransferFile.sentence(error), code: .noInput)
        }
        if offset > checksum.size {
            let sentence = "\(path): it has \(checksum.size) bytes, fewer than --offset"
            throw TransferRefusal(sentence: sentence, code: .noInput)
        }
        self.path = path
        self.offset = offset
        self.resumes = resumes
        self.session = session
    }

    func begin(on channel: Channel, in session: TransferSession) {
        session.figures.size = checksum.size
        guard resumes else { return send(on: channel, from: offset) }
        self.channel = channel
        patience = session.reactor.after(Self.patience) { [unowned self] in self.misunderstood() }
        channel.awaitResumeLine { [unowned self] line in
            patience?.cancel()
            if case .have(let byteCount, let sha256) = line {
                compare(byteCount, sha256)
            } else {
                misunderstood()
            }
        }
    }

    /// Nobody waits for the partner while the file is read, or all has been sent.
    var waitsForPartner: Bool { transmitter?.isBusy == true }

    func cancel() {
        reading?.cancel()
        transmitter?.cancel()
        channel?.abort()
    }

    private func misunderstood() {
        session.fail("the partner does not say what it has: it needs --resume, too", .mismatch)
    }
}

// MARK: - What the partner has

extension FileSender {
    private func compare(_ byteCount: Int, _ sha256: String) {
        guard byteCount <= checksum.size else {
            let count = NumberText.grouped(byteCount)
            let sentence =
                "\(path): it has \(NumberText.grouped(checksum.size)) bytes, and the partner has "
                + "\(count) already"
            return refuse(.shorter(checksum.size), sentence)
        }
        reading = session.reactor.every(.seconds(1)) { [unowned self] in
            // A channel that fails tells so when the real line is written.
            _ = try? channel?.write("\(ResumeLine.reading)\n")
        }
        checksum.advance(to: byteCount, on: session.reactor) { [unowned self] result in
            reading?.cancel()
            switch result {
            case .failure(let error): session.fail(TransferFile.sentence(error))
            case .success(sha256): resume(from: byteCount)
            case .success:
                let count = NumberText.grouped(byteCount)
                refuse(.differs, "\(path): the partner's \(count) bytes are not its first ones")
            }
        }
    }

    /// Tells the partner why, and ends when that has gone out.
    private func refuse(_ line: ResumeLine, _ sentence: String) {
        guard let channel else { return }
        channel.onClose { [unowned self] _, _ in session.fail(sentence, .mismatch) }
        do throws(ChannelError) {
            try channel.write("\(line)\n")
        } catch {
            // The partner has gone: nobody is to be told.
        }
        channel.close()
    }

    private func resume(from byteCount: Int) {
        guard let channel else { return }
        do throws(ChannelError) {
            try channel.write("\(ResumeLine.size(checksum.size))\n")
        } catch {
            return session.fail(TransferFile.sentence(error))
        }
        session.figures.isResumed = true
        send(on: channel, from: byteCount)
    }
}

// MARK: - The bytes

extension FileSender {
    private func send(on channel: Channel, from start: Int) {
        session.figures.offset = start
        self.channel = channel
        guard isUntouched() else { return }
        self.channel = nil
        let source = TransferSource.file(path, from: start, size: checksum.size - start)
        let transmitter = Transmitter(
            on: session.reactor, source: source, options: .init(ConnectorOptions()),
            opening: GivenChannel(channel: channel))
        self.transmitter = transmitter
        do throws(TransferError) {
            try transmitter.start { [unowned self] counts in
                moved(counts.bytesWritten)
            } _: { [unowned self] result in
                ended(result)
            }
        } catch {
            channel.abort()
            session.failMoving(error)
        }
    }

    /// Whether the file is what it was at the beginning; where it is not, the partner meets a
    /// reset.
    private func isUntouched() -> Bool {
        if checksum.isUntouched { return true }
        transmitter?.cancel()
        session.fail(TransferFile.changed(path), .mismatch)
        return false
    }

    private func moved(_ count: Int) {
        session.figures.moved = count
        guard isUntouched() else { return }
        do throws(ChannelError) {
            try checksum.advance(to: session.figures.position)
        } catch {
            session.fail(TransferFile.sentence(error))
        }
    }

    private func ended(_ result: TransferResult) {
        session.figures.moved = result.counts.bytesWritten
        if let error = result.error { return session.failMoving(error) }
        guard isUntouched() else { return }
        checksum.advance(to: session.figures.position, on: session.reactor) {
            [unowned self] result in
            switch result {
            case .success(let sha256): if isUntouched() { session.finish(sha256: sha256) }
            case .failure(let error): session.fail(TransferFile.sentence(error))
            }
        }
    }
}
