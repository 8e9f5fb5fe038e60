// SPDX-License-Identifier: Apache-2.0
//
// Why text could not be read or written: the socket's reason, the text's, or the end of the input.

/// Why text could not be read from a channel or written to it.
public enum ChannelError: Error, Hashable, Sendable {
    /// The socket refused, or the channel is not in the state for it.
    case socket(SocketError)
    /// The text does not fit the encoding, or the line does not fit its limit; with the peer's
    /// address, or the path of a file.
    case text(TextError, at: String)
    /// A file could not be opened, read or written.
    case file(path: String, ErrorCode)
    /// The input has ended, where a line was asked for that must be there.
    case endOfInput(SocketAddress)
}

extension ChannelError: CustomStringConvertible {
    /// One sentence, such as `text 127.0.0.1:4711: a line is longer than 65536 bytes`.
    public var description: String {
        switch self {
        case .socket(let error): error.description
        case .text(let error, let place): "text \(place): \(error)"
        case .file(let path, let code): "\(path): \(code)"
        case .endOfInput(let address): "read \(address): the input has ended"
        }
    }
}
