// SPDX-License-Identifier: Apache-2.0
//
// The datagrams of one turn, collected in memory that all channels of a reactor share, so that they
// leave in one call at its end.

import CSystemCalls
import Glibc

/// What one channel sends in this turn and has not handed to the kernel yet.
///
/// Not checked for exclusive access: each access is a load or a store of the reactor's one thread, and
/// none spans a call of a handler.
final class DatagramOutbox {
    /// How many datagrams one call sends at most.
    static let slotCount = 64
    /// Longer ones, which only Unix sockets have, are sent by themselves.
    static let byteLimit = 65_535
    private static let capacity = 131_072
    /// Room for the one piece of ancillary data that there may be: a length of segments.
    private static let controlByteCount = 32

    /// Whose datagrams these are.
    ///
    /// Not retained: a channel that closes takes its datagrams out first.
    @exclusivity(unchecked) private(set) unowned(unsafe) var owner: DatagramChannel?
    @exclusivity(unchecked) private(set) var count = 0
    @exclusivity(unchecked) private(set) var byteCount = 0
    private let bytes: UnsafeMutableRawPointer
    private let controls: UnsafeMutableRawPointer
    private let names: UnsafeMutablePointer<sockaddr_storage>
    private let pieces: UnsafeMutablePointer<iovec>
    private let messages: UnsafeMutablePointer<mmsghdr>
    private let segments: UnsafeMutablePointer<Int>

    init() {
        bytes = .allocate(byteCount: Self.capacity, alignment: 64)
        controls = .allocate(
            byteCount: Self.slotCount * Self.controlByteCount, alignment: 16)
        names = .allocate(capacity: Self.slotCount)
        pieces = .allocate(capacity: Self.slotCount)
        messages = .allocate(capacity: Self.slotCount)
        segments = .allocate(capacity: Self.slotCount)
        segments.initialize(repeating: 0, count: Self.slotCount)
        messages.initialize(repeating: mmsghdr(), count: Self.slotCount)
        for slot in 0..<Self.slotCount {
            messages[slot].msg_hdr.msg_iov = pieces + slot
            messages[slot].msg_hdr.msg_iovlen = 1
        }
    }

    deinit {
        bytes.deallocate()
        controls.deallocate()
        names.deallocate()
        pieces.deallocate()
        messages.deallocate()
        segments.deallocate()
    }

    @inline(__always)
    func belongs(to channel: DatagramChannel) -> Bool { owner === channel }

    @inline(__always)
    func hasRoom(for size: Int) -> Bool {
        count < Self.slotCount && size <= Self.byteLimit && byteCount + size <= Self.capacity
    }

    /// Adds a copy; there is room for it.
    ///
    /// - Throws: why the address can't be had.
    @inline(__always)
    func append(
        _ content: UnsafeRawBufferPointer, to address: SocketAddress?, _ segmentByteCount: Int,
        of channel: DatagramChannel
    ) throws(ErrorCode) {
        let slot = count
        if let address {
            messages[slot].msg_hdr.msg_name = UnsafeMutableRawPointer(names + slot)
            messages[slot].msg_hdr.msg_namelen = try write(address, to: slot)
        } else {
            messages[slot].msg_hdr.msg_name = nil
            messages[slot].msg_hdr.msg_namelen = 0
        }
        let start = bytes + byteCount
        if let source = content.baseAddress {
            start.copyMemory(from: source, byteCount: content.count)
        }
        pieces[slot] = iovec(iov_base: start, iov_len: content.count)
        if segmentByteCount != segments[slot] { setSegments(slot, segmentByteCount) }
        byteCount += content.count
        count += 1
        owner = channel
    }

    /// - Returns: how many bytes the address has.
    @inline(__always)
    private func write(_ address: SocketAddress, to slot: Int) throws(ErrorCode) -> socklen_t {
        // Plain bytes: what stood there before has no end to come to.
        if case .ip(.v4(let value), let port) = address {
            let place = UnsafeMutableRawPointer(names + slot)
            place.storeBytes(of: sockaddr_in(value, port), as: sockaddr_in.self)
            return socklen_t(MemoryLayout<sockaddr_in>.size)
        }
        let form = try address.kernelForm()
        (names + slot).initialize(to: form.storage)
        return form.length
    }

    @inline(never)
    private func setSegments(_ slot: Int, _ segmentByteCount: Int) {
        segments[slot] = segmentByteCount
        messages[slot].msg_hdr.msg_control = nil
        messages[slot].msg_hdr.msg_controllen = 0
        if segmentByteCount == 0 { return }
        let item = AncillaryItem.segmentByteCount(segmentByteCount)
        let control = AncillaryItem.write([item])
        let place = controls + slot * Self.controlByteCount
        control.withUnsafeBytes { source in
            UnsafeMutableRawBufferPointer(start: place, count: Self.controlByteCount)
                .copyMemory(from: source)
        }
        messages[slot].msg_hdr.msg_control = place
        messages[slot].msg_hdr.msg_controllen = numericCast(control.count)
    }

    /// Offers the datagrams from `slot` on to the kernel.
    ///
    /// - Returns: how many it took, or -1 with `errno` set for the first.
    func send(from slot: Int, by number: CInt) -> Int {
        SystemCall.sendMessages.made(upTo: count - slot) {
            Int(csystem_send_messages(number, messages + slot, UInt32($0)))
        }
    }

    /// How many bytes a datagram has, and into how many the kernel cuts it.
    func size(of slot: Int) -> (bytes: Int, datagrams: Int) {
        let size = Int(pieces[slot].iov_len)
        let segment = segments[slot]
        return (size, segment == 0 ? 1 : (size + segment - 1) / segment)
    }

    /// Whether the kernel is to cut one up.
    func isCut(_ slot: Int) -> Bool { segments[slot] > 0 }

    /// A copy of one that was not sent.
    func datagram(at slot: Int) -> UnsentDatagram {
        let content = UnsafeRawBufferPointer(
            start: pieces[slot].iov_base, count: Int(pieces[slot].iov_len))
        return UnsentDatagram(
            bytes: Array(content), address: address(at: slot), segmentByteCount: segments[slot])
    }

    /// Where one goes; `nil` for the peer of a connected socket.
    func address(at slot: Int) -> SocketAddress? {
        guard let name = messages[slot].msg_hdr.msg_name else { return nil }
        let length = Int(messages[slot].msg_hdr.msg_namelen)
        return SocketAddress.read(UnsafeRawBufferPointer(start: name, count: length))
    }

    /// Forgets what was collected: it has been sent, queued or dropped.
    func clear() {
        owner = nil
        count = 0
        byteCount = 0
    }
}
