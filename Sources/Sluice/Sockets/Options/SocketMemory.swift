// SPDX-License-Identifier: Apache-2.0
//
// How much of the kernel's memory a socket uses, and how much it may.

/// How much of the kernel's memory a socket uses, and how much it may; sizes are in bytes and count
/// the kernel's own records as well.
///
/// Source: `SO_MEMINFO`; sock_diag(7), `SKMEMINFO`.
public struct SocketMemory: Hashable, Sendable {
    private let numbers: [UInt32]

    /// Reads what the kernel has answered; `nil` where that is shorter than an old kernel's answer.
    init?(_ answer: RawSpan) {
        let width = MemoryLayout<UInt32>.size
        numbers = stride(from: 0, through: answer.byteCount - width, by: width).compactMap {
            answer.number(at: $0)
        }
        if numbers.count < Self.fewest { return nil }
    }

    private static var fewest: Int { 9 }

    /// What has come and was not read.
    public var receivedByteCount: Int { Int(numbers[0]) }
    /// What may wait to be read.
    public var receiveBufferByteCount: Int { Int(numbers[1]) }
    /// What was handed to the network and is not done with.
    public var sentByteCount: Int { Int(numbers[2]) }
    /// What may wait to be sent.
    public var sendBufferByteCount: Int { Int(numbers[3]) }
    /// What is reserved for the socket beforehand.
    public var reservedByteCount: Int { Int(numbers[4]) }
    /// What waits to be sent.
    public var queuedByteCount: Int { Int(numbers[5]) }
    /// What options and filters use.
    public var optionByteCount: Int { Int(numbers[6]) }
    /// What has come while the socket was in use and waits to be looked at.
    public var backlogByteCount: Int { Int(numbers[7]) }
    /// How many packets were dropped since the socket was opened, for want of room among others.
    public var dropCount: Int { Int(numbers[8]) }
}

extension SocketOptionForm where Value == SocketMemory {
    /// An array of `unsigned int`, which newer kernels may make longer.
    static var memory: Self { Self(byteCount: 256) { SocketMemory($0) } }
}
