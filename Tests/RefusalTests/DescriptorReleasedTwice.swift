// SPDX-License-Identifier: Apache-2.0
//
// A descriptor is given away once: two owners would close the number twice.

import Sluice

func releaseTwice(_ descriptor: consuming Descriptor) -> (CInt, CInt) {  // expected-error {{'descriptor' consumed more than once}}
    let first = descriptor.release()  // expected-note {{consumed here}}
    let second = descriptor.release()  // expected-note {{consumed again here}}
    return (first, second)
}
