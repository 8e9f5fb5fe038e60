// SPDX-License-Identifier: Apache-2.0
//
// The C library's databases of hosts, services and protocols, by the calls that threads may share.
// Each writes its answer into memory that the caller lends, and says when it was too little.

import CSystemCalls
import Glibc

/// The C library's databases.
///
/// Source: gethostbyname_r(3), getservbyname_r(3), getprotobyname_r(3).
enum SystemDatabase {
    /// One of C's lists of texts, with a null pointer at its end.
    typealias List = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>

    private static let mostBytes = 1 << 20

    /// Asks, with more memory where it was not enough, up to 1 MiB.
    ///
    /// The record and what it points to are read while both are in place.
    ///
    /// - Returns: the number that the call returned, `ERANGE` where 1 MiB was not enough; and the
    ///   answer, where there is one.
    static func ask<Record, Answer>(
        for empty: Record,
        _ question: (
            UnsafeMutablePointer<Record>, UnsafeMutableBufferPointer<CChar>,
            inout UnsafeMutablePointer<Record>?
        ) -> CInt,
        reading read: (Record) -> Answer
    ) -> (code: CInt, answer: Answer?) {
        var byteCount = 4_096
        while true {
            var code: CInt = 0
            let answer: Answer? = withUnsafeTemporaryAllocation(
                of: CChar.self, capacity: byteCount
            ) { memory in
                var record = empty
                return withUnsafeMutablePointer(to: &record) { record in
                    var found: UnsafeMutablePointer<Record>?
                    code = question(record, memory, &found)
                    return code == 0 ? found.map { read($0.pointee) } : nil
                }
            }
            byteCount *= 4
            if code != ERANGE || byteCount > mostBytes { return (code, answer) }
        }
    }

    /// The elements of one of C's lists.
    static func elements(of list: List?) -> [UnsafeMutablePointer<CChar>] {
        var elements: [UnsafeMutablePointer<CChar>] = []
        var place = list
        while let next = place, let element = next.pointee {
            elements.append(element)
            place = next + 1
        }
        return elements
    }

    /// The texts of one of C's lists.
    static func texts(of list: List?) -> [String] {
        elements(of: list).map { String(cString: $0) }
    }

    /// Whether C would take the text whole, and not only what stands before a zero.
    static func canAsk(for text: String?) -> Bool { text?.utf8.contains(0) != true }
}
