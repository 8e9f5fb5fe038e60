// SPDX-License-Identifier: Apache-2.0
//
// A server has as many peers as clients, so there is no such thing as its peer.

import Sluice

// T27
func askingAServerForItsPeer(_ listener: Listener, _ server: Server) {
    _ = listener.peerAddress  // expected-error {{value of type 'Listener' has no member 'peerAddress'}}
    _ = server.peerAddress  // expected-error {{value of type 'Server' has no member 'peerAddress'}}
}

// T27
func askingAServerSocketForItsPeer(_ socket: borrowing ServerSocket) {
    _ = socket.peerAddress  // expected-error {{value of type 'ServerSocket' has no member 'peerAddress'}}
}
