// SPDX-License-Identifier: Apache-2.0
//
// How much memory this process has asked for: what grows with every turn is seen here.

import Glibc

/// How much address space this process has.
public func virtualByteCount() -> Int {
    guard let file = fopen("/proc/self/statm", "r") else { return 0 }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 256)
    guard fgets(&line, 256, file) != nil else { return 0 }
    let text = String(
        decoding: line.prefix { $0 != 32 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return (Int(text) ?? 0) * sysconf(CInt(_SC_PAGESIZE))
}
