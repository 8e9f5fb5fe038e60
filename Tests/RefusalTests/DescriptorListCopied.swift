// SPDX-License-Identifier: Apache-2.0
//
// Descriptors that were received have one owner: two lists would close each number twice.

import Sluice

func copies(_ list: consuming DescriptorList) -> Int {  // expected-error {{'list' consumed more than once}}
    let first = list  // expected-note {{consumed here}}
    let second = list  // expected-note {{consumed again here}}
    return first.count + second.count
}
