// SPDX-License-Identifier: Apache-2.0
//
// A typed key for one option of a socket: the key fixes the type of its value.
// How each type is laid out for the kernel stands here too.

import CSystemCalls
import Glibc

/// A key for one option of a socket, with the type of its value.
public struct SocketOption<Value: SocketOptionValue>: Sendable {
    let level: CInt
    let name: CInt
}

/// A value that the kernel stores as an option of a socket.
public protocol SocketOptionValue: Sendable {
    /// The value as the kernel stores it.
    associatedtype KernelForm: BitwiseCopyable
    /// The value of what the kernel stored.
    init(kernelForm: KernelForm)
    /// What the kernel is to store.
    var kernelForm: KernelForm { get }
    /// Storage that the kernel fills in.
    static var emptyKernelForm: KernelForm { get }
}

/// A flag: an `int` that is 0 or 1.
extension Bool: SocketOptionValue {
    /// The flag of an `int`: false for 0.
    public init(kernelForm: CInt) { self = kernelForm != 0 }
    /// 1 or 0.
    public var kernelForm: CInt { self ? 1 : 0 }
    /// 0.
    public static var emptyKernelForm: CInt { 0 }
}

/// A number: an `int`; larger values are cut to what an `int` holds.
extension Int: SocketOptionValue {
    /// The number of an `int`.
    public init(kernelForm: CInt) { self = Int(kernelForm) }
    /// The number as an `int`.
    public var kernelForm: CInt { CInt(clamping: self) }
    /// 0.
    public static var emptyKernelForm: CInt { 0 }
}

/// A time: an `int` of whole seconds, rounded up.
extension Duration: SocketOptionValue {
    /// The time of a number of seconds.
    public init(kernelForm: CInt) { self = .seconds(Int(kernelForm)) }
    /// Whole seconds, rounded up, at least 0.
    public var kernelForm: CInt {
        let (seconds, fraction) = components
        // Cut first: the sum of the largest and 1 would not fit.
        return CInt(clamping: max(0, min(seconds, Int64(CInt.max)) + (fraction > 0 ? 1 : 0)))
    }
    /// 0.
    public static var emptyKernelForm: CInt { 0 }
}

/// An error that waits to be told: an `int`.
extension ErrorCode: SocketOptionValue {
    /// The code of an `int`.
    public init(kernelForm: CInt) { self.init(rawValue: kernelForm) }
    /// The number.
    public var kernelForm: CInt { rawValue }
    /// 0.
    public static var emptyKernelForm: CInt { 0 }
}

/// What close(2) does with data that the peer has not taken.
///
/// Source: `SO_LINGER`, socket(7).
public enum Linger: Hashable, SocketOptionValue {
    /// close(2) returns at once and the kernel goes on sending.
    case off
    /// close(2) waits this long, in whole seconds rounded up; zero cuts the connection with a
    /// reset.
    case on(Duration)

    /// The choice that the kernel's structure stands for.
    public init(kernelForm: LingerForm) {
        self = kernelForm.isOn == 0 ? .off : .on(.seconds(Int(kernelForm.seconds)))
    }
    /// The kernel's structure for the choice.
    public var kernelForm: LingerForm {
        switch self {
        case .off: LingerForm(isOn: 0, seconds: 0)
        case .on(let time): LingerForm(isOn: 1, seconds: time.kernelForm)
        }
    }
    /// Off.
    public static var emptyKernelForm: LingerForm { LingerForm(isOn: 0, seconds: 0) }

    /// The layout of C's `struct linger`: two integers.
    public struct LingerForm: BitwiseCopyable, Sendable {
        let isOn: CInt
        let seconds: CInt
    }
}
