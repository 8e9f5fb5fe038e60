// SPDX-License-Identifier: Apache-2.0
//
// The bytes that a handler is lent end with the call: no variable outside may take them.

import Sluice

func keep(_ channel: Channel) {
    var last = RawSpan()
    channel.onBytes { _, bytes in  // expected-error {{lifetime-dependent variable 'bytes' escapes its scope}} expected-note {{it depends on the lifetime of argument 'bytes'}}
        last = bytes  // expected-note {{this use causes the lifetime-dependent value to escape}}
    }
    channel.onClose { _, _ in print(last.byteCount) }
}
