// SPDX-License-Identifier: Apache-2.0
//
// Names and addresses of hosts, asked of the system with the caller waiting.
// No network is needed: `localhost` is known everywhere, and `.invalid` nowhere (RFC 6761).

import Glibc
import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct HostNames {
    // A16
    @Test func `a host that is known has addresses`() throws {
        #expect(try HostName.addresses(of: "localhost").contains(.loopback))
    }

    // A16
    @Test(arguments: [("127.0.0.1", IPAddress.loopback), ("::1", .loopback6), ("0.0.0.0", .any)])
    func `a number is its own address`(_ number: String, _ address: IPAddress) throws {
        #expect(try HostName.addresses(of: number) == [address])
    }

    // A16
    @Test func `a number that is nobody's is its own address, and nobody is asked`() throws {
        let address = try #require(IPAddress("192.0.2.77"))
        #expect(try HostName.addresses(of: "192.0.2.77") == [address])
    }

    // A16, A19
    @Test func `a host that nobody knows is an error of names`() throws {
        let error = #expect(throws: ResolverError.self) {
            try HostName.addresses(of: "nobody.invalid")
        }
        let reason = try #require(error)
        #expect(reason.name == "nobody.invalid")
        #expect([.unknownName, .noAddress, .temporaryFailure].contains(reason.reason))
        #expect("\(reason)".hasPrefix("resolve nobody.invalid: "))
    }

    // A16
    @Test(arguments: [
        "", "\u{0}", "localhost\u{0}.invalid", "127.0.0.1\u{0}", String(repeating: "x", count: 300),
        String(repeating: "x.", count: 2_000), "a b", "256.256.256.256.256", "ü\u{0}",
    ])
    func `what is no name is an error`(_ name: String) {
        let error = #expect(throws: ResolverError.self) { try HostName.addresses(of: name) }
        #expect(error?.name == name)
    }

    // A17
    @Test func `an address that is known has a name`() throws {
        let name = try HostName.name(of: .loopback)
        #expect(!name.isEmpty)
        #expect(IPAddress(name) == nil)
        #expect(try HostName.addresses(of: name).contains(.loopback))
    }

    // A17, A19
    @Test func `an address without a name is an error of names`() throws {
        let address = try #require(IPAddress("192.0.2.77"))
        let error = #expect(throws: ResolverError.self) { try HostName.name(of: address) }
        #expect(error?.name == "192.0.2.77")
    }

    // A17
    @Test(arguments: ["localhost", "127.0.0", "127.0.0.1.1", "", "127.0.0.256", " 127.0.0.1"])
    func `what is no number is no address to ask for`(_ text: String) {
        #expect(IPAddress(text) == nil)
    }

    // A18
    @Test func `this machine has the name that the system gives it`() {
        var name = [CChar](repeating: 0, count: 256)
        #expect(gethostname(&name, name.count) == 0)
        let bytes = name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        #expect(HostName.own == bytes.text)
        #expect(!HostName.own.isEmpty)
    }

    // A19
    @Test func `an error of names is none of sockets`() throws {
        let error = try #require(
            #expect(throws: (any Error).self) { try HostName.addresses(of: "nobody.invalid") })
        #expect(!(error is SocketError))
        #expect(error is ResolverError)
    }
}
