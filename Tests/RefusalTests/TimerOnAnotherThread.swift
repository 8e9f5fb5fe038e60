// SPDX-License-Identifier: Apache-2.0
//
// A timer is cancelled on its reactor's thread only.

import Sluice

func cancelElsewhere(_ timer: Timer) {
    Task.detached {  // expected-error {{risks causing data races}}
        timer.cancel()  // expected-note {{closure captures 'timer' which is accessible to code in the current task}}
    }
}
