// SPDX-License-Identifier: Apache-2.0
//
// What poll(2) knows of the other end of a descriptor, found without reading.
// libevent reports an error as readable and writable only, so who waits for neither has to ask.

import CSystemCalls
import Glibc

/// How the other end of a descriptor is doing.
struct PeerState {
    /// The peer sends no more.
    let isFinished: Bool
    /// The connection has failed.
    let isFailed: Bool

    /// Asks the kernel.
    ///
    /// Source: poll(2), `POLLRDHUP`.
    init(of number: CInt) {
        var question = pollfd(fd: number, events: csystem_poll_peer_closed, revents: 0)
        let count = SystemCall.poll.made { Glibc.poll(&question, 1, 0) }
        let answer = count > 0 ? CInt(question.revents) : 0
        isFinished = answer & (CInt(csystem_poll_peer_closed) | POLLHUP) != 0
        isFailed = answer & POLLERR != 0
    }
}
