// SPDX-License-Identifier: Apache-2.0
//
// How much memory this process has asked for and how much it has: what grows with every turn is seen
// here.

import Glibc

/// How much address space this process has.
public func virtualByteCount() -> Int { pageCounts().first.map(bytes) ?? 0 }

/// How much memory this process has.
public func residentByteCount() -> Int { pageCounts().dropFirst().first.map(bytes) ?? 0 }

private func bytes(of pageCount: Int) -> Int { pageCount * sysconf(CInt(_SC_PAGESIZE)) }

/// The numbers of `/proc/self/statm`: pages asked for, pages there, and others.
private func pageCounts() -> [Int] {
    guard let file = fopen("/proc/self/statm", "r") else { return [] }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 256)
    guard fgets(&line, 256, file) != nil else { return [] }
    let text = String(decoding: line.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return text.split(separator: " ").compactMap { Int($0) }
}
