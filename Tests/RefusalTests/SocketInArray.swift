// SPDX-License-Identifier: Apache-2.0
//
// A socket can't be kept where copies are made, such as in two elements of an array.

import Sluice

func copies(_ socket: consuming Socket) -> Int {
    let sockets = [socket, socket]  // expected-error {{requires that 'Socket' conform to 'Copyable'}}
    return sockets.count
}
