// SPDX-License-Identifier: Apache-2.0
//
// A charset that was there and cannot be opened now, as when memory or descriptors ran out.

import Testing

@testable import SluiceText

@Suite
struct FailingConversions {
    private var options: TextOptions {
        var options = TextOptions()
        let charset = Charset(
            name: "no-such-charset", characters: nil, holdsBack: false, unitByteCount: 1)
        options.encoding = TextEncoding(name: "gone", form: .charset(charset))
        return options
    }

    @Test(arguments: [TextErrorPolicy.strict, .replacing])
    func `input is an error and consumes nothing`(policy: TextErrorPolicy) {
        var options = options
        options.errorPolicy = policy
        let feed = Feed(options, "a\n".bytes)
        #expect(throws: TextError.unknownEncoding("gone")) { _ = try feed.line() }
        #expect(throws: TextError.unknownEncoding("gone")) { _ = try feed.text(isLast: true) }
        #expect(feed.bytes == "a\n".bytes)
    }

    @Test(arguments: [TextErrorPolicy.strict, .replacing])
    func `output is an error and appends nothing`(policy: TextErrorPolicy) {
        var options = options
        options.errorPolicy = policy
        options.outputEndMark = "\u{1A}"
        var output = TextOutput(options)
        var bytes: [UInt8] = []
        #expect(throws: TextError.unknownEncoding("gone")) { try output.append("a", to: &bytes) }
        output.finish(into: &bytes)
        #expect(bytes.isEmpty)
    }

    @Test func `a line feed that was to be swallowed stays until a line can be read`() throws {
        let feed = Feed(TextOptions(), "a\r".bytes)
        #expect(try feed.line() == "a")
        feed.change { $0.encoding = options.encoding }
        #expect(throws: TextError.unknownEncoding("gone")) { _ = try feed.line("\nb".bytes) }
        #expect(feed.takeRaw(1) == "b".bytes)
    }
}
