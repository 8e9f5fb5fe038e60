// SPDX-License-Identifier: Apache-2.0
//
// Bytes that the kernel has not taken yet: copied small pieces, shared large ones, and ranges of
// files, which never come into memory.
// A channel has one only while something waits.

import CSystemCalls

/// Unsent output, in order.
final class OutputQueue {
    private struct Segment {
        var bytes: [UInt8]
        var start: Int
        var file: FileRange?
        /// Go out with the first of the bytes.
        var descriptors: PassedDescriptors?
        /// Whose bytes these are, where other queues have them as well.
        var shared: SharedBytes?
        var count: Int { file?.left ?? bytes.count - start }
    }

    /// Small pieces are collected up to this size.
    private static var chunkByteCount: Int { 16_384 }
    /// How many segments one system call takes.
    private static var vectorCount: Int { 64 }
    /// How many files wait at most: each holds a descriptor.
    static var fileLimit: Int { 64 }
    /// How many descriptors wait at most to be passed on.
    static var descriptorLimit: Int { 1_024 }

    /// What a place for shared bytes takes.
    static var placeByteCount: Int { MemoryLayout<Segment>.stride }

    private var segments: [Segment] = []
    private var first = 0
    /// What is told how much is held here.
    private var account: BufferAccount?
    /// How many bytes are held for this queue alone, its places for shared ones among them.
    private var ownByteCount = 0 { didSet { account?.add(ownByteCount - oldValue) } }
    /// How many places for shared bytes there are.
    private var sharedCount = 0
    /// Files of which something is to be told.
    private var changed: [FileRange] = []
    /// How many bytes are held in memory.
    private(set) var byteCount = 0
    /// How many bytes are to come from files.
    private(set) var fileByteCount = 0
    /// How many files wait.
    private(set) var fileCount = 0
    /// How many descriptors wait to be passed on.
    private(set) var descriptorCount = 0
    /// How many of the bytes, at the back, wait for more to be written or for a flush.
    private(set) var heldByteCount = 0
    /// Set when the queue has risen above the high mark and has not fallen to the low one since.
    var isAboveMark = false
    /// Set when a write has said so.
    var wasTold = false
    /// Set while the kernel has refused more and the write event is waited for.
    var isRefused = false
    /// Set while a turn is to come in which ``tellFiles()`` is called.
    var isToldLater = false

    var isEmpty: Bool { byteCount == 0 && fileByteCount == 0 }
    /// How many bytes, at the front, are to go out.
    var dueByteCount: Int { byteCount + fileByteCount - heldByteCount }

    /// How much a channel has with what waits here: as if it had all of it alone.
    var weight: Int { byteCount + sharedCount * Self.placeByteCount }

    /// How much the end of this queue gives back: what is its own, and its share of the others.
    var spareByteCount: Int {
        if sharedCount == 0 { return ownByteCount }
        return segments[first...].reduce(ownByteCount) { $0 + ($1.shared?.share ?? 0) }
    }

    init(_ account: BufferAccount? = nil) { self.account = account }

    deinit {
        leaveShared()
        account?.add(-ownByteCount)
    }

    /// The others have all that this queue had in common with them.
    private func leaveShared() {
        if sharedCount == 0 { return }
        for segment in segments[first...] { segment.shared?.holderCount -= 1 }
    }

    /// Has another reactor's account told from now on, or none.
    func report(to other: BufferAccount?) {
        account?.add(-ownByteCount)
        account = other
        account?.add(ownByteCount)
    }

    /// How many bytes in memory are to go out: what the marks are about.
    var waitingByteCount: Int { byteCount - heldByteCount }

    /// Holds the last `count` bytes back, and lets what fills whole buffers of `size` bytes go.
    func hold(_ count: Int, untilFull size: Int) {
        heldByteCount = (heldByteCount + count) % size
    }

    /// Lets everything go.
    func release() { heldByteCount = 0 }

    /// Adds a copy.
    func append(copying bytes: UnsafeRawBufferPointer) {
        if bytes.isEmpty { return }
        byteCount += bytes.count
        ownByteCount += bytes.count
        if let last = segments.indices.last, last >= first, segments[last].file == nil,
            segments[last].descriptors == nil, segments[last].shared == nil,
            segments[last].bytes.count + bytes.count <= Self.chunkByteCount
        {
            segments[last].bytes.append(contentsOf: bytes)
            return
        }
        var copy: [UInt8] = []
        copy.reserveCapacity(max(bytes.count, bytes.count < 1_024 ? 1_024 : bytes.count))
        copy.append(contentsOf: bytes)
        segments.append(Segment(bytes: copy, start: 0))
    }

    /// Adds the array itself, from `start` on: no copy.
    func append(sharing bytes: [UInt8], from start: Int = 0) {
        if start >= bytes.count { return }
        byteCount += bytes.count - start
        ownByteCount += bytes.count - start
        segments.append(Segment(bytes: bytes, start: start))
    }

    /// Adds bytes that other queues have as well, from `start` on, and lets all that was held back
    /// before them go.
    func append(_ message: SharedBytes, from start: Int = 0) {
        if start >= message.bytes.count { return }
        release()
        message.countOnce()
        message.holderCount += 1
        byteCount += message.bytes.count - start
        sharedCount += 1
        ownByteCount += Self.placeByteCount
        segments.append(Segment(bytes: message.bytes, start: start, shared: message))
    }

    /// Adds bytes with descriptors, and lets all that was held back before them go.
    func append(_ bytes: [UInt8], passing descriptors: PassedDescriptors) {
        release()
        byteCount += bytes.count
        ownByteCount += bytes.count
        descriptorCount += descriptors.list.count
        segments.append(Segment(bytes: bytes, start: 0, descriptors: descriptors))
    }

    /// Adds a range of a file, and lets all that was held back before it go.
    func append(_ file: FileRange) {
        if file.left <= 0 { return }
        release()
        fileByteCount += file.left
        fileCount += 1
        segments.append(Segment(bytes: [], start: 0, file: file))
    }

    /// The queue is dropped: its files fail, and whoever follows one is to be told.
    ///
    /// - Returns: whether anybody is.
    func fail(_ error: SocketError) -> Bool {
        for segment in segments[first...] {
            guard let file = segment.file else { continue }
            file.fail(error)
            note(file)
        }
        return changed.contains(where: \.isFollowed)
    }

    /// All that waits, in a queue of its own; this one is empty then.
    ///
    /// To be called where no file waits, and nothing of one is to be told.
    func taken() -> OutputQueue {
        let other = OutputQueue()
        leaveShared()
        swap(&segments, &other.segments)
        swap(&first, &other.first)
        swap(&byteCount, &other.byteCount)
        ownByteCount = 0
        sharedCount = 0
        // Elsewhere they are nobody's but the channel's that goes there.
        for place in other.segments.indices { other.segments[place].shared = nil }
        other.ownByteCount = other.byteCount
        swap(&descriptorCount, &other.descriptorCount)
        swap(&heldByteCount, &other.heldByteCount)
        swap(&isAboveMark, &other.isAboveMark)
        swap(&wasTold, &other.wasTold)
        return other
    }

    /// Whether something of files is to be told.
    var hasNews: Bool { !changed.isEmpty }

    /// Tells those who follow files; to be called when nothing of the queue is under way.
    func tellFiles() {
        let files = changed
        changed = []
        for file in files { file.tell() }
    }

    /// Nobody is told of files any more.
    func forgetFiles() {
        for segment in segments[first...] { segment.file?.forget() }
        for file in changed { file.forget() }
        changed = []
    }

    private func note(_ file: FileRange) {
        if changed.last !== file { changed.append(file) }
    }

    /// Offers the first bytes that are due to the kernel, up to a limit.
    func send(to socket: borrowing Socket, upTo limit: Int) throws(SocketError) -> SendResult {
        if let file = segments[first].file {
            return try dropSent(socket.send(file, upTo: limit), of: file)
        }
        if let passed = segments[first].descriptors {
            let segment = segments[first]
            let bytes = segment.bytes.span.bytes.extracting(first: limit)
            let result = try socket.send(bytes, passing: passed.list)
            if case .bytes = result {
                segments[first].descriptors = nil
                descriptorCount -= passed.list.count
            }
            return dropSent(result)
        }
        let run = segments[first..<min(segments.count, first + Self.vectorCount)]
        let last = run.firstIndex { $0.file != nil || $0.descriptors != nil } ?? run.endIndex
        if last - first == 1 || heldByteCount > 0 || limit != .max {
            let segment = segments[first]
            let end = segment.start + min(segment.count, dueByteCount, limit)
            let result = try segment.bytes.span.bytes.withUnsafeBytes { bytes throws(SocketError) in
                try socket.send(UnsafeRawBufferPointer(rebasing: bytes[segment.start..<end]))
            }
            return dropSent(result)
        }
        let slice = segments[first..<last]
        let result = try withUnsafeTemporaryAllocation(of: iovec.self, capacity: slice.count) {
            vector throws(SocketError) in
            for (place, segment) in zip(vector.indices, slice) {
                // The pointer outlives this closure: `slice` holds the array, and nothing changes
                // it.
                segment.bytes.withUnsafeBytes { bytes in
                    vector[place] = iovec(
                        iov_base: UnsafeMutableRawPointer(
                            mutating: bytes.baseAddress.map { $0 + segment.start }),
                        iov_len: segment.count)
                }
            }
            return try socket.send(vector)
        }
        withExtendedLifetime(slice) {}
        return dropSent(result)
    }

    private func dropSent(
        _ result: SendResult, of file: FileRange
    ) throws(SocketError) -> SendResult {
        if case .bytes(let count) = result {
            // A file that is shorter than it was gives nothing more; where nobody is told, what
            // follows must not pass for its rest.
            if count == 0, !file.isFollowed { throw SocketError(.write, .noData) }
            fileByteCount -= count == 0 ? file.left : count
            file.sent(count)
            note(file)
        }
        if file.left == 0 {
            fileCount -= 1
            dropFirst()
        }
        return result
    }

    private func dropFirst() {
        segments[first] = Segment(bytes: [], start: 0)
        first += 1
        dropSpent()
    }

    private func dropSpent() {
        if first == segments.count || first >= 256 {
            segments.removeFirst(first)
            first = 0
        }
    }

    private func dropSent(_ result: SendResult) -> SendResult {
        guard case .bytes(var count) = result else { return result }
        byteCount -= count
        var own = 0
        while count > 0 {
            let available = segments[first].count
            let isShared = segments[first].shared != nil
            if count < available {
                segments[first].start += count
                if !isShared { own += count }
                break
            }
            count -= available
            own += isShared ? Self.placeByteCount : available
            if isShared {
                sharedCount -= 1
                segments[first].shared?.holderCount -= 1
            }
            segments[first] = Segment(bytes: [], start: 0)
            first += 1
        }
        dropSpent()
        ownByteCount -= own
        return result
    }
}

extension Socket {
    /// Offers the first bytes of a queue to the kernel, up to a limit; what it takes leaves the
    /// queue.
    func send(_ queue: OutputQueue, upTo limit: Int = .max) throws(SocketError) -> SendResult {
        try queue.send(to: self, upTo: limit)
    }

    func send(_ bytes: UnsafeRawBufferPointer) throws(SocketError) -> SendResult {
        guard let start = bytes.baseAddress else { return .bytes(0) }
        return try send(start, count: bytes.count)
    }

    func send(
        _ first: UnsafeRawBufferPointer, then second: UnsafeRawBufferPointer
    ) throws(SocketError) -> SendResult {
        try withUnsafeTemporaryAllocation(of: iovec.self, capacity: 2) {
            vector throws(SocketError) in
            vector[0] = iovec(first)
            vector[1] = iovec(second)
            return try send(vector)
        }
    }
}

extension iovec {
    fileprivate init(_ bytes: UnsafeRawBufferPointer) {
        self.init(
            iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress), iov_len: bytes.count)
    }
}
