// SPDX-License-Identifier: Apache-2.0
//
// A socket has one owner: two places can't both close it.

import Sluice

func owners(_ socket: consuming Socket) -> (Int, Int) {  // expected-error {{'socket' consumed more than once}}
    let first = socket  // expected-note {{consumed here}}
    let second = socket  // expected-note {{consumed again here}}
    return (Int(first.number), Int(second.number))
}
