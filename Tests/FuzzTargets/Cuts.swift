// SPDX-License-Identifier: Apache-2.0
//
// Any bytes, in any encoding, by any rules, cut anywhere: the text must be the same as uncut.
// The first bytes of the input choose the settings and the cuts, the rest is what is read.

import SluiceText

private let encodings: [TextEncoding] = [
    "utf-8", "ascii", "iso8859-1", "utf-16be", "utf-16le", "utf-32be", "utf-32le", "shiftjis",
    "iso2022-jp", "euc-jp", "big5", "gb18030", "cp1252", "koi8-r",
].compactMap { try? TextEncoding(named: $0) }

/// What was read: lines or characters, and why it ended.
private struct Reading: Equatable {
    var pieces: [String] = []
    var error: TextError?
}

/// Reads everything, with the bytes coming in pieces.
private func read(
    _ bytes: ArraySlice<UInt8>, _ options: TextOptions, lines: Bool, limit: Int, pieces: [Int]
) -> Reading {
    var input = TextInput(options)
    var result = Reading()
    var held: [UInt8] = []
    var rest = bytes
    var sizes = pieces[...]
    var text = ""
    while true {
        let count = min(rest.count, sizes.popFirst() ?? rest.count)
        held += rest.prefix(count)
        rest = rest.dropFirst(count)
        let isLast = rest.isEmpty
        do throws(TextError) {
            while true {
                let piece =
                    lines
                    ? try input.nextLine(in: held.span.bytes, isLast: isLast)
                    : try input.take(upTo: limit, from: held.span.bytes, isLast: isLast)
                precondition((0...held.count).contains(piece.byteCount), "drops what is not there")
                held.removeFirst(piece.byteCount)
                guard let found = piece.text, lines || !found.isEmpty else { break }
                if lines { result.pieces.append(found) } else { text += found }
            }
        } catch {
            // Before the end another piece may still complete a character.
            if isLast || lines {
                result.error = error
                break
            }
        }
        if isLast { break }
    }
    if !lines { result.pieces = [text] }
    return result
}

private func run(_ data: [UInt8]) {
    guard data.count > 8 else { return }
    var options = TextOptions()
    options.encoding = encodings[Int(data[0]) % encodings.count]
    let translations = LineTranslation.allCases
    options.inputTranslation = translations[Int(data[1]) % translations.count]
    options.outputTranslation = translations[Int(data[1] >> 4) % translations.count]
    options.errorPolicy = data[2] & 1 == 0 ? .strict : .replacing
    if data[2] & 2 != 0 { options.inputEndMark = Unicode.Scalar(UInt8(max(1, data[3] & 127))) }
    options.lineLimit = data[2] & 4 == 0 ? 1 << 20 : Int(data[3])
    let cuts = data[4..<8].map { Int($0 % 16) + 1 }
    let many = (0..<16).flatMap { _ in cuts }
    for lines in [true, false] {
        let limit = Int(data[3] % 9) + 1
        let whole = read(data[8...], options, lines: lines, limit: limit, pieces: [])
        let cut = read(data[8...], options, lines: lines, limit: limit, pieces: many)
        precondition(whole == cut, "cut: \(cut), whole: \(whole)")
        for text in whole.pieces { writeAndReadAgain(text, options) }
    }
}

/// What can be written is read again as it was.
private func writeAndReadAgain(_ text: String, _ options: TextOptions) {
    // An escape character in a text begins an escape sequence on the wire.
    if text.unicodeScalars.contains("\u{1B}") { return }
    var options = options
    options.inputTranslation = .lf
    options.outputTranslation = .lf
    options.inputEndMark = nil
    options.errorPolicy = .strict
    options.lineLimit = 1 << 20
    var output = TextOutput(options)
    var bytes: [UInt8] = []
    do throws(TextError) {
        try output.append(text, to: &bytes)
    } catch {
        return  // Replacements are in no legacy encoding.
    }
    output.finish(into: &bytes)
    let again = read(bytes[...], options, lines: false, limit: .max, pieces: [])
    if again.pieces != [text] {
        print("written: \(bytes), read: \(again), was: \(text.debugDescription)", options.encoding)
        preconditionFailure()
    }
}

/// What libFuzzer calls with each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    run(Array(UnsafeBufferPointer(start: start, count: count)))
    return 0
}
