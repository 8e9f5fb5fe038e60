// SPDX-License-Identifier: Apache-2.0
//
// Bytes that were read and that nobody has consumed yet, in one piece.
// It has storage only while it holds something, and a little rest keeps no large storage.

/// Unconsumed input.
struct InputQueue {
    private var storage: [UInt8] = []
    /// How many bytes of it were consumed.
    private var head = 0

    var byteCount: Int { storage.count - head }
    var isEmpty: Bool { byteCount == 0 }
    /// For how many bytes there is room: about four times as many as are kept at most, or 4 KiB.
    var capacity: Int { storage.capacity }

    /// So little is kept rather than copied.
    private static let smallCapacity = 4_096

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        // No more is moved than was consumed.
        if head > 0, head >= byteCount {
            storage.removeFirst(head)
            head = 0
        }
        storage.append(contentsOf: bytes)
    }

    mutating func drop(_ count: Int) {
        head += count
        if head >= storage.count {
            storage = []
            head = 0
        } else if capacity > Self.smallCapacity, capacity / 4 > byteCount {
            // What came with a large message goes with it, though the next one has begun.
            storage = Array(storage[head...])
            head = 0
        }
    }

    /// Takes the whole queue, so that its bytes stay put while a handler looks at them.
    mutating func take() -> InputQueue {
        var taken = InputQueue()
        swap(&self, &taken)
        return taken
    }

    /// Puts what is left of a taken queue before what has come since.
    mutating func putBack(_ rest: consuming InputQueue) {
        if rest.isEmpty { return }
        if !isEmpty { withBytes { bytes in bytes.withUnsafeBytes { rest.append($0) } } }
        self = rest
    }

    func withBytes<Result, Failure: Error>(
        _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(storage.span.bytes.extracting(droppingFirst: head))
    }
}
