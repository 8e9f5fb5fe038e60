// SPDX-License-Identifier: Apache-2.0
//
// Why clients are turned away, and what they get.

/// What a client gets that is turned away.
public enum Refusal: Hashable, Sendable {
    /// The connection is closed; where the client has sent something already, the kernel makes a
    /// reset of it. Source: RFC 1122, 4.2.2.13.
    case close
    /// The connection is reset, and the kernel keeps nothing of it. Source: `SO_LINGER`, socket(7).
    case reset
    /// Some bytes, of which 4,096 at most are sent, and then the end.
    ///
    /// Nobody waits for the client: what the kernel does not take at once is lost. What the client
    /// has sent up to then is dropped, up to 64 KiB, so that no reset overtakes the message; what
    /// it sends afterwards is answered with a reset.
    case message([UInt8])

    /// Gives the client what it gets, and closes.
    func turnAway(_ socket: consuming Socket, on reactor: Reactor) {
        // Of all that fails here only the client could be told, which is about to go.
        switch self {
        case .close: break
        case .reset: try? socket.set(.linger, to: .on(.zero))
        case .message(let bytes):
            _ = try? socket.send(bytes.span.bytes.extracting(first: Self.messageLimit))
            // Where nothing is left unread close(2) sends the end: no shutdown(2) is needed.
            reactor.withScratch { buffer in
                guard let start = buffer.baseAddress else { return }
                _ = try? socket.receive(into: start, upTo: buffer.count)
            }
        }
    }

    private static let messageLimit = 4_096
}

/// Why a client was turned away.
///
/// Where several reasons hold it is the first of them, in the order in which they stand here.
public enum RefusalReason: String, CaseIterable, Hashable, Sendable {
    /// Its address: ``ServerOptions/allowed``, ``ServerOptions/denied``.
    case denied
    /// There were as many connections as may be: ``ServerOptions/maximumConnections``, with
    /// ``AdmissionOptions/Waiting/refuse``.
    case connections
    /// Connections came too fast: ``AdmissionOptions/rate``, with
    /// ``AdmissionOptions/Waiting/refuse``.
    case rate
    /// Its address had as many as it may: ``AdmissionOptions/maximumPerAddress``.
    case addressConnections
    /// Its address came too fast: ``AdmissionOptions/ratePerAddress``.
    case addressRate
    /// Its network had as many as it may: ``AdmissionOptions/maximumPerNetwork``.
    case networkConnections
    /// Its network came too fast: ``AdmissionOptions/ratePerNetwork``.
    case networkRate
    /// As many addresses and networks had connections as may be known:
    /// ``AdmissionOptions/sourceTableLimit``.
    case sourceTable
    /// No descriptor, or no memory, was left for it.
    case descriptors
}
