// SPDX-License-Identifier: Apache-2.0
//
// What comes and goes beside the bytes of a message: control messages, to and from the kernel's
// layout. Text in, values out: nothing here makes a system call.

import CSystemCalls
import Glibc

/// A piece of ancillary data, beside the bytes of a message.
///
/// Source: cmsg(3), unix(7), ip(7), ipv6(7), udp(7).
public struct AncillaryItem: Hashable, Sendable {
    /// The protocol level that it is of, such as `SOL_SOCKET`.
    public let level: CInt
    /// What it is, such as `SCM_CREDENTIALS`.
    public let type: CInt
    /// Its content, laid out as the level and type have it.
    public let data: [UInt8]

    /// A piece of any kind; its content is laid out by the program.
    public init(level: CInt, type: CInt, data: [UInt8]) {
        self.level = level
        self.type = type
        self.data = data
    }

    /// A piece whose content is one value in C's layout.
    init<Value: BitwiseCopyable>(level: CInt, type: CInt, value: Value) {
        self.init(level: level, type: type, data: withUnsafeBytes(of: value) { Array($0) })
    }

    /// How many bytes a piece with so much content has, without what aligns the next one.
    ///
    /// Source: `CMSG_LEN`, cmsg(3).
    ///
    /// - Throws: ``SocketError`` with operation `.read` and `.invalidArgument` for a negative count
    ///   or one of more than 2 GiB.
    public static func byteCount(ofData count: Int) throws(SocketError) -> Int {
        try check(count)
        return headerByteCount + count
    }

    /// How much room a piece with so much content takes.
    ///
    /// Source: `CMSG_SPACE`, cmsg(3).
    ///
    /// - Throws: ``SocketError``, as ``byteCount(ofData:)``.
    public static func space(forData count: Int) throws(SocketError) -> Int {
        try check(count)
        return aligned(headerByteCount + count)
    }

    private static func check(_ count: Int) throws(SocketError) {
        if !(0...Int(CInt.max)).contains(count) { throw SocketError(.read, .invalidArgument) }
    }

    /// The value that the content begins with, where it is long enough.
    func value<Value: BitwiseCopyable>(
        _ type: Value.Type, at offset: Int = 0
    ) -> Value? {
        data.withUnsafeBytes { bytes in
            guard offset + MemoryLayout<Value>.size <= bytes.count else { return nil }
            return bytes.loadUnaligned(fromByteOffset: offset, as: type)
        }
    }
}

// MARK: - The kernel's layout

/// What a control buffer holds: descriptors apart, for they need an owner.
struct ControlContent {
    var items: [AncillaryItem] = []
    var descriptors: [CInt] = []
}

extension AncillaryItem {
    static var headerByteCount: Int { MemoryLayout<cmsghdr>.size }

    /// Rounds up to what the kernel aligns each piece to.
    static func aligned(_ count: Int) -> Int {
        let unit = MemoryLayout<Int>.size
        return (count + unit - 1) / unit * unit
    }

    /// Reads what the kernel has written.
    ///
    /// A piece whose length is too small or beyond the buffer ends it. Of descriptors, whole numbers
    /// count: what is cut off at the end is left out.
    static func read(_ control: UnsafeRawBufferPointer) -> ControlContent {
        var content = ControlContent()
        var rest = control[...]
        while rest.count >= headerByteCount {
            let header = UnsafeRawBufferPointer(rebasing: rest).loadUnaligned(as: cmsghdr.self)
            let length = Int(clamping: header.cmsg_len)
            guard length >= headerByteCount, length <= rest.count else { break }
            let data = rest[rest.startIndex + headerByteCount..<rest.startIndex + length]
            if header.cmsg_level == SOL_SOCKET, header.cmsg_type == csystem_rights {
                content.descriptors += numbers(UnsafeRawBufferPointer(rebasing: data))
            } else {
                content.items.append(
                    AncillaryItem(
                        level: header.cmsg_level, type: header.cmsg_type, data: Array(data)))
            }
            rest = rest.dropFirst(aligned(length))
        }
        return content
    }

    private static func numbers(_ data: UnsafeRawBufferPointer) -> [CInt] {
        let size = MemoryLayout<CInt>.size
        return stride(from: 0, through: data.count - size, by: size).map {
            data.loadUnaligned(fromByteOffset: $0, as: CInt.self)
        }
    }

    /// The descriptors as a piece: the kernel duplicates them for the peer.
    static func passing(_ numbers: ArraySlice<CInt>) -> AncillaryItem {
        AncillaryItem(
            level: SOL_SOCKET, type: csystem_rights,
            data: numbers.flatMap { number in withUnsafeBytes(of: number) { Array($0) } })
    }

    /// The pieces in the kernel's layout.
    static func write(_ items: [AncillaryItem]) -> [UInt8] {
        var bytes: [UInt8] = []
        for item in items {
            let length = headerByteCount + item.data.count
            var header = cmsghdr()
            header.cmsg_len = numericCast(length)
            header.cmsg_level = item.level
            header.cmsg_type = item.type
            withUnsafeBytes(of: header) { bytes += $0 }
            bytes += item.data
            bytes += repeatElement(0, count: aligned(length) - length)
        }
        return bytes
    }
}

extension AncillaryItem {
    /// What a control buffer with these bytes holds: pieces, and the numbers of descriptors.
    package static func reading(_ bytes: [UInt8]) -> (items: [AncillaryItem], descriptors: [CInt]) {
        let content = bytes.withUnsafeBytes { read($0) }
        return (content.items, content.descriptors)
    }

    /// The pieces in the kernel's layout.
    package static func writing(_ items: [AncillaryItem]) -> [UInt8] { write(items) }
}
