// SPDX-License-Identifier: Apache-2.0
//
// The bytes that a connection lends are the reactor's own memory, and gone when the closure returns.

import Sluice

func keep(_ connection: isolated Connection) async throws {
    var kept: RawSpan?  // expected-error {{lifetime-dependent variable 'kept' escapes its scope}}
    try await connection.read { bytes in  // expected-note {{it depends on the lifetime of argument 'bytes'}}
        kept = bytes
    }  // expected-note {{this use causes the lifetime-dependent value to escape}}
    print(kept == nil)
}
