// SPDX-License-Identifier: Apache-2.0
//
// A process that can have only so many descriptors more.

import Glibc

/// Lets this process have only so many descriptors more while `body` runs.
public func withDescriptors<Result: ~Copyable>(
    spare: Int, _ body: () throws -> Result
) rethrows -> Result {
    let kind = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    var limit = rlimit()
    getrlimit(kind, &limit)
    defer { setrlimit(kind, &limit) }
    // The limit is one of numbers: it stands at the first free one that is not to be had.
    let free = (0..<CInt(4_096)).lazy.filter { fcntl($0, F_GETFD, 0) < 0 }
    var low = limit
    low.rlim_cur = rlim_t(free.dropFirst(spare).first ?? 4_096)
    setrlimit(kind, &low)
    return try body()
}
