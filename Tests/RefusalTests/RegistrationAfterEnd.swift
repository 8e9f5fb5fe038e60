// SPDX-License-Identifier: Apache-2.0
//
// A registration that was ended is gone: it can't be changed any more.

import Sluice

func changeNothing(_ watch: consuming Registration) throws {  // expected-error {{'watch' used after consume}}
    watch.end()  // expected-note {{consumed here}}
    try watch.change(to: .writable)  // expected-note {{used here}}
}
