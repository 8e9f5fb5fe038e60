// SPDX-License-Identifier: Apache-2.0
//
// A listener and a server only accept: nothing is read from them or written to them, and they have
// no handlers of readiness.

import Sluice

// T20
func readingAndWritingAListener(_ listener: Listener, _ server: Server) throws {
    try listener.read { _ in }  // expected-error {{value of type 'Listener' has no member 'read'}}
    try listener.readLine()  // expected-error {{value of type 'Listener' has no member 'readLine'}}
    try listener.write("x")  // expected-error {{value of type 'Listener' has no member 'write'}}
    try listener.flush()  // expected-error {{value of type 'Listener' has no member 'flush'}}
    listener.onReadable { _ in }  // expected-error {{value of type 'Listener' has no member 'onReadable'}}
    listener.onWritable { _ in }  // expected-error {{value of type 'Listener' has no member 'onWritable'}}
    try server.read { _ in }  // expected-error {{value of type 'Server' has no member 'read'}}
    try server.write("x")  // expected-error {{value of type 'Server' has no member 'write'}}
    server.onReadable { _ in }  // expected-error {{value of type 'Server' has no member 'onReadable'}}
}

// T20
func readingAndWritingAServerSocket(_ socket: borrowing ServerSocket) throws {
    try socket.readLine()  // expected-error {{value of type 'ServerSocket' has no member 'readLine'}}
    try socket.write("x")  // expected-error {{value of type 'ServerSocket' has no member 'write'}}
}
