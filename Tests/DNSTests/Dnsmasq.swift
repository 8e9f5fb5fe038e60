// SPDX-License-Identifier: Apache-2.0
//
// Debian's dnsmasq as a name server on loopback, with a zone of our own in place of its files.
// It knows nobody else: a name beyond the zone is refused.

import Glibc
import Sluice
import SluiceDNS
import TestSupport
import Testing

/// A dnsmasq that answers, and is killed with the end of this object.
final class Dnsmasq {
    /// Where it answers, over UDP and TCP.
    let address: SocketAddress
    private let process: CommandProcess

    /// Where the program is; `nil` where it is not installed.
    private static let program = [String](
        ["/usr/sbin/dnsmasq", "/usr/local/sbin/dnsmasq", "/usr/bin/dnsmasq"]
    ).first { access($0, X_OK) == 0 }

    /// Whether there is one to start.
    static var isInstalled: Bool { program != nil }

    /// Starts one and waits for its first answer.
    ///
    /// - Parameter further: options beside those of the zone, such as ``Upstream/option(for:)``.
    init(_ further: String...) throws {
        (address, process) = try Self.start(Zone.options + further)
        try expectAnswer()
    }

    /// A port that is free for TCP may be somebody's for UDP: then another one is tried.
    private static func start(
        _ options: [String]
    ) throws -> (address: SocketAddress, process: CommandProcess) {
        var failure: any Error = Mishap()
        for _ in 0..<10 {
            let address = try SocketAddress.unused()
            do {
                return (address, try start(options, at: address))
            } catch CommandProcess.Failure.silent(let part, let errors) {
                failure = CommandProcess.Failure.silent(waitingFor: part, errors: errors)
            }
        }
        throw failure
    }

    private static func start(
        _ options: [String], at address: SocketAddress
    ) throws -> CommandProcess {
        let place = [
            "--keep-in-foreground", "--log-facility=-", "--pid-file=", "--conf-file=/dev/null",
            "--no-resolv", "--no-hosts", "--cache-size=0", "--bind-interfaces",
            "--listen-address=127.0.0.1", "--port=\(address.port ?? 0)",
        ]
        let process = try CommandProcess(program ?? "dnsmasq", place + options)
        _ = try process.line(with: "started, version")
        return process
    }

    private func expectAnswer() throws {
        let socket = try Socket(for: address, kind: .datagram)
        _ = try socket.connect(to: address)
        // `ready.test`, its address: RFC 1035, 4.1.
        let name = [5] + Array("ready".utf8) + [4] + Array("test".utf8) + [0]
        let question = [0x52, 0x79, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0] + name + [0, 1, 0, 1]
        let sent = try socket.send(question.span.bytes)
        #expect(sent == .bytes(question.count))
        let answer = try socket.arrived(room: 512)
        #expect(answer.byteCount >= question.count)
    }

    /// Sends it a signal: with SIGKILL nobody is at its port any more, with SIGSTOP it is silent.
    func send(_ signal: CInt) { process.send(signal) }

    /// Kills it and waits until it has gone.
    func kill() throws {
        process.send(SIGKILL)
        #expect(try process.ended() == .killed(by: SIGKILL))
    }
}

/// What the name server knows: all below `test`, and the names of 192.0.2.0/24.
enum Zone {
    /// The 60 addresses of `many.test`: more than an answer of 512 bytes takes.
    static let manyAddresses = addresses(from: 0xC633_6400, 60)
    /// The 200 addresses of every name below `crowd.test`: more than a datagram of 1,232 bytes
    /// takes, and dnsmasq sends no longer ones.
    static let crowdAddresses = addresses(from: 0xCB00_7100, 200)
    /// The texts of `long.test`: more than a datagram takes.
    static let longTexts = "abcdefghijkl".map { String(repeating: $0, count: 250) }
    /// The addresses of every name below `bulk.test`.
    static let bulkAddresses: Set<IPAddress> = [
        .v4(0x7F00_0009), .v6(high: 0x2001_0DB8_0000_0000, low: 9, scope: 0),
    ]

    /// Addresses in a row, the last number of which counts from 1.
    private static func addresses(from network: UInt32, _ count: Int) -> [IPAddress] {
        (1...count).map { .v4(network + UInt32($0)) }
    }

    /// The zone as options.
    ///
    /// What does not say how long it holds, holds for 30 s.
    static let options: [String] =
        [
            "--local=/test/", "--local=/2.0.192.in-addr.arpa/", "--local-ttl=30",
            "--host-record=host.test,192.0.2.1,2001:db8::1,300",
            "--host-record=four.test,192.0.2.4", "--host-record=six.test,2001:db8::6",
            // Asked for the other family, dnsmasq says here that there is no such name at all.
            "--address=/lone.test/192.0.2.7",
            "--cname=alias.test,middle.test,120", "--cname=middle.test,host.test,60",
            "--address=/bulk.test/127.0.0.9", "--address=/bulk.test/2001:db8::9",
            "--txt-record=text.test,one,two", "--txt-record=text.test,three",
            "--srv-host=_imap._tcp.test,second.test,144,10,7",
            "--srv-host=_imap._tcp.test,third.test,145,20,0",
            "--srv-host=_imap._tcp.test,first.test,143,5,0",
            "--ptr-record=9.2.0.192.in-addr.arpa,pointed.test",
            "--host-record=near.zone.test,192.0.2.8", "--host-record=a.b.zone.test,192.0.2.10",
        ] + chain + manyAddresses.map { "--host-record=many.test,\($0)" }
        + crowdAddresses.map { "--address=/crowd.test/\($0)" }
        + longTexts.map { "--txt-record=long.test,\($0)" }

    /// Eight aliases from `link1.test` to `host.test`, of which `link1.test` holds shortest.
    private static let chain = (1...8).map { number in
        let target = number == 8 ? "host" : "link\(number + 1)"
        return "--cname=link\(number).test,\(target).test,\(100 + number)"
    }
}

extension NameServerOptions {
    /// Asks these servers and nobody else, whatever the machine's own files say.
    static func asking(
        _ servers: [Dnsmasq], timeout: Duration = .milliseconds(500), attempts: Int = 6
    ) -> NameServerOptions {
        var options = NameServerOptions()
        options.servers = servers.map(\.address)
        options.resolvConf = "/dev/null"
        options.hosts = .none
        options.searchDomains = []
        options.timeout = timeout
        options.attempts = attempts
        return options
    }
}

extension Trait where Self == ConditionTrait {
    /// Passes a test over where there is no dnsmasq.
    static var withDnsmasq: Self {
        .enabled(
            if: Dnsmasq.isInstalled, "dnsmasq is missing: `Scripts/setup.sh interop` installs it")
    }
}
