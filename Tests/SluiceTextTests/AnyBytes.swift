// SPDX-License-Identifier: Apache-2.0
//
// Bytes that nobody would send, in every encoding there is: nothing traps, nothing is lost and
// nothing hangs.

import SluiceText
import TestSupport
import Testing

@Suite
struct AnyBytes {
    /// Encodings of the system with states, pairs and accents of every kind.
    private static let strange = [
        "armscii-8", "big5-hkscs", "euc-jisx0213", "euc-tw", "gb18030", "ibm930", "ibm1364",
        "iso-2022-cn", "iso-2022-cn-ext", "iso-2022-jp-2", "iso-2022-jp-3", "iso_6937", "johab",
        "shift_jisx0213", "t.61", "tcvn5712-1", "tscii", "ucs-2", "ucs-4", "utf-7", "utf-7-imap",
    ]

    /// Bytes that begin sequences in one encoding or another, and all others.
    private func bytes(_ random: inout Lottery) -> [UInt8] {
        let special: [UInt8] = [
            0x00, 0x0A, 0x0D, 0x0E, 0x0F, 0x1B, 0x24, 0x28, 0x29, 0x2B, 0x2D, 0x41, 0x42, 0x81,
            0x88, 0xA4, 0xC2, 0xD8, 0xFE, 0xFF,
        ]
        return (0..<Int.random(in: 0...40, using: &random)).compactMap { _ in
            Bool.random(using: &random)
                ? special.randomElement(using: &random) : UInt8.random(in: 0...255, using: &random)
        }
    }

    @Test(arguments: TextEncoding.names + strange)
    func `all bytes become lines and text`(name: String) throws {
        var random = Lottery(seed: 5)
        for _ in 0..<20 {
            let bytes = bytes(&random)
            for translation in LineTranslation.allCases {
                let options = try TextOptions.of(name) {
                    $0.errorPolicy = .replacing
                    $0.inputTranslation = translation
                }
                let lines = Feed(options, bytes)
                _ = try lines.lines()
                _ = try lines.lines(isLast: true)
                #expect(lines.bytes.isEmpty)
                let text = Feed(options, bytes)
                while let taken = try text.text(upTo: 3), !taken.isEmpty {}
                while let taken = try text.text(upTo: 3, isLast: true), !taken.isEmpty {}
                #expect(text.bytes.isEmpty)
            }
        }
    }

    @Test(arguments: TextEncoding.names + strange)
    func `an error is about bytes that are there`(name: String) throws {
        var random = Lottery(seed: 6)
        let options = try TextOptions.of(name)
        for _ in 0..<20 {
            let feed = Feed(options, bytes(&random))
            var steps = 0
            while steps < 200 {
                steps += 1
                do throws(TextError) {
                    let text = try feed.text(upTo: 2, isLast: true)
                    if text == "" && feed.bytes.isEmpty { break }
                } catch {
                    guard case .undecodable(let bad, _) = error else { throw error }
                    #expect(!bad.isEmpty)
                    // An escape sequence may stand before them.
                    #expect(feed.bytes.indices.contains { feed.bytes[$0...].starts(with: bad) })
                    _ = feed.takeRaw(1)
                }
            }
            #expect(feed.bytes.isEmpty)
        }
    }

    @Test(arguments: TextEncoding.names + strange)
    func `all text becomes bytes`(name: String) throws {
        var random = Lottery(seed: 7)
        var output = TextOutput(try .of(name) { $0.errorPolicy = .replacing })
        var bytes: [UInt8] = []
        for _ in 0..<50 {
            let scalars = (0..<Int.random(in: 0...9, using: &random)).compactMap { _ in
                Unicode.Scalar(UInt32.random(in: 0...0x11_0000, using: &random))
            }
            try output.append(String(String.UnicodeScalarView(scalars)), to: &bytes)
        }
        output.finish(into: &bytes)
        #expect(!bytes.isEmpty)
    }
}
