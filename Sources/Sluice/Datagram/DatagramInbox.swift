// SPDX-License-Identifier: Apache-2.0
//
// The memory that datagrams are received into, several with one call. All channels of a reactor
// share it, so an idle channel keeps none.

import CSystemCalls
import Glibc

/// Room for one batch of datagrams.
final class DatagramInbox {
    /// How many datagrams one call receives at most.
    static let slotCount = 32
    /// No datagram of IP is longer.
    static let slotByteCount = 65_536
    /// How much room each has for ancillary data.
    static let controlByteCount = 256
    /// A slot begins five cache lines behind the end of the last one: at equal distances of a power
    /// of two all would fall into the same few places of the cache.
    private static let stride = slotByteCount + 320

    private let bytes: UnsafeMutableRawBufferPointer
    private let controls: UnsafeMutableRawBufferPointer
    private let names: UnsafeMutablePointer<sockaddr_storage>
    private let pieces: UnsafeMutablePointer<iovec>
    private let messages: UnsafeMutablePointer<mmsghdr>
    /// How many slots the last call has filled.
    private var used = slotCount
    private var controlRoom = 0

    init() {
        // Pages that no datagram reaches are never touched, and take no memory.
        bytes = .allocate(byteCount: Self.slotCount * Self.stride, alignment: 64)
        controls = .allocate(byteCount: Self.slotCount * Self.controlByteCount, alignment: 16)
        names = .allocate(capacity: Self.slotCount)
        pieces = .allocate(capacity: Self.slotCount)
        messages = .allocate(capacity: Self.slotCount)
        names.initialize(repeating: sockaddr_storage(), count: Self.slotCount)
        messages.initialize(repeating: mmsghdr(), count: Self.slotCount)
        for slot in 0..<Self.slotCount {
            (pieces + slot).initialize(
                to: iovec(
                    iov_base: bytes.baseAddress.map { $0 + slot * Self.stride },
                    iov_len: Self.slotByteCount))
            messages[slot].msg_hdr.msg_iov = pieces + slot
            messages[slot].msg_hdr.msg_iovlen = 1
            messages[slot].msg_hdr.msg_name = UnsafeMutableRawPointer(names + slot)
        }
    }

    deinit {
        bytes.deallocate()
        controls.deallocate()
        names.deallocate()
        pieces.deallocate()
        messages.deallocate()
    }

    /// Receives what is there, up to `limit` datagrams.
    ///
    /// - Parameter controlRoom: room for ancillary data in each slot.
    /// - Returns: how many datagrams came, or -1 with `errno` set.
    func receive(
        from number: CInt, upTo limit: Int, controlRoom: Int, isUnix: Bool
    ) -> Int {
        if controlRoom != self.controlRoom {
            used = Self.slotCount
            self.controlRoom = controlRoom
        }
        // The call has overwritten the lengths of the slots that it filled.
        for slot in 0..<used { prepare(slot) }
        // Descriptors only come where there is room for them.
        let flags = isUnix && controlRoom > 0 ? csystem_close_passed_on_exec : 0
        let count = SystemCall.receiveMessages.made(upTo: min(limit, Self.slotCount)) {
            Int(csystem_receive_messages(number, messages, UInt32($0), flags))
        }
        used = max(0, count)
        return count
    }

    private func prepare(_ slot: Int) {
        messages[slot].msg_hdr.msg_namelen = socklen_t(MemoryLayout<sockaddr_storage>.size)
        messages[slot].msg_hdr.msg_control =
            controlRoom == 0
            ? nil : controls.baseAddress.map { $0 + slot * Self.controlByteCount }
        messages[slot].msg_hdr.msg_controllen = numericCast(controlRoom)
        messages[slot].msg_hdr.msg_flags = 0
    }

    /// The bytes in a slot.
    func content(of slot: Int) -> UnsafeRawBufferPointer {
        let start = slot * Self.stride
        let count = min(Int(messages[slot].msg_len), Self.slotByteCount)
        return UnsafeRawBufferPointer(rebasing: bytes[start..<start + count])
    }

    /// Whether the datagram was longer than its slot.
    func isTruncated(_ slot: Int) -> Bool {
        messages[slot].msg_hdr.msg_flags & MessageFlags.truncated.rawValue != 0
    }

    /// Whether there was no room for all of the ancillary data.
    func isControlTruncated(_ slot: Int) -> Bool {
        messages[slot].msg_hdr.msg_flags & MessageFlags.controlTruncated.rawValue != 0
    }

    /// Who has sent it.
    func sender(of slot: Int) -> SocketAddress {
        let length = min(
            Int(messages[slot].msg_hdr.msg_namelen), MemoryLayout<sockaddr_storage>.size)
        return SocketAddress.read(UnsafeRawBufferPointer(start: names + slot, count: length))
    }

    /// The ancillary data in a slot.
    ///
    /// What it says of descriptors has no owner yet.
    func control(of slot: Int) -> ControlContent {
        let start = slot * Self.controlByteCount
        let count = min(Int(clamping: messages[slot].msg_hdr.msg_controllen), controlRoom)
        return AncillaryItem.read(
            UnsafeRawBufferPointer(rebasing: controls[start..<start + count]))
    }
}
