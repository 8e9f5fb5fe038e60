// SPDX-License-Identifier: Apache-2.0
//
// A channel stays on its reactor's thread: no task may take it away.

import Sluice

func closeElsewhere(_ channel: Channel) {
    Task.detached {  // expected-error {{risks causing data races}}
        channel.close()  // expected-note {{closure captures 'channel' which is accessible to code in the current task}}
    }
}
