// SPDX-License-Identifier: Apache-2.0
//
// Lists of services, from a text and from a file: what counts, what is passed over, what is told.

import Glibc
import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct ReadingServiceLists {
    /// As services(5) has it.
    private let services = """
        # Network services
        tcpmux\t\t1/tcp\t\t\t\t# TCP port service multiplexer
        ftp 21/tcp
        smtp            25/tcp          mail
        time 37/udp timserver
        time 37/tcp timserver # of the day, RFC 868 daytime 13/tcp
        domain 53/tcp
        domain 53/udp
        http  80/tcp  www www-http#WorldWideWeb HTTP
        \t kerberos 88/tcp kerberos5 krb5 kerberos-sec
        mail2 25/tcp smtp
        """

    /// As IANA writes it.
    private let numbers = """
        PORT NUMBERS
        (last updated 2010-05-17)
        The port numbers are divided into three ranges: the Well Known Ports,
        the Registered Ports, and the Dynamic and/or Private Ports.
        Port 80/443 and the like stand for nothing here.

        Keyword         Decimal    Description                     References
        -------         -------    -----------                     ----------
                          0/tcp    Reserved
        #                          Jon Postel <postel@isi.edu>
        smtp             25/tcp    Simple Mail Transfer
        smtp             25/udp    Simple Mail Transfer
                         24/tcp    any private mail system
                                   Rick Adams <rick@UUNET.UU.NET>
        http             80/tcp    World Wide Web HTTP
        www              80/tcp    World Wide Web HTTP
        x11              6000-6063/tcp   X Window System
        #                127/tcp   Unassigned
        """

    // MARK: services(5)

    // W5
    @Test func `an alias stands for its service`() {
        let table = ServiceTable(parsing: services)
        #expect(table.port(of: "smtp") == 25)
        #expect(table.port(of: "mail", "tcp") == 25)
        #expect(table.port(of: "krb5") == 88)
        #expect(table.port(of: "mail", "udp") == nil)
        #expect(table.port(of: "MAIL") == nil)
        #expect(table.port(of: "") == nil)
    }

    // W5
    @Test func `a comment begins in its line's first place, or behind an entry`() {
        let table = ServiceTable(parsing: services)
        #expect(table.entries.first?.name == "tcpmux")
        #expect(table.entries.first?.aliases == [])
        #expect(table.entries.map(\.name).contains("Network") == false)
        let http = table.entries.first { $0.name == "http" }
        #expect(http?.aliases == ["www", "www-http"])
        #expect(table.port(of: "daytime") == nil)
        #expect(table.port(of: "WorldWideWeb") == nil)
    }

    // W5
    @Test(arguments: ["\u{301}", "\u{200D}", "\u{FE0F}\u{20E3}", "\u{0}", "#", "\u{308}x"])
    func `a comment begins at its mark, whatever comes behind it`(next: String) {
        let table = ServiceTable(parsing: "smtp 25/tcp mail #\(next) no alias\n")
        #expect(table.entries.map(\.aliases) == [["mail"]])
        #expect(ServiceTable(parsing: "#\(next) 25/tcp mail\n").entries == [])
        #expect(ServiceTable(parsing: "#\(next)smtp 25/tcp mail\n").entries == [])
    }

    // W8, X9
    @Test func `without a transport the first service of any counts`() {
        let table = ServiceTable(parsing: services)
        #expect(table.port(of: "timserver", nil) == 37)
        #expect(table.entry(of: "time", nil)?.transport == "udp")
        #expect(table.entry(of: 53, nil)?.transport == "tcp")
        #expect(table.name(of: 37, nil) == "time")
        #expect(table.port(of: "mail", nil) == 25)
        #expect(table.port(of: "no-such-service", nil) == nil)
        #expect(table.name(of: 4_711, nil) == nil)
    }

    // W8
    @Test func `an entry is found by name, by alias and by port`() {
        let table = ServiceTable(parsing: services)
        let entry = ServiceTable.Entry(name: "smtp", port: 25, transport: "tcp", aliases: ["mail"])
        #expect(table.entry(of: "smtp") == entry)
        #expect(table.entry(of: "mail") == entry)
        #expect(table.entry(of: 25) == entry)
        #expect(table.entry(of: 25, "udp") == nil)
    }

    @Test func `entries keep the order of the list, and the first one counts`() {
        let table = ServiceTable(parsing: services)
        #expect(table.name(of: 25) == "smtp")
        #expect(table.entries.last?.name == "mail2")
        #expect(table.name(of: 37, "udp") == "time")
        #expect(table.name(of: 53) == "domain")
        #expect(table.name(of: 4_711) == nil)
    }

    @Test(arguments: ["\n", "\r\n", "\r", "\n\n\r\n"])
    func `lines may end in any way`(end: String) {
        let table = ServiceTable(
            parsing: ["a 1/tcp x", "b 2/tcp # y", "c 3/udp"].joined(separator: end))
        #expect(table.entries.map(\.name) == ["a", "b", "c"])
        #expect(table.entries.map(\.aliases) == [["x"], [], []])
    }

    // W5
    @Test(arguments: [
        "", " ", "\t\t", "#", "smtp", "smtp 25", "smtp tcp", "smtp 25/", "smtp /tcp", "smtp /",
        "smtp 25/tcp/udp", "smtp 25 /tcp", "smtp x/tcp", "smtp 65536/tcp", "smtp -1/tcp",
        "smtp +25/tcp",
        "smtp 99999999999999999999999999/tcp", "smtp 0x19/tcp", "smtp 2.5/tcp", "smtp ２５/tcp",
        "smtp #25/tcp", "25/tcp smtp", "\u{0}", "smtp \u{0}25/tcp", "smtp 25\u{0}/tcp",
    ])
    func `a line that is no service is passed over`(line: String) {
        for format in [ServiceTable.Format.services, .assignedNumbers] {
            let table = ServiceTable(parsing: "a 1/tcp\n\(line)\nb 2/tcp\n", as: format)
            #expect(table.entries.map(\.name) == ["a", "b"])
        }
    }

    @Test func `the highest and the lowest port are ports`() {
        let table = ServiceTable(parsing: "low 0/tcp\nhigh 65535/tcp\n")
        #expect(table.port(of: "low") == 0)
        #expect(table.port(of: "high") == 65_535)
    }

    // MARK: Assigned numbers

    // W6
    @Test func `a description is no alias`() {
        let table = ServiceTable(parsing: numbers, as: .assignedNumbers)
        #expect(table.port(of: "smtp") == 25)
        for word in ["mail", "Mail", "Simple", "Transfer", "World", "HTTP", "any", "private"] {
            #expect(table.port(of: word) == nil)
        }
        #expect(table.entries.allSatisfy { $0.aliases.isEmpty })
    }

    // W6
    @Test func `preamble, headings and contacts are no services`() {
        let table = ServiceTable(parsing: numbers, as: .assignedNumbers)
        #expect(table.entries.map(\.name) == ["smtp", "smtp", "http", "www"])
        #expect(table.port(of: "smtp", "udp") == 25)
        #expect(table.name(of: 80) == "http")
        #expect(table.port(of: "www") == 80)
    }

    // MARK: Files

    /// Lends a file that holds `bytes`; it is gone afterwards.
    private func withFile(_ bytes: [UInt8], _ body: (String) throws -> Void) throws {
        let path = "/tmp/sluice-\(getpid())-services"
        let number = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o600)
        try #require(number >= 0)
        defer { unlink(path) }
        #expect(Glibc.write(number, bytes, bytes.count) == bytes.count)
        Glibc.close(number)
        try body(path)
    }

    // W7
    @Test func `the list may stand in any file`() throws {
        try withFile(Array("house 4711/tcp home\n".utf8)) { path in
            let table = try ServiceTable(file: path)
            #expect(table.port(of: "home") == 4_711)
            #expect(table.port(of: "smtp") == nil)
            let numbers = try ServiceTable(file: path, as: .assignedNumbers)
            #expect(numbers.port(of: "home") == nil)
            #expect(numbers.port(of: "house") == 4_711)
        }
    }

    // W7
    @Test func `a file that was edited is read anew`() throws {
        try withFile(Array("old 1/tcp\n".utf8)) { path in
            let old = try ServiceTable(file: path)
            unlink(path)
            try withFile(Array("new 2/tcp\n".utf8)) { path in
                let new = try ServiceTable(file: path)
                #expect(new.entries.map(\.name) == ["new"])
            }
            #expect(old.entries.map(\.name) == ["old"])
        }
    }

    // W7
    @Test(arguments: [
        ("/tmp/sluice-no-such-folder/services", ErrorCode.noEntry), ("", .noEntry),
        ("/tmp", ErrorCode(rawValue: EISDIR)),
    ])
    func `a file that can't be read is named with the reason`(path: String, code: ErrorCode) {
        let error = #expect(throws: ChannelError.self) { try ServiceTable(file: path) }
        #expect(error == .file(path: path, code))
    }

    @Test func `a path with a zero in it is not cut to another path`() throws {
        try withFile(Array("a 1/tcp\n".utf8)) { path in
            #expect(throws: ChannelError.self) { try ServiceTable(file: path + "\u{0}.mine") }
        }
    }

    @Test func `bytes that are no text spoil only their own line`() throws {
        let bytes = Array("a 1/tcp x\n".utf8) + [0xFF, 0xC0, 0x20, 0x80, 0x0A, 0, 0, 0x0A]
        try withFile(bytes + Array("b 2/tcp y\n".utf8)) { path in
            let table = try ServiceTable(file: path)
            #expect(table.entries.map(\.name) == ["a", "b"])
            #expect(table.port(of: "y") == 2)
        }
    }

    @Test func `a file is read whole however little one read gives`() throws {
        try withFile(Array("a 1/tcp\nb 2/tcp x\n".utf8)) { path in
            let answers = Answers(.atMost(1), to: [.read])
            let table = try answers.give { try ServiceTable(file: path) }
            #expect(table.entries.map(\.name) == ["a", "b"])
            #expect(answers.count > 10)
        }
    }

    @Test func `a read that a signal interrupts is made again`() throws {
        try withFile(Array("a 1/tcp\n".utf8)) { path in
            let answers = Answers(.failure(.interrupted), to: [.read]) { $0 == 1 }
            let table = try answers.give { try ServiceTable(file: path) }
            #expect(table.port(of: "a") == 1)
        }
    }

    @Test(arguments: [SystemCall.open, .read])
    func `a call that fails is told with the file's path`(call: SystemCall) throws {
        try withFile(Array("a 1/tcp\n".utf8)) { path in
            let error = #expect(throws: ChannelError.self) {
                try SystemCall.failing(call, with: .tooManyOpenFiles) {
                    _ = try ServiceTable(file: path)
                }
            }
            #expect(error == .file(path: path, .tooManyOpenFiles))
            #expect(error.map { "\($0)" } == "\(path): Too many open files")
        }
    }

    @Test func `a file without an end is refused, and memory stays within its limit`() {
        let error = #expect(throws: ChannelError.self) { try ServiceTable(file: "/dev/zero") }
        #expect(error == .file(path: "/dev/zero", .messageTooLong))
    }

    @Test func `a pipe that says nothing is refused, and not waited for`() throws {
        let path = "/tmp/sluice-\(getpid())-services-pipe"
        try #require(mkfifo(path, 0o600) == 0)
        defer { unlink(path) }
        // Held open both ways, so that it is there to be read, and ends when this test wants.
        let number = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC)
        try #require(number >= 0)
        let isRefused = Flag()
        let reader = OtherThread {
            do { _ = try ServiceTable(file: path) } catch { isRefused.set() }
        }
        let limit = ContinuousClock.now + .seconds(5)
        while !isRefused.isSet, ContinuousClock.now < limit { sched_yield() }
        #expect(isRefused.isSet)
        Glibc.close(number)
        // Whoever waits to open the pipe still waits for a writer.
        let other = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC)
        Glibc.close(other)
        reader.join()
    }
}
