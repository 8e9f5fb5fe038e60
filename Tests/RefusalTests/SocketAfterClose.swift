// SPDX-License-Identifier: Apache-2.0
//
// A socket that was closed is gone: nothing can be asked of it any more.

import Sluice

func numberOfNothing(_ socket: consuming Socket) throws -> CInt {  // expected-error {{'socket' used after consume}}
    try socket.close()  // expected-note {{consumed here}}
    return socket.number  // expected-note {{used here}}
}
