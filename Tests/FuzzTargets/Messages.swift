// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as what a name server answers: alone, and behind the question that was asked.
// Whatever is let through is sound, and no name comes out of it that no host may have.

import Sluice
import SluiceDNS

private func run(_ data: [UInt8]) {
    guard let name = DNSName("www.example.org") else { return }
    let kinds: [RecordKind] = [.a, .aaaa, .pointer, .service, .text, .authority]
    for kind in kinds {
        let question = DNSQuestion(name, kind)
        check(data, question)
        guard data.count >= 4 else { continue }
        // With as many records as the first bytes say: else few inputs come so far.
        var message = question.message(id: 0x1234, datagramByteCount: nil)
        message[2] = 0x81 | data[0] & 2
        message[3] = 0x80 | data[0] >> 4
        (message[7], message[9], message[11]) = (data[1], data[2], data[3])
        check(message + data[4...], question)
    }
    readNames(data)
}

private func check(_ bytes: [UInt8], _ question: DNSQuestion) {
    for isDatagram in [true, false] { check(bytes, question, isDatagram: isDatagram) }
}

private func check(_ bytes: [UInt8], _ question: DNSQuestion, isDatagram: Bool) {
    let verdict = AnswerCheck.verdict(
        on: bytes, byteCount: bytes.count, isDatagram: isDatagram
    ) { id in
        id == 0x1234 ? (question, 1_232) : nil
    }
    guard case .answer(let message) = verdict else { return }
    precondition(message.id == 0x1234 && message.question == question)
    precondition(bytes.count <= 1_232)
    let answer = ServerAnswer(message, to: question)
    guard case .found(let records, let seconds, _) = answer else { return follow(answer) }
    precondition(seconds <= 0x7FFF_FFFF)
    switch records {
    case .addresses(let addresses):
        precondition(!addresses.isEmpty && Set(addresses).count == addresses.count)
    case .names(let names): precondition(!names.isEmpty && names.allSatisfy(isHost))
    case .services(let services):
        precondition(!services.isEmpty && services.allSatisfy { isHost($0.host) })
    case .texts(let texts):
        precondition(!texts.isEmpty && texts.allSatisfy { !$0.pieces.isEmpty })
    }
}

/// A search ends, whatever it is told.
private func follow(_ answer: ServerAnswer) {
    let domains = ["example.org", "example.net"]
    guard var search = NameSearch("www", .a, in: domains, ndots: 1) else { return }
    var step = search.begin()
    var count = 0
    while case .ask = step {
        count += 1
        precondition(count <= 2 * (domains.count + 1))
        step = search.next(after: answer)
    }
}

private func isHost(_ name: String) -> Bool {
    !name.isEmpty
        && name.unicodeScalars.allSatisfy {
            ("0"..."9").contains($0) || ("a"..."z").contains($0) || ("A"..."Z").contains($0)
                || "-_.".unicodeScalars.contains($0)
        }
}

/// What can be written as a name is asked for as that.
private func readNames(_ data: [UInt8]) {
    guard let name = DNSName(String(decoding: data, as: UTF8.self)) else { return }
    precondition(name.bytes.count <= 255 && name.bytes.last == 0)
    var message = DNSQuestion(name, .text).message(id: 7, datagramByteCount: 1_232)
    message[2] |= 0x80
    precondition(
        DNSMessage(message)?.question == DNSQuestion(name, .text), "reads back differently")
}

/// What libFuzzer calls with each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    run(Array(UnsafeBufferPointer(start: start, count: count)))
    return 0
}
