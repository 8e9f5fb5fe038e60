// SPDX-License-Identifier: Apache-2.0
//
// What blocks its thread is refused in async code: it would hold up a thread that others need.

import Sluice

func serve() async throws {
    let reactor = try Reactor()
    reactor.run()  // expected-error {{it blocks the thread: tasks run on a reactor that runs elsewhere}}
    reactor.run(until: { true })  // expected-error {{it blocks the thread}}
    reactor.runOnce()  // expected-error {{it blocks the thread}}
}

func ask(_ name: String) async throws {
    _ = try HostName.addresses(of: name)  // expected-error {{it blocks the thread}}
    _ = try HostName.name(of: .v4(0x7F00_0001))  // expected-error {{it blocks the thread}}
    _ = try Channel.connected(to: .loopback(port: 7))  // expected-error {{it blocks the thread}}
    _ = try Channel.connected(to: .host(name, port: 7))  // expected-error {{it blocks the thread: 'await Connection.connect(to:on:)'}}
    _ = try ServerSocket(at: .loopback(port: 0)).accept()  // expected-error {{it blocks the thread: 'ServerGroup' accepts for tasks}}
}

func read(_ channel: Channel) async throws {
    _ = try channel.readTextAndClose()  // expected-error {{it blocks the thread}}
    _ = try channel.readLinesAndClose()  // expected-error {{it blocks the thread}}
}

func end(_ group: ReactorGroup) async {
    group.stopAndWait()  // expected-error {{it blocks the thread: 'await group.stop()'}}
}
