// SPDX-License-Identifier: Apache-2.0
//
// What the kernel tells of a TCP connection. An older kernel's answer ends earlier: what is missing
// in it is nil. Each property says where in C's structure it stands.

import CSystemCalls
import Glibc

/// How a TCP connection does, at one moment.
///
/// Read with ``ReadOnlySocketOption/tcpInfo``. A segment is the data of one packet. Source:
/// `TCP_INFO`, tcp(7); `struct tcp_info`, linux/tcp.h.
public struct TCPInfo: Hashable, Sendable {
    private let bytes: [UInt8]

    /// Reads what the kernel has answered; `nil` where it ends before what Linux 2.6 had told.
    init?(_ answer: RawSpan) {
        guard answer.byteCount >= Self.leastByteCount else { return nil }
        bytes = answer.withUnsafeBytes { Array($0) }
    }

    private static var leastByteCount: Int { 104 }

    // MARK: State

    /// Where the connection is in its life.
    public var state: State { State(rawValue: bytes[0]) }
    /// How the sender judges the way to the peer.
    public var congestion: Congestion { Congestion(rawValue: bytes[1]) }
    /// What both ends have agreed on.
    public var features: Features { Features(rawValue: bytes[5]) }
    /// How many times what is unacknowledged was sent again since the last answer.
    public var retransmitCount: Int { Int(bytes[2]) }
    /// How many keep-alive or window probes are unanswered.
    public var unansweredProbeCount: Int { Int(bytes[3]) }
    /// How often the time before the next retransmission was doubled.
    public var backoffCount: Int { Int(bytes[4]) }

    // MARK: Times

    /// The smoothed round-trip time.
    public var roundTripTime: Duration { .microseconds(count(at: 68)) }
    /// How much the round-trip time varies: its mean deviation.
    public var roundTripVariation: Duration { .microseconds(count(at: 72)) }
    /// The shortest round-trip time of late; `nil` where none was measured; since Linux 4.6.
    public var minimumRoundTripTime: Duration? {
        counted(at: 148, UInt32.self).map { .microseconds($0) }
    }
    /// The round-trip time as the receiver sees it; 0 where it has had no data.
    public var receiverRoundTripTime: Duration { .microseconds(count(at: 92)) }
    /// How long the next retransmission waits.
    public var retransmissionTimeout: Duration { .microseconds(count(at: 8)) }
    /// How long an acknowledgement waits for data to go with.
    public var acknowledgementDelay: Duration { .microseconds(count(at: 12)) }
    /// How long ago data was sent.
    public var timeSinceSent: Duration { .milliseconds(count(at: 44)) }
    /// How long ago data was received.
    public var timeSinceReceived: Duration { .milliseconds(count(at: 52)) }
    /// How long ago an acknowledgement was received.
    public var timeSinceAcknowledged: Duration { .milliseconds(count(at: 56)) }
    /// How long there was data to send; since Linux 4.10.
    public var busyTime: Duration? { time(at: 168) }
    /// How long sending waited for room at the receiver; since Linux 4.10.
    public var receiverLimitedTime: Duration? { time(at: 176) }
    /// How long sending waited for room in this side's own buffer; since Linux 4.10.
    public var sendBufferLimitedTime: Duration? { time(at: 184) }

    // MARK: Sizes and windows

    /// How many bytes of data a segment that is sent has at most.
    public var sendSegmentByteCount: Int { count(at: 16) }
    /// How many bytes of data the segments that come seem to have at most.
    public var receiveSegmentByteCount: Int { count(at: 20) }
    /// How many bytes of data a segment may have, as the peer was told.
    public var advertisedSegmentByteCount: Int { count(at: 84) }
    /// How many bytes a packet to the peer may have.
    public var pathMTU: Int { count(at: 60) }
    /// How many segments may be under way at a time.
    public var congestionWindow: Int { count(at: 80) }
    /// From how many segments on the window grows slowly; `nil` as long as no loss has said.
    public var slowStartThreshold: Int? {
        let segments = count(at: 76)
        return segments == Int(CInt.max) ? nil : segments
    }
    /// How many segments may overtake each other without being taken for lost.
    public var reorderingLimit: Int { count(at: 88) }
    /// How many bytes there is room for in the receiver's queue, as tuned by the kernel.
    public var receiveSpace: Int { count(at: 96) }
    /// How many bytes the peer has said that it takes; since Linux 5.4.
    public var peerWindowByteCount: Int? { counted(at: 228, UInt32.self) }

    // MARK: What is under way

    /// How many segments are sent and not acknowledged; of a listener, how many connections wait to
    /// be accepted.
    public var unacknowledgedCount: Int { count(at: 24) }
    /// How many of them have come out of order; of a listener, how many connections may wait.
    public var selectivelyAcknowledgedCount: Int { count(at: 28) }
    /// How many of them are taken for lost.
    public var lostCount: Int { count(at: 32) }
    /// How many of them were sent again.
    public var retransmittedCount: Int { count(at: 36) }
    /// How many bytes wait to be sent for the first time; since Linux 4.6.
    public var unsentByteCount: Int? { counted(at: 144, UInt32.self) }

    // MARK: Totals

    /// How many segments were sent again since the connection began.
    public var totalRetransmitCount: Int { count(at: 100) }
    /// How many bytes were sent, those sent again included; since Linux 4.19.
    public var sentByteCount: Int? { counted(at: 200, UInt64.self) }
    /// How many bytes were sent again; since Linux 4.19.
    public var retransmittedByteCount: Int? { counted(at: 208, UInt64.self) }
    /// How many bytes the peer has acknowledged; since Linux 4.1.
    public var acknowledgedByteCount: Int? { counted(at: 120, UInt64.self) }
    /// How many bytes were received in order; since Linux 4.1.
    public var receivedByteCount: Int? { counted(at: 128, UInt64.self) }
    /// How many segments were sent, with and without data; since Linux 4.2.
    public var sentSegmentCount: Int? { counted(at: 136, UInt32.self) }
    /// How many segments were received, with and without data; since Linux 4.2.
    public var receivedSegmentCount: Int? { counted(at: 140, UInt32.self) }
    /// How many segments came out of order; since Linux 5.4.
    public var outOfOrderSegmentCount: Int? { counted(at: 224, UInt32.self) }

    // MARK: Rates

    /// How many bytes a second arrive at the peer, as last measured; 0 for never; since Linux 4.9.
    public var deliveryRate: Int? { counted(at: 160, UInt64.self) }
    /// Whether ``deliveryRate`` is low because there was too little to send; since Linux 4.9.
    public var isDeliveryLimitedByProgram: Bool { bytes[7] & 1 != 0 }
    /// How many bytes a second the kernel sends; `nil` for no limit too; since Linux 3.15.
    public var pacingRate: Int? { counted(at: 104, UInt64.self) }
    /// How many bytes a second the kernel sends at most; `nil` for no limit too; since Linux 3.15.
    public var maximumPacingRate: Int? { counted(at: 112, UInt64.self) }
}

// MARK: - Reading the structure

extension TCPInfo {
    /// The number at a place that every answer has.
    private func count(at offset: Int) -> Int {
        bytes.span.bytes.number(UInt32.self, at: offset).map(Int.init) ?? 0
    }

    /// The number at a place that newer kernels fill in; `nil` too where all its bits are set,
    /// which stands for no limit or no measurement.
    private func counted<Number: FixedWidthInteger & BitwiseCopyable>(
        at offset: Int, _ type: Number.Type
    ) -> Int? {
        bytes.span.bytes.number(type, at: offset).flatMap { $0 == .max ? nil : Int(clamping: $0) }
    }

    private func time(at offset: Int) -> Duration? {
        counted(at: offset, UInt64.self).map { .microseconds($0) }
    }
}

extension SocketOptionForm where Value == TCPInfo {
    /// C's `struct tcp_info`, which each kernel makes longer.
    static var info: Self { Self(byteCount: 1_024) { TCPInfo($0) } }
}

// MARK: - States

extension TCPInfo {
    /// Where a connection is in its life.
    ///
    /// Source: RFC 9293, 3.3.2; netinet/tcp.h.
    public struct State: RawRepresentable, Hashable, Sendable {
        /// The number, as in C.
        public let rawValue: UInt8

        /// Wraps a number that C calls `TCP_ESTABLISHED` and so on.
        public init(rawValue: UInt8) { self.rawValue = rawValue }

        /// Both ends may send.
        public static let established = Self(rawValue: 1)
        /// A connect is under way.
        public static let synSent = Self(rawValue: 2)
        /// A client's connect is being answered.
        public static let synReceived = Self(rawValue: 3)
        /// This end has closed, and the peer has not acknowledged it.
        public static let finWait1 = Self(rawValue: 4)
        /// This end has closed; the peer may still send.
        public static let finWait2 = Self(rawValue: 5)
        /// Both ends have closed; late packets are waited for.
        public static let timeWait = Self(rawValue: 6)
        /// Not connected.
        public static let closed = Self(rawValue: 7)
        /// The peer has closed; this end may still send.
        public static let closeWait = Self(rawValue: 8)
        /// The peer has closed, then this end, which the peer has not acknowledged.
        public static let lastAcknowledgement = Self(rawValue: 9)
        /// It waits for connections.
        public static let listening = Self(rawValue: 10)
        /// Both ends have closed at the same time.
        public static let closing = Self(rawValue: 11)
        /// A client's connect is being answered, and nobody was told yet; since Linux 4.4.
        public static let newSynReceived = Self(rawValue: 12)
    }

    /// How a sender judges the way to its peer.
    ///
    /// Source: `enum tcp_ca_state`, linux/tcp.h.
    public struct Congestion: RawRepresentable, Hashable, Sendable {
        /// The number, as in C.
        public let rawValue: UInt8

        /// Wraps a number that C calls `TCP_CA_Open` and so on.
        public init(rawValue: UInt8) { self.rawValue = rawValue }

        /// All is well.
        public static let open = Self(rawValue: 0)
        /// Segments overtake each other, or some are lost.
        public static let disorder = Self(rawValue: 1)
        /// Routers have reported congestion: the window is being made smaller.
        public static let windowReduction = Self(rawValue: 2)
        /// What was lost is being sent again, as later segments have shown it.
        public static let recovery = Self(rawValue: 3)
        /// What was lost is being sent again, as its time was over.
        public static let loss = Self(rawValue: 4)
    }

    /// What both ends of a connection have agreed on.
    ///
    /// Source: `TCPI_OPT_*`, netinet/tcp.h.
    public struct Features: OptionSet, Hashable, Sendable {
        /// The set as bits, as in C.
        public let rawValue: UInt8

        /// A set of bits.
        public init(rawValue: UInt8) { self.rawValue = rawValue }

        /// Each segment carries a time (RFC 7323).
        public static let timestamps = Self(rawValue: 1)
        /// What came out of order is acknowledged, too (RFC 2018).
        public static let selectiveAcknowledgements = Self(rawValue: 2)
        /// Windows of more than 64 KiB (RFC 7323).
        public static let windowScaling = Self(rawValue: 4)
        /// Routers may mark segments instead of dropping them (RFC 3168).
        public static let congestionMarks = Self(rawValue: 8)
        /// A segment that could be marked has come.
        public static let congestionMarksSeen = Self(rawValue: 16)
        /// The data of the first packet was taken (RFC 7413).
        public static let firstPacketData = Self(rawValue: 32)
    }
}

extension TCPInfo.State: CustomStringConvertible {
    /// The name, such as `established`, or `state 13`.
    public var description: String {
        let names = [
            "established", "synSent", "synReceived", "finWait1", "finWait2", "timeWait", "closed",
            "closeWait", "lastAcknowledgement", "listening", "closing", "newSynReceived",
        ]
        let index = Int(rawValue) - 1
        return names.indices.contains(index) ? names[index] : "state \(rawValue)"
    }
}

extension TCPInfo: CustomStringConvertible {
    /// A few words: the state, the round trip's time and the retransmissions under way.
    public var description: String {
        "\(state), round trip \(roundTripTime), \(retransmitCount) retransmissions"
    }
}
