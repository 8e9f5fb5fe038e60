// SPDX-License-Identifier: Apache-2.0
//
// The programs that the kernel runs on each packet of a socket, and on each connection of listeners
// that share a port. Each key says its effect, C name and manual page.

import CSystemCalls
import Glibc

/// A program that the kernel runs on packets: that of the classic Berkeley packet filter.
///
/// The kernel checks it as a whole when it is set: jumps go forward and stay inside, and the last
/// step returns. Source: Linux, networking/filter.rst; bpf(4) of the BSDs.
public struct PacketFilter: Hashable, Sendable {
    /// One step of the program.
    public struct Step: Hashable, Sendable {
        /// What is done, as in C: `BPF_RET | BPF_K`, which is 0x06, returns the operand.
        public var code: UInt16
        /// How many steps are skipped if what was compared holds.
        public var skipIfTrue: UInt8
        /// How many steps are skipped if it does not.
        public var skipIfFalse: UInt8
        /// The number that the step is done with.
        public var operand: UInt32

        /// A step of a program.
        public init(code: UInt16, skipIfTrue: UInt8 = 0, skipIfFalse: UInt8 = 0, operand: UInt32) {
            self.code = code
            self.skipIfTrue = skipIfTrue
            self.skipIfFalse = skipIfFalse
            self.operand = operand
        }
    }

    /// The steps, 1 to 4,096.
    public var steps: [Step]

    /// A program of steps.
    public init(_ steps: [Step]) { self.steps = steps }

    /// Lets no packet through: until the real program is set, say.
    public static let none = Self([Step(code: 0x06, operand: 0)])
    /// Of listeners that share a port, gives a connection to the one whose number is that of the
    /// core which handles it, in the order in which they began to listen.
    ///
    /// For ``WriteOnlySocketOption/reusePortFilter``.
    public static let byCore = Self([
        Step(code: 0x20, operand: 0xFFFF_F024),  // Loads the number of the core: `SKF_AD_CPU`.
        Step(code: 0x16, operand: 0),  // Returns it.
    ])
}

extension WriteOnlySocketOption where Value == PacketFilter {
    /// Drops the packets for which the program returns 0, and cuts others to what it returns.
    ///
    /// Write-only; ``Socket/removePacketFilter()`` ends it. Initially none. Source:
    /// `SO_ATTACH_FILTER`, socket(7).
    public static var packetFilter: Self { Self(SOL_SOCKET, SO_ATTACH_FILTER, .filter) }

    /// Of the sockets that share a port, gives what comes to the one with the number that the
    /// program returns, counted from 0.
    ///
    /// Write-only. Initially none: a hash of the addresses decides, as it does where no socket has
    /// the number. For UDP since Linux 4.5, for TCP since 4.6. Source: `SO_ATTACH_REUSEPORT_CBPF`,
    /// socket(7).
    public static var reusePortFilter: Self {
        Self(SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, .filter)
    }
}

extension WriteOnlySocketOption where Value == CInt {
    /// As ``packetFilter``, by the descriptor of a program that bpf(2) has loaded.
    ///
    /// Write-only. The socket keeps the program, not the descriptor. Source: `SO_ATTACH_BPF`,
    /// socket(7).
    public static var loadedPacketFilter: Self { Self(SOL_SOCKET, SO_ATTACH_BPF, .integer) }

    /// As ``reusePortFilter``, by the descriptor of a program that bpf(2) has loaded.
    ///
    /// Write-only. The sockets keep the program, not the descriptor. Source:
    /// `SO_ATTACH_REUSEPORT_EBPF`, socket(7).
    public static var loadedReusePortFilter: Self {
        Self(SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, .integer)
    }
}

extension SocketOption where Value == Bool {
    /// Keeps the filters that are set from being changed or removed, `.notPermitted`; it can't be
    /// switched off any more.
    ///
    /// Initially off. Source: `SO_LOCK_FILTER`, socket(7).
    public static var lockFilter: Self { Self(SOL_SOCKET, SO_LOCK_FILTER, .flag) }
}

extension Socket {
    /// Lets every packet through again.
    ///
    /// Source: `SO_DETACH_FILTER`, socket(7).
    ///
    /// - Throws: ``SocketError`` with operation `.setOption`: `.noEntry` where no filter is set,
    ///   `.notPermitted` where it is locked.
    public func removePacketFilter() throws(SocketError) {
        try setRawOption(level: SOL_SOCKET, name: SO_DETACH_FILTER, to: 0)
    }

    /// Leaves it to the kernel's hash again which of the sockets that share a port gets what comes.
    ///
    /// Linux 5.3. Source: `SO_DETACH_REUSEPORT_BPF`, asm-generic/socket.h.
    ///
    /// - Throws: ``SocketError`` with operation `.setOption`: `.noEntry` where no filter is set.
    public func removeReusePortFilter() throws(SocketError) {
        try setRawOption(level: SOL_SOCKET, name: SO_DETACH_REUSEPORT_BPF, to: 0)
    }
}

extension SocketOptionForm where Value == PacketFilter {
    /// C's `struct sock_fprog`, which points to the steps.
    fileprivate static var filter: Self {
        Self { value, call throws(ErrorCode) in
            guard let count = UInt16(exactly: value.steps.count) else { throw .invalidArgument }
            let steps = value.steps.map {
                csystem_filter_step(
                    code: $0.code, skip_if_true: $0.skipIfTrue, skip_if_false: $0.skipIfFalse,
                    operand: $0.operand)
            }
            try steps.span.withUnsafeBufferPointer { steps throws(ErrorCode) in
                try give(csystem_filter(count: count, steps: steps.baseAddress), to: call)
            }
        }
    }
}

extension SocketOptionForm where Value == CInt {
    /// An `int`, such as a descriptor.
    fileprivate static var integer: Self {
        Self { value, call throws(ErrorCode) in try give(value, to: call) }
    }
}
