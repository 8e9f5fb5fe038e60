// SPDX-License-Identifier: Apache-2.0
//
// Characters that were decoded and not delivered yet, each with the bytes it stands for.
// Decoding a stateful encoding twice would go wrong, and a long line must not be read again.

/// Characters that were decoded ahead of delivery, in order.
///
/// Offsets count bytes from the front, the first byte that was not delivered.
struct DecodedAhead {
    private struct Character {
        /// Where its bytes end in the stream.
        var end: Int
        /// How many they are, without those of an escape sequence that it claimed.
        var byteCount: UInt32
        /// Its number, or ``none``.
        var value: UInt32

        /// Stands for bytes that are no character.
        static let none = UInt32.max
    }

    private var storage: [Character] = []
    private var head = 0
    /// Where the front is in the stream.
    private var front = 0
    /// Where decoding goes on in the stream.
    private var position = 0

    var count: Int { storage.count - head }
    /// For how many characters there is room.
    var capacity: Int { storage.capacity }

    /// How many bytes were decoded.
    var byteCount: Int { position - front }

    /// The character at an index, or `nil` for bytes that are none.
    subscript(_ index: Int) -> Unicode.Scalar? { Unicode.Scalar(storage[head + index].value) }

    /// The bytes of the character at an index; those of an escape sequence before it are not.
    func bytes(at index: Int) -> Range<Int> {
        let character = storage[head + index]
        let end = character.end - front
        return end - Int(character.byteCount)..<end
    }

    /// Where the first characters end.
    func end(of characters: Int) -> Int {
        characters == 0 ? 0 : storage[head + characters - 1].end - front
    }

    /// Adds a character, or bytes that are none, behind what was decoded.
    mutating func append(_ scalar: Unicode.Scalar?, byteCount: Int) {
        position += byteCount
        storage.append(
            Character(
                end: position, byteCount: UInt32(byteCount),
                value: scalar?.value ?? Character.none))
    }

    /// Steps over bytes that are no character by themselves; the next character claims them.
    mutating func appendSilent(byteCount: Int) { position += byteCount }

    /// Forgets the first characters; answers how many bytes they stand for.
    mutating func drop(_ characters: Int) -> Int {
        let dropped = end(of: characters)
        front += dropped
        head += characters
        if head == storage.count {
            // A large line is rare: what it took is given back.
            storage.removeAll(keepingCapacity: storage.capacity <= 1_024)
            head = 0
        } else if head >= 64, head > storage.count / 2 {
            // Also where one always stays: what is spent is no more than what is left.
            storage = Array(storage[head...])
            head = 0
        }
        return dropped
    }

    /// Forgets everything, also bytes that no character claimed; answers how many bytes.
    mutating func dropAll() -> Int {
        let dropped = byteCount
        _ = drop(count)
        front = position
        return dropped
    }

    /// Forgets everything, to begin again at the front.
    mutating func clear() { self = DecodedAhead() }
}
