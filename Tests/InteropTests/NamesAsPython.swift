// SPDX-License-Identifier: Apache-2.0
//
// Names of hosts, services and protocols, as Python's socket module tells them and as we do.
// Both ask the same system, so the answers are the same to the letter.

import Glibc
import Sluice
import TestSupport
import Testing

@Suite(.countingDescriptors, .serialized)
struct NamesAsPython {
    /// Runs a script and gives the lines that it has printed.
    private func lines(of script: String, _ words: [String] = []) throws -> [String] {
        let client = try CommandProcess.python(script, words.joined(separator: ","))
        #expect(try client.ended() == .exited(0), "\(client.errors.text)")
        return client.output.text.split(separator: "\n").map { String($0) }
    }

    private func line(_ entry: HostEntry) -> String {
        let names = [entry.name] + entry.aliases
        return "\(names) \(entry.addresses.map { "\($0)" })"
    }

    // MARK: Hosts

    // P10, P11
    @Test func `a host has the same name, aliases and addresses`() throws {
        let names = ["localhost", HostName.own, "nobody.invalid", "127.0.0.1", "192.0.2.77", "::1"]
        let theirs = try lines(
            of: """
                def say(ask, name):
                    try:
                        print(ask(name))
                    except OSError:
                        print("none")

                def entry(name):
                    name, aliases, addresses = socket.gethostbyname_ex(name)
                    return f"{[name] + aliases} {addresses}".replace("'", '"')

                for name in sys.argv[1].split(","):
                    say(socket.gethostbyname, name)
                    say(entry, name)
                """, names)
        // Why there is none is told apart elsewhere.
        let ours = names.flatMap { name in
            let address = try? HostName.address(of: name, family: .ipv4)
            let entry = try? HostName.entry(of: name)
            return [address.map { "\($0)" } ?? "none", entry.map(line) ?? "none"]
        }
        #expect(ours == theirs)
    }

    // P13, A17
    @Test func `an address has the same name, aliases and addresses`() throws {
        let numbers = ["127.0.0.1", "::1", "192.0.2.77"]
        let theirs = try lines(
            of: """
                for number in sys.argv[1].split(","):
                    try:
                        name, aliases, addresses = socket.gethostbyaddr(number)
                        print(f"{[name] + aliases} {addresses}".replace("'", '"'))
                    except OSError:
                        print("none")
                """, numbers)
        let ours = try numbers.map { number in
            let address = try #require(IPAddress(number))
            // As Python tells every failure here.
            let entry = try? HostName.entry(of: address)
            return entry.map(line) ?? "none"
        }
        #expect(ours == theirs)
    }

    // P12, P13, A18
    @Test func `this machine and others have the same full names`() throws {
        let names = ["", "localhost", HostName.own, "nobody.invalid", "127.0.0.1", "0.0.0.0", "::"]
        let theirs = try lines(
            of: """
                print(socket.gethostname())
                for name in sys.argv[1].split(","):
                    print(socket.getfqdn(name))
                """, names)
        #expect([HostName.own] + names.map { HostName.fullName(of: $0) } == theirs)
    }

    // MARK: Services and protocols

    // P15, W8, N32, X9
    @Test(.enabled(if: access("/etc/services", R_OK) == 0))
    func `every service has the same port and every port the same service`() throws {
        let theirs = try lines(
            of: """
                for line in open("/etc/services", encoding="utf-8"):
                    words = line.partition("#")[0].split()
                    for name in words[:1] + words[2:]:
                        transport = words[1].partition("/")[2]
                        port = socket.getservbyname(name, transport)
                        any = socket.getservbyname(name)
                        print(name, transport, port, socket.getservbyport(port, transport),
                              any, socket.getservbyport(any))
                """)
        #expect(!theirs.isEmpty)
        let table = try ServiceTable()
        for line in theirs {
            let words = line.split(separator: " ").map { String($0) }
            let (name, transport) = (words[0], words[1])
            let port = try ServicePort.number(of: name, transport)
            let any = try ServicePort.number(of: name, nil)
            let ours = [
                name, transport, "\(port)", ServicePort.name(of: port, transport) ?? "none",
                "\(any)", ServicePort.name(of: any, nil) ?? "none",
            ]
            #expect(ours == words)
            #expect(table.port(of: name, transport) == port)
            #expect(table.port(of: name, nil) == any)
        }
    }

    // P14, W8
    @Test(.enabled(if: access("/etc/protocols", R_OK) == 0))
    func `every protocol has the same number`() throws {
        let theirs = try lines(
            of: """
                for line in open("/etc/protocols", encoding="utf-8"):
                    words = line.partition("#")[0].split()
                    for name in words[:1] + words[2:]:
                        print(name, socket.getprotobyname(name))
                """)
        #expect(!theirs.isEmpty)
        let table = try ProtocolTable()
        for line in theirs {
            let name = String(line.prefix { $0 != " " })
            let number = try #require(ProtocolName.number(of: name))
            #expect("\(name) \(number.rawValue)" == line)
            #expect(table.number(of: name) == number)
        }
    }

    // MARK: Both together

    /// A question to getaddrinfo(3).
    private struct Question {
        var host: String?
        var service: String?
        var family = AddressFamily.unspecified
        var kind: SocketKind?
        var number = SocketProtocol.usual
        var flags: AddressInfo.Flags = []

        /// As Python asks it.
        var python: String {
            let host = host.map { "'\($0)'" } ?? "None"
            let service = service.map { "'\($0)'" } ?? "None"
            let hints = [family.rawValue, kind?.rawValue ?? 0, number.rawValue, flags.rawValue]
            return "ask(\(host), \(service), *\(hints))"
        }

        /// As we ask it, and the answer as Python prints it.
        var answer: String {
            do throws(ResolverError) {
                let answers = try HostName.addressInfo(
                    of: host, service: service, family: family, kind: kind, protocol: number,
                    flags: flags)
                return answers.map { answer in
                    let address = answer.address
                    let numbers = [
                        answer.family.rawValue, answer.kind.rawValue, answer.protocol.rawValue,
                    ]
                    let place = address.ipAddress.map { "\($0) \(address.port ?? 0)" } ?? "nowhere"
                    return "\(numbers) \(answer.canonicalName ?? "-") \(place)"
                }.joined(separator: "; ")
            } catch {
                return String("\(error)".dropFirst("resolve \(error.name): ".count))
            }
        }
    }

    private let questions = [
        Question(host: "localhost", service: "80"),
        Question(host: "localhost", service: "http", kind: .stream, flags: .canonicalName),
        Question(host: "127.0.0.1"), Question(host: "::1", service: "65535"),
        Question(host: "192.0.2.77", service: "1", kind: .datagram), Question(service: "80"),
        Question(service: "80", kind: .stream, flags: .passive), Question(),
        Question(service: "80", flags: .canonicalName),
        Question(host: "localhost", flags: .numericHost),
        Question(host: "127.0.0.1", service: "80", flags: [.numericHost, .numericService]),
        Question(host: "127.0.0.1", service: "80", family: .ipv6),
        Question(host: "127.0.0.1", service: "80", family: .ipv6, flags: .ipv4Mapped),
        Question(host: "localhost", family: .ipv6, flags: [.ipv4Mapped, .ipv6AndMapped]),
        Question(host: "localhost", service: "80", flags: .configuredFamilies),
        Question(host: "localhost", flags: [.internationalName, .internationalCanonicalName]),
        Question(host: "::1", service: "80", family: .ipv4),
        Question(host: "127.0.0.1", service: "no-such-service"),
        Question(host: "127.0.0.1", service: "tftp", kind: .stream),
        Question(host: "127.0.0.1", service: "tftp", kind: .datagram),
        Question(host: "127.0.0.1", service: "http", kind: .raw),
        Question(host: "127.0.0.1", service: "80", kind: SocketKind(rawValue: 99)),
        Question(host: "127.0.0.1", service: "80", kind: .stream, number: .udp),
        Question(host: "127.0.0.1", service: "80", number: .udp),
        Question(host: "127.0.0.1", family: .unix),
        Question(host: "127.0.0.1", flags: AddressInfo.Flags(rawValue: 1 << 20)),
    ]

    // N32
    @Test func `a host and a service can be reached in the same ways`() throws {
        let theirs = try lines(
            of: """
                def ask(*question):
                    try:
                        answers = socket.getaddrinfo(*question)
                        print("; ".join(
                            f"{[int(family), int(kind), number]} {name or '-'} {at[0]} {at[1]}"
                            for family, kind, number, name, at in answers))
                    except socket.gaierror as error:
                        print(error.args[1])


                """ + questions.map(\.python).joined(separator: "\n"))
        #expect(theirs.count == questions.count)
        for (question, line) in zip(questions, theirs) {
            #expect(question.answer == line, "\(question.python)")
        }
    }

    // N32
    @Test func `an address has the same names, whatever the flags`() throws {
        let theirs = try lines(
            of: """
                for flags in range(32):
                    for port in 0, 25, 69, 65535:
                        try:
                            print(*socket.getnameinfo(("127.0.0.1", port), flags))
                        except socket.gaierror as error:
                            print(error.args[1])
                """)
        var ours: [String] = []
        for flags: CInt in 0..<32 {
            for port: UInt16 in [0, 25, 69, 65_535] {
                let address = SocketAddress.loopback(port: port)
                do throws(ResolverError) {
                    let names = try HostName.nameInfo(
                        of: address, flags: NameInfo.Flags(rawValue: flags))
                    ours.append("\(names.host) \(names.service)")
                } catch {
                    ours.append(String("\(error)".dropFirst("resolve \(address): ".count)))
                }
            }
        }
        #expect(ours == theirs)
    }
}
