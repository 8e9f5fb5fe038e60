// SPDX-License-Identifier: Apache-2.0
//
// A key fixes which way its option goes and the type of its value: nothing else compiles.

import Sluice

func change(_ socket: borrowing Socket, _ channel: Channel) throws {
    try socket.set(.isListening, to: true)  // expected-error {{this option can only be read}}
    try channel.set(.isListening, to: true)  // expected-error {{this option can only be read}}
    _ = try socket.get(.forcedReceiveBufferByteCount)  // expected-error {{this option can only be set}}
    _ = try channel.get(.forcedReceiveBufferByteCount)  // expected-error {{this option can only be set}}
}

func mistake(_ socket: borrowing Socket) throws {
    try socket.set(.noDelay, to: 1)  // expected-error {{cannot be used as a boolean}}
    let idle: Int = try socket.get(.keepAliveIdle)  // expected-error {{cannot convert value of type 'Duration'}}
    print(idle)
}
