// SPDX-License-Identifier: Apache-2.0
//
// The network interfaces of this machine, by name and by number.
// Every machine that runs tests has `lo`.

import Glibc
import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct ListingInterfaces {
    private static func loopback() throws -> NetworkInterface {
        try #require(try NetworkInterface.all().first { $0.name == "lo" })
    }

    // N34
    @Test func `each interface has a name and a number of its own`() throws {
        let all = try NetworkInterface.all()
        #expect(!all.isEmpty)
        #expect(Set(all.map(\.index)).count == all.count)
        #expect(Set(all.map(\.name)).count == all.count)
        for interface in all {
            #expect(try NetworkInterface.index(of: interface.name) == interface.index)
            #expect(try NetworkInterface.name(of: interface.index) == interface.name)
        }
    }

    // N34
    @Test func `the list is the system's`() throws {
        let program = try CommandProcess("cat", ["/proc/net/dev"])
        #expect(try program.ended() == .exited(0))
        // Two lines of headings, then one for each interface: its name, a colon and counters.
        let lines = program.output.text.split(separator: "\n").dropFirst(2)
        let names = lines.map { line in String(line.prefix { $0 != ":" }.drop { $0 == " " }) }
        #expect(Set(try NetworkInterface.all().map(\.name)) == Set(names))
    }

    @Test func `the loopback interface tells what it is`() throws {
        let loopback = try Self.loopback()
        #expect(loopback.index == if_nametoindex("lo"))
        #expect(loopback.flags.isSuperset(of: [.loopback, .up, .running]))
        #expect(loopback.flags.isDisjoint(with: [.broadcast, .pointToPoint]))
    }

    @Test func `the loopback interface has the loopback addresses`() throws {
        let addresses = try Self.loopback().addresses
        let four = try #require(addresses.first { $0.ip == .loopback })
        #expect(four.prefixLength == 8)
        #expect(four.range == AddressRange("127.0.0.0/8"))
        #expect(four.broadcast == nil)
        #expect(four.peer == nil)
        if let six = addresses.first(where: { $0.ip == .loopback6 }) {
            #expect(six.prefixLength == 128)
        }
    }

    @Test func `addresses belong to the interface that has them`() throws {
        for interface in try NetworkInterface.all() {
            for address in interface.addresses {
                #expect((0...(address.ip.isIPv6 ? 128 : 32)).contains(address.prefixLength))
                #expect(address.range.contains(address.ip))
                #expect(address.broadcast != address.ip && address.peer != address.ip)
                guard case .v6(_, _, let scope) = address.ip else { continue }
                #expect(scope == (address.ip.isLinkLocal ? interface.index : 0))
            }
        }
    }

    // N34
    @Test(arguments: [
        "", " ", "nosuchinterface", "LO", "lo ", " lo", "lo\n", "lo:", "lo:1", ":", "lo\u{0}",
        "lo\u{0}x", "\u{0}", "1", "../lo", "sixteenbytesname", "%d", "\u{301}", "l\u{F6}",
        String(repeating: "lo", count: 10_000),
    ])
    func `an unknown name is told`(name: String) throws {
        do throws(InterfaceError) {
            let index = try NetworkInterface.index(of: name)
            Issue.record("\(name) has the index \(index)")
        } catch {
            #expect(error == .unknownName(name))
        }
    }

    // N34
    @Test(arguments: [0, 2_147_483_647, 2_147_483_648, .max] as [UInt32])
    func `an unknown number is told`(index: UInt32) throws {
        do throws(InterfaceError) {
            let name = try NetworkInterface.name(of: index)
            Issue.record("\(index) has the name \(name)")
        } catch {
            #expect(error == .unknownIndex(index))
        }
    }

    @Test func `a name that C and the kernel would cut is not the shorter one`() {
        #expect(if_nametoindex("lo:1") == if_nametoindex("lo"))
        // An unknown interface is what the test is about.
        #expect((try? NetworkInterface.index(of: "lo:1")) == nil)
    }

    @Test(arguments: [ErrorCode.tooManyOpenFiles, .noBufferSpace])
    func `a lack of descriptors is told as such`(code: ErrorCode) {
        let failures = [
            failure(with: code) { _ = try NetworkInterface.all() },
            failure(with: code) { _ = try NetworkInterface.index(of: "lo") },
            failure(with: code) { _ = try NetworkInterface.name(of: 1) },
        ]
        #expect(failures == [.system(code), .system(code), .system(code)])
    }

    private func failure(
        with code: ErrorCode, _ question: () throws -> Void
    ) -> InterfaceError? {
        do {
            try SystemCall.failing(.createSocket, with: code, question)
            return nil
        } catch {
            return error as? InterfaceError
        }
    }

    @Test func `a list that fails half-way leaves nothing open`() {
        let second = Answers(.failure(.noMemory), to: [.createSocket]) { $0 == 2 }
        do {
            _ = try second.give { try NetworkInterface.all() }
            Issue.record("the list is there")
        } catch {
            #expect(error as? InterfaceError == .system(.noMemory))
        }
        #expect(second.count == 2)
    }

    @Test func `errors print as one sentence`() {
        #expect("\(InterfaceError.unknownName("eth9"))" == "interface eth9: No such device")
        #expect("\(InterfaceError.unknownIndex(9))" == "interface 9: No such device or address")
        #expect("\(InterfaceError.system(.tooManyOpenFiles))" == "interfaces: Too many open files")
    }
}
