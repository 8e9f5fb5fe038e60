// SPDX-License-Identifier: Apache-2.0
//
// The small writes of one channel in one turn, collected in memory that all channels of a reactor
// share. They leave together at the end of the turn, and an idle channel keeps no buffer.

/// What one writer has written in this turn and not sent yet.
struct TurnOutput {
    /// Larger writes than this are not copied but sent at once, with what was collected before
    /// them.
    static var copyLimit: Int { 16_384 }
    static var capacity: Int { 65_536 }

    /// Whose output this is; `nil` when there is none.
    ///
    /// Not retained: a channel that is released takes its output out first.
    private(set) unowned(unsafe) var owner: (any TurnWriter)?
    private(set) var count = 0
    private var storage: UnsafeMutableRawPointer?

    /// What was collected; valid until the next append.
    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: storage, count: count) }

    @inline(__always)
    func belongs(to writer: AnyObject) -> Bool { owner === writer }

    func hasRoom(for size: Int) -> Bool { size <= Self.copyLimit && count + size <= Self.capacity }

    @inline(__always)
    mutating func append(_ bytes: UnsafeRawBufferPointer, of writer: any TurnWriter) {
        guard let source = bytes.baseAddress else { return }
        let storage = storage ?? .allocate(byteCount: Self.capacity, alignment: 64)
        self.storage = storage
        (storage + count).copyMemory(from: source, byteCount: bytes.count)
        count += bytes.count
        owner = writer
    }

    /// Forgets what was collected: it has been sent, queued or dropped.
    @inline(__always)
    mutating func clear() {
        owner = nil
        count = 0
    }

    func deallocate() { storage?.deallocate() }
}
