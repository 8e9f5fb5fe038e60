// SPDX-License-Identifier: Apache-2.0
//
// A server stays on its reactor's thread: no task may take it away.

import Sluice

func drainElsewhere(_ server: Server) {
    Task.detached {  // expected-error {{risks causing data races}}
        server.close()  // expected-note {{closure captures 'server' which is accessible to code in the current task}}
    }
}
