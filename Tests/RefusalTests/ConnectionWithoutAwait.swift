// SPDX-License-Identifier: Apache-2.0
//
// A connection is reached from another actor by `await` alone, also from one that may be elsewhere.

import Sluice

actor Elsewhere {
    func end(_ connection: Connection) async {
        connection.close()  // expected-error {{actor-isolated instance method 'close()' cannot be called from outside of the actor}}
    }
}
