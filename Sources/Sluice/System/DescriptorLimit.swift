// SPDX-License-Identifier: Apache-2.0
//
// How many descriptors this process may hold.
// A server for very many connections raises the soft limit to the hard one at its start.

import Glibc

/// How many descriptors this process may have open.
///
/// Source: getrlimit(2), `RLIMIT_NOFILE`.
public enum DescriptorLimit {
    /// The limit in force.
    public static var current: Int { limits().soft }

    /// The limit up to which this process may raise the one in force.
    public static var highest: Int { limits().hard }

    /// Raises the limit in force to the highest and returns what is in force then.
    @discardableResult
    public static func raise() -> Int {
        var values = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &values) == 0 else {
            return current
        }
        values.rlim_cur = values.rlim_max
        // When this fails the old limit stays in force, which is what is returned.
        _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &values)
        return current
    }

    private static func limits() -> (soft: Int, hard: Int) {
        var values = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &values) == 0 else {
            return (0, 0)
        }
        return (Int(clamping: values.rlim_cur), Int(clamping: values.rlim_max))
    }
}
