// SPDX-License-Identifier: Apache-2.0
//
// A folder for the files of one test, such as Unix sockets.

import Glibc
import Sluice

/// A new folder that is removed, if it is empty again, when its life ends.
final class TemporaryFolder {
    let path: String

    init() throws {
        var template = Array("/tmp/sluice-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw SocketError(.create, ErrorCode(rawValue: errno))
        }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { rmdir(path) }
}
