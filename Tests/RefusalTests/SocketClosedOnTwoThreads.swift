// SPDX-License-Identifier: Apache-2.0
//
// A socket is closed once: what two threads could reach neither of them can close, and what is
// lent does not outlive the loan.

import Sluice

func closeOnTwoThreads(_ socket: consuming Socket) {
    let socket = socket
    Task.detached {  // expected-error {{risks causing data races}} expected-note {{risks causing races}}
        try socket.close()  // expected-error {{'socket' cannot be consumed when captured by an escaping closure}}
    }
    Task.detached {  // expected-note {{access can happen concurrently}}
        try socket.close()  // expected-error {{'socket' cannot be consumed when captured by an escaping closure}}
    }
}

func keepWhatIsLent(_ socket: borrowing Socket) {  // expected-error {{'socket' cannot be captured by an escaping closure}}
    Task.detached { print(socket.number) }  // expected-note {{closure capturing 'socket' here}}
}
