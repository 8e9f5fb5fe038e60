// SPDX-License-Identifier: Apache-2.0
//
// The bytes of a message for many: in memory once, however many queues they wait in.

/// Bytes that the queues of several channels of a reactor have in common.
final class SharedBytes {
    let bytes: [UInt8]
    private let account: BufferAccount
    private(set) var isCounted = false
    /// How many queues have them.
    var holderCount = 0
    /// Held for others who are still to get them, too.
    var isUnderWay = false

    init(_ bytes: [UInt8], _ account: BufferAccount) {
        self.bytes = bytes
        self.account = account
    }

    deinit { if isCounted { account.add(-bytes.count) } }

    /// How many bytes the end of one of those who have them gives back, if the others end as well.
    var share: Int { isUnderWay ? 0 : bytes.count / max(1, holderCount) }

    /// Somebody keeps them from now on: they count, once.
    func countOnce() {
        if isCounted { return }
        isCounted = true
        account.add(bytes.count)
    }
}
