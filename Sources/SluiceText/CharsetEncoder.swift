// SPDX-License-Identifier: Apache-2.0
//
// From scalars to the bytes of a charset of the system, by iconv(3).
// A text that has a character without bytes leaves the state as it was.

/// Encodes a charset of the system.
struct CharsetEncoder: ~Copyable {
    private let encoding: TextEncoding
    private let charset: Charset
    /// In the state that the bytes written so far led to.
    ///
    /// Opened at the first use, since a failure must reach a caller who can handle it.
    private var descriptor: IconvDescriptor?
    /// Tries a text out: what iconv(3) has converted it cannot take back.
    private var trial: IconvDescriptor?

    init(_ encoding: TextEncoding, _ charset: Charset) {
        self.encoding = encoding
        self.charset = charset
    }

    /// Appends the bytes of all scalars; where one has none, `?`, or none at all and an error.
    mutating func encode(
        _ scalars: [UInt32], replacing: Bool, into bytes: inout [UInt8]
    ) throws(TextError) {
        if !replacing {
            if trial == nil { trial = IconvDescriptor(encoding: charset.name) }
            var tried: [UInt8] = []
            let bad = trial?.encode(scalars, replacing: false, into: &tried)
            trial?.close(into: &tried)
            if let bad = bad.flatMap(Unicode.Scalar.init) { throw .unencodable(bad, encoding) }
        }
        if descriptor == nil { descriptor = IconvDescriptor(encoding: charset.name) }
        guard descriptor != nil, replacing || trial != nil else {
            throw .unknownEncoding(encoding.name)
        }
        _ = descriptor?.encode(scalars, replacing: true, into: &bytes)
    }

    /// Appends what returns the charset to its initial state.
    mutating func close(into bytes: inout [UInt8]) { descriptor?.close(into: &bytes) }
}

extension IconvDescriptor {
    /// Appends the bytes of scalars; answers the first one that has none.
    ///
    /// When `replacing`, that is `nil`: `?` stands for each such scalar.
    fileprivate mutating func encode(
        _ scalars: [UInt32], replacing: Bool, into bytes: inout [UInt8]
    ) -> UInt32? {
        var index = 0
        var runEnd = 0
        while index < scalars.count {
            if index == runEnd {
                let rest = scalars[(index + 1)...]
                let isTag = Self.isTag(scalars[index])
                runEnd = isTag ? index + 1 : rest.firstIndex(where: Self.isTag) ?? scalars.count
            }
            let step = convert(scalars[index..<runEnd], into: &bytes)
            let isDropped = Self.isTag(scalars[index]) && step.produced == 0
            if !isDropped {
                index += step.consumed / 4
                if step.stop == .finished || step.stop == .full && step.consumed > 0 { continue }
            }
            if !replacing { return scalars[index] }
            _ = convert([0x3F], into: &bytes)
            index += 1
        }
        return nil
    }

    /// Appends what returns the charset to its initial state.
    fileprivate mutating func close(into bytes: inout [UInt8]) {
        withUnsafeTemporaryAllocation(byteCount: 64, alignment: 1) { room in
            let produced = reset(into: room)
            bytes.append(contentsOf: room[..<produced])
        }
    }

    /// Whether this is one of the characters U+E0000 to U+E007F, which glibc leaves out without
    /// a word where a charset has no bytes for them.
    private static func isTag(_ scalar: UInt32) -> Bool { scalar >> 7 == 0xE_0000 >> 7 }

    private mutating func convert(
        _ scalars: ArraySlice<UInt32>, into bytes: inout [UInt8]
    ) -> Progress {
        withUnsafeTemporaryAllocation(byteCount: 1_024, alignment: 1) { room in
            let step = scalars.withUnsafeBytes { convert($0, into: room) }
            bytes.append(contentsOf: room[..<step.produced])
            return step
        }
    }
}
