// SPDX-License-Identifier: Apache-2.0
//
// The files of this machine that are sent and received, and what is said of them.

import ArgumentParser
import Glibc
import Sluice

/// What the two commands have to say of files.
enum TransferFile {
    /// Stands for standard input, or output.
    static let standardStream = "-"

    /// One sentence of what is wrong with a file.
    static func sentence(_ error: ChannelError) -> String {
        // So a library says it of any descriptor that can't do what a file can.
        if case .file(let path, .notSupported) = error { return "\(path): no regular file" }
        return "\(error)"
    }

    /// Whether something has that name, be it a file or not.
    static func exists(_ path: String) -> Bool {
        var facts = stat()
        return lstat(path, &facts) == 0
    }

    /// How large a file is now; `nil` where there is none.
    static func size(of path: String) -> Int? {
        var facts = stat()
        return stat(path, &facts) == 0 ? Int(facts.st_size) : nil
    }

    /// What is said of a file that is not what it was when the transfer began.
    static func changed(_ path: String) -> String {
        "\(path): it was changed or replaced meanwhile"
    }
}

/// A file that can't be sent, or written, before there is a partner.
struct TransferRefusal: Error {
    let sentence: String
    let code: ExitCode
}

/// Gives a transfer the channel that is there already.
struct GivenChannel: ConnectorOpening {
    let channel: Channel

    func connect(
        to endpoint: Endpoint, on reactor: Reactor, options: ClientOptions,
        _ completion: @escaping Completion
    ) throws -> Cancellation {
        completion(.success(channel))
        return {}
    }

    /// Nobody waits for a channel that is there.
    func accept(
        _ socket: consuming Socket, from peer: SocketAddress, on reactor: Reactor,
        options: ChannelOptions, _ completion: @escaping Completion
    ) throws -> Cancellation {
        throw SocketError(.accept, .notSupported, at: peer)
    }
}

extension Channel {
    /// Waits for what the partner says next; `nil` for what is none of a resumed transfer's lines,
    /// or where the connection has ended before the line had its end.
    func awaitResumeLine(_ handler: @escaping (ResumeLine?) -> Void) {
        let tell = { (channel: Channel, line: ResumeLine?) in
            channel.onReadable(nil)
            channel.onClose(nil)
            handler(line)
        }
        onClose { channel, _ in tell(channel, nil) }
        onReadable { channel in
            var found: ResumeLine??
            do {
                let result = try channel.parse { bytes in
                    var end = 0
                    found = bytes.withUnsafeBytes { ResumeLine.first(in: $0, upTo: &end) }
                    return end
                }
                if found == nil, result == .endOfStream { found = .some(nil) }
            } catch {
                found = .some(nil)
            }
            if let line = found { tell(channel, line) }
        }
    }
}
