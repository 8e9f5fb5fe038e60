// SPDX-License-Identifier: Apache-2.0
//
// How the kernel stores the value of an option: a number, a text, bytes, a structure.
// Nothing is taken from beyond what the kernel has answered, however long the room for it was.

import CSystemCalls
import Glibc

/// How the kernel stores the value of an option, and how much room its answer needs.
public struct SocketOptionForm<Value: Sendable>: Sendable {
    /// Gives the bytes of a value to a call.
    typealias Writing =
        @Sendable (
            Value, (UnsafeRawBufferPointer) throws(ErrorCode) -> Void
        ) throws(ErrorCode) -> Void

    /// The room for the kernel's answer.
    let byteCount: Int
    /// The value of an answer; `nil` where the answer is too short for one.
    let read: @Sendable (RawSpan) -> Value?
    let write: Writing

    init(
        byteCount: Int, read: @escaping @Sendable (RawSpan) -> Value?, write: @escaping Writing
    ) {
        self.byteCount = byteCount
        self.read = read
        self.write = write
    }

    /// A form of what can only be read.
    init(byteCount: Int, read: @escaping @Sendable (RawSpan) -> Value?) {
        self.init(byteCount: byteCount, read: read) { _, _ throws(ErrorCode) in
            throw .notSupported
        }
    }

    /// A form of what can only be set.
    init(write: @escaping Writing) {
        self.init(byteCount: 0, read: { _ in nil }, write: write)
    }

    /// A form of the program's own, such as that of a structure.
    ///
    /// - Parameters:
    ///   - byteCount: the room for the kernel's answer, at most 1 MiB.
    ///   - decode: the value of the bytes that the kernel has answered, which may be fewer; `nil`
    ///     has reading throw `.noData`.
    ///   - encode: the bytes that the kernel is to store.
    public init(
        upTo byteCount: Int, decode: @escaping @Sendable ([UInt8]) -> Value?,
        encode: @escaping @Sendable (Value) -> [UInt8]
    ) {
        self.init(byteCount: byteCount) { answer in
            decode(answer.withUnsafeBytes { Array($0) })
        } write: { value, call throws(ErrorCode) in
            try Self.give(encode(value), to: call)
        }
    }

    /// The longest answer that is asked for, and the longest value that is set.
    static var byteCountLimit: Int { 1_048_576 }
}

extension SocketOptionForm {
    /// Gives a number or a structure of C to a call.
    static func give<Form: BitwiseCopyable>(
        _ form: Form, to call: (UnsafeRawBufferPointer) throws(ErrorCode) -> Void
    ) throws(ErrorCode) {
        try withUnsafeBytes(of: form) { bytes throws(ErrorCode) in try call(bytes) }
    }

    /// Gives bytes to a call.
    static func give(
        _ bytes: [UInt8], to call: (UnsafeRawBufferPointer) throws(ErrorCode) -> Void
    ) throws(ErrorCode) {
        try bytes.span.bytes.withUnsafeBytes { bytes throws(ErrorCode) in try call(bytes) }
    }
}

extension RawSpan {
    /// The number at `offset`, in the machine's order of bytes; `nil` where the bytes end before.
    func number<Number: FixedWidthInteger & BitwiseCopyable>(
        _ type: Number.Type = Number.self, at offset: Int = 0
    ) -> Number? {
        guard byteCount - offset >= MemoryLayout<Number>.size else { return nil }
        return unsafeLoadUnaligned(fromByteOffset: offset, as: type)
    }

    /// An `int`, which some options give as one byte, such as `IP_MULTICAST_LOOP`.
    var integer: CInt? { byteCount == 1 ? number(UInt8.self).map(CInt.init) : number() }
}

// MARK: - Numbers

extension SocketOptionForm where Value == Bool {
    /// An `int` that is 0 for false; set as 0 or 1.
    public static var flag: Self {
        Self(byteCount: MemoryLayout<CInt>.size) { answer in
            answer.integer.map { $0 != 0 }
        } write: { value, call throws(ErrorCode) in
            try give(CInt(value ? 1 : 0), to: call)
        }
    }
}

extension SocketOptionForm where Value == Int {
    /// An `int`; larger values are cut to what an `int` holds.
    public static var number: Self {
        Self(byteCount: MemoryLayout<CInt>.size) { answer in
            answer.integer.map(Int.init)
        } write: { value, call throws(ErrorCode) in
            try give(CInt(clamping: value), to: call)
        }
    }
}

extension SocketOptionForm where Value == Int? {
    /// An `int` that is -1 for `nil`; other negative values are refused as `.invalidArgument`.
    static var numberOrNone: Self {
        Self(byteCount: MemoryLayout<CInt>.size) { answer in
            answer.integer.map { $0 < 0 ? nil : Int($0) }
        } write: { value, call throws(ErrorCode) in
            if let value, value < 0 { throw .invalidArgument }
            try give(CInt(clamping: value ?? -1), to: call)
        }
    }

    /// An `unsigned long` of which all bits are set for `nil`; negative values are refused as
    /// `.invalidArgument`.
    static var numberOrUnlimited: Self {
        Self(byteCount: MemoryLayout<UInt64>.size) { answer in
            // Before Linux 4.20 the answer is an `unsigned int`.
            if answer.byteCount == MemoryLayout<UInt32>.size {
                return answer.number(UInt32.self).map { $0 == .max ? nil : Int($0) }
            }
            return answer.number(UInt64.self).map { $0 == .max ? nil : Int(clamping: $0) }
        } write: { value, call throws(ErrorCode) in
            if let value, value < 0 { throw .invalidArgument }
            try give(value.map(UInt64.init) ?? .max, to: call)
        }
    }
}

extension SocketOptionForm where Value == UInt32 {
    /// An `unsigned int`.
    public static var number: Self {
        Self(byteCount: MemoryLayout<UInt32>.size) { answer in
            answer.number()
        } write: { value, call throws(ErrorCode) in
            try give(value, to: call)
        }
    }

    /// An `unsigned int` in the network's order of bytes.
    static var numberInNetworkOrder: Self {
        Self(byteCount: MemoryLayout<UInt32>.size) { answer in
            answer.number(UInt32.self).map { UInt32(bigEndian: $0) }
        } write: { value, call throws(ErrorCode) in
            try give(value.bigEndian, to: call)
        }
    }
}

extension SocketOptionForm where Value == UInt64 {
    /// An unsigned number of 64 bits.
    public static var number: Self {
        Self(byteCount: MemoryLayout<UInt64>.size) { answer in
            answer.number()
        } write: { value, call throws(ErrorCode) in
            try give(value, to: call)
        }
    }
}

extension SocketOptionForm where Value: RawRepresentable, Value.RawValue == CInt {
    /// An `int` that the type gives a meaning, such as ``ErrorCode``.
    public static var number: Self {
        Self(byteCount: MemoryLayout<CInt>.size) { answer in
            answer.integer.flatMap(Value.init(rawValue:))
        } write: { value, call throws(ErrorCode) in
            try give(value.rawValue, to: call)
        }
    }
}

// MARK: - Bytes and text

extension SocketOptionForm where Value == [UInt8] {
    /// Bytes as they are.
    ///
    /// - Parameter byteCount: how many are read, 1 MiB at most; reading as many as that may have
    ///   left some. More or a negative number has reading throw `.invalidArgument`.
    public static func bytes(upTo byteCount: Int) -> Self {
        Self(byteCount: byteCount) { answer in
            answer.withUnsafeBytes { Array($0) }
        } write: { value, call throws(ErrorCode) in
            try give(value, to: call)
        }
    }
}

extension SocketOptionForm where Value == String {
    /// A text that a zero ends; in an answer the zero may be missing.
    ///
    /// What is no UTF-8 is read as U+FFFD. The kernel would cut a longer text silently, and take
    /// one with a zero in it up to there: they are refused, as `.nameTooLong` and
    /// `.invalidArgument`.
    ///
    /// - Parameter byteCount: how many bytes of UTF-8 there are at most, with the zero.
    public static func text(upTo byteCount: Int) -> Self {
        Self(byteCount: byteCount) { answer in
            answer.withUnsafeBytes { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        } write: { value, call throws(ErrorCode) in
            if value.utf8.contains(0) { throw .invalidArgument }
            if value.utf8.count >= byteCount { throw .nameTooLong }
            try give(Array(value.utf8) + [0], to: call)
        }
    }
}
