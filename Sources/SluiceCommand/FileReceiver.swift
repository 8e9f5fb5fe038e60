// SPDX-License-Identifier: Apache-2.0
//
// Receives a file, or what is lacking of it.

import ArgumentParser
import Sluice
import SluiceReport

/// Writes what comes into a file: anew, or behind what an earlier transfer has left.
final class FileReceiver: Transfer {
    private let path: String
    private let resumes: Bool
    private let replaces: Bool
    /// Opened before the bytes come; of a file that is resumed, before the partner does.
    private var checksum: FileChecksum?
    private var receiver: Receiver?
    /// The channel, as long as no receiver has it.
    private var channel: Channel?
    private unowned let session: TransferSession

    /// - Parameter replaces: whether a file that is there already may be lost.
    /// - Throws: ``TransferRefusal`` for a file that is not to be written.
    init(_ path: String, resumes: Bool, replaces: Bool, in session: TransferSession) throws {
        self.path = path
        self.resumes = resumes
        self.replaces = replaces
        self.session = session
        if !resumes, !replaces, TransferFile.exists(path) {
            let advice = "--resume goes on with it, --force replaces it"
            throw TransferRefusal(
                sentence: "\(path): \(ErrorCode.exists); \(advice)", code: .cannotCreate)
        }
        do throws(TransferError) {
            try TransferDestination.file(path).check()
        } catch {
            var sentence = "\(error)"
            if case .destination(let error) = error { sentence = TransferFile.sentence(error) }
            throw TransferRefusal(sentence: sentence, code: .cannotCreate)
        }
        if resumes { try readWhatIsThere() }
    }

    /// Before the partner is there, which must not wait for it.
    private func readWhatIsThere() throws {
        guard TransferFile.exists(path) else { return }
        do throws(ChannelError) {
            let checksum = try FileChecksum(of: path)
            try checksum.advance(to: checksum.size)
            self.checksum = checksum
        } catch {
            throw TransferRefusal(sentence: TransferFile.sentence(error), code: .cannotCreate)
        }
    }

    func begin(on channel: Channel, in session: TransferSession) {
        self.channel = channel
        if resumes { resume(on: channel) } else { receive(on: channel, size: nil) }
    }

    /// Also where the partner only says what it has; it says something while it reads its file.
    var waitsForPartner: Bool { receiver?.isBusy ?? true }

    func cancel() {
        receiver?.cancel()
        channel?.abort()
    }
}

// MARK: - What is there

extension FileReceiver {
    private func resume(on channel: Channel) {
        session.figures.isResumed = true
        do {
            let count = checksum?.position ?? 0
            session.figures.offset = count
            let sha256 = try checksum?.text() ?? Digest().text()
            try channel.write("\(ResumeLine.have(byteCount: count, sha256: sha256))\n")
        } catch {
            return session.fail("\(error)")
        }
        channel.awaitResumeLine { [unowned self] in take($0, on: channel) }
    }

    private func take(_ line: ResumeLine?, on channel: Channel) {
        let offset = session.figures.offset
        switch line {
        case .size(let size) where size >= offset:
            session.figures.size = size
            receive(on: channel, size: size - offset)
        case .differs:
            let count = NumberText.grouped(offset)
            session.fail(
                "\(path): the partner's file does not begin with its \(count) bytes", .mismatch)
        case .shorter(let size):
            let counts = (NumberText.grouped(offset), NumberText.grouped(size))
            session.fail(
                "\(path): it has \(counts.0) bytes, and the partner's file only \(counts.1)",
                .mismatch)
        default:
            session.fail("the partner does not resume: it needs --resume, too", .mismatch)
        }
    }
}

// MARK: - The bytes

extension FileReceiver {
    /// - Parameter size: how much is to come; `nil` for what comes.
    private func receive(on channel: Channel, size: Int?) {
        guard makeFile() else { return }
        self.channel = nil
        let destination = TransferDestination.file(path, from: session.figures.offset, size: size)
        let receiver = Receiver(
            on: session.reactor, destination: destination, options: .init(ConnectorOptions()),
            opening: GivenChannel(channel: channel))
        self.receiver = receiver
        do throws(TransferError) {
            try receiver.start { [unowned self] counts in
                moved(counts.bytesWritten)
            } _: { [unowned self] result in
                ended(result)
            }
        } catch {
            channel.abort()
            session.failMoving(error)
        }
    }

    /// Opens the file, or makes it, before another opens it by its name.
    ///
    /// What is written after that is seen to be in this file and in no other.
    private func makeFile() -> Bool {
        if let checksum {
            if checksum.isWhole(at: session.figures.offset) { return true }
            session.fail(TransferFile.changed(path), .mismatch)
            return false
        }
        do throws(ChannelError) {
            checksum = try FileChecksum(of: path, making: replaces ? .ifMissing : .new)
            return true
        } catch {
            session.fail(TransferFile.sentence(error), .cannotCreate)
            return false
        }
    }

    private func moved(_ count: Int) {
        session.figures.moved = count
        _ = hasRead()
    }

    /// Reads what was written; says why where that is not in the file.
    private func hasRead() -> Bool {
        let position = session.figures.position
        guard let checksum, checksum.isWhole(at: position) else {
            receiver?.cancel()
            session.fail(TransferFile.changed(path), .mismatch)
            return false
        }
        do throws(ChannelError) {
            try checksum.advance(to: position)
            return true
        } catch {
            session.fail(TransferFile.sentence(error))
            return false
        }
    }

    private func ended(_ result: TransferResult) {
        session.figures.moved = result.counts.bytesWritten
        if let error = result.error { return session.failMoving(error) }
        guard hasRead(), let checksum else { return }
        do throws(ChannelError) {
            session.finish(sha256: try checksum.text())
        } catch {
            session.fail(TransferFile.sentence(error))
        }
    }
}
