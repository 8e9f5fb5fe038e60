// SPDX-License-Identifier: Apache-2.0
//
// Options are for one side, have one type and one place: those of a client are no server's, and none
// can stand where another belongs.

import Sluice

// T9, T10
func clientsOptionsOnAServer(_ server: Server, _ address: SocketAddress) {
    var options = ServerOptions()
    options.localPort = 7  // expected-error {{value of type 'ServerOptions' has no member 'localPort'}}
    options.listener.localPort = 7  // expected-error {{value of type 'ListenerOptions' has no member 'localPort'}}
    _ = server.open(address)  // expected-error {{value of type 'Server' has no member 'open'}}
}

// T7
func optionsInAWrongPlace(_ address: SocketAddress, _ options: ClientOptions) throws {
    _ = try Channel.connected(to: address, options)  // expected-error {{missing argument label 'options:' in call}}
    _ = try Channel.connected(options: options, to: address)  // expected-error {{argument 'to' must precede argument 'options'}}
    _ = try Channel.connected(to: address, localPort: 7)  // expected-error {{extra argument 'localPort' in call}}
    _ = options.backlog  // expected-error {{value of type 'ClientOptions' has no member 'backlog'}}
}

// T7
func optionsOfAWrongType() {
    var options = ClientOptions()
    options.localPort = "http"  // expected-error {{cannot assign value of type 'String' to type 'UInt16'}}
    options.timeout = 10  // expected-error {{cannot assign value of type 'Int' to type 'Duration'}}
}
