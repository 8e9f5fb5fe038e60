// SPDX-License-Identifier: Apache-2.0
//
// A watch of a signal ends once.

import Sluice

func endTwice(_ watch: consuming SignalWatch) {  // expected-error {{'watch' consumed more than once}}
    watch.end()  // expected-note {{consumed here}}
    watch.end()  // expected-note {{consumed again here}}
}
