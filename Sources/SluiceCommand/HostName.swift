// SPDX-License-Identifier: Apache-2.0
//
// The address of a name, asked for once at the start and with waiting.

import Glibc
import Sluice

/// Names to listen on.
enum HostName {
    /// The address that is written, or the first one of a name; `nil` where there is none.
    static func address(of name: String) -> IPAddress? {
        if let address = IPAddress(name) { return address }
        var answer: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(name, nil, nil, &answer) == 0, let answer else { return nil }
        defer { freeaddrinfo(answer) }
        return numeric(answer.pointee).flatMap { IPAddress($0) }
    }

    private static func numeric(_ entry: addrinfo) -> String? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(NI_MAXHOST)) { buffer in
            guard let start = buffer.baseAddress else { return nil }
            let failure = getnameinfo(
                entry.ai_addr, entry.ai_addrlen, start, socklen_t(buffer.count), nil, 0,
                NI_NUMERICHOST)
            return failure == 0 ? String(cString: start) : nil
        }
    }
}
