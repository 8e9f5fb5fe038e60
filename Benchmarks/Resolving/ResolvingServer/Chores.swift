// SPDX-License-Identifier: Apache-2.0
//
// What a reactor does besides serving: it asks a name server for names and connects to a port where
// nobody listens, at a steady pace.

import CNameServer
import Sluice
import SluiceDNS

/// Lookups and failing connects, so many a second from the beginning to the end of the process.
final class Chores {
    /// In four seconds, ten thousand names and a thousand connects.
    private static let lookupsPerSecond = 2_500
    private static let connectsPerSecond = 250

    private let resolver: Resolver
    private let client: Client
    private let refusing: RefusingPort
    private let start = ContinuousClock.now
    private var timer: Timer?
    private var lookupCount = 0
    private var connectCount = 0
    private var answerCount = 0
    private var refusalCount = 0
    private var faults: [String] = []

    init(on reactor: Reactor) throws {
        var options = NameServerOptions()
        options.servers = [.loopback(port: name_server_start())]
        options.resolvConf = "/dev/null"
        options.hosts = .none
        options.searchDomains = []
        resolver = try Resolver(asking: options, on: reactor)
        client = Client(on: reactor)
        refusing = try RefusingPort()
        timer = reactor.every(.milliseconds(1)) { [unowned self] in try beginWhatIsDue() }
    }

    /// What came of all of it, in a line.
    var report: String {
        let fault = faults.first.map { ", such as: \($0)" } ?? ""
        return "resolving-server: \(answerCount) of \(lookupCount) names resolved, "
            + "\(refusalCount) of \(connectCount) connects refused, "
            + "\(faults.count) other verdicts\(fault)"
    }

    private func beginWhatIsDue() throws {
        let passed = (ContinuousClock.now - start) / .seconds(1)
        while lookupCount < Int(passed * Double(Self.lookupsPerSecond)) { lookUp() }
        while connectCount < Int(passed * Double(Self.connectsPerSecond)) { try connect() }
    }

    /// Asks for both families of a name that nobody has asked for yet.
    private func lookUp() {
        lookupCount += 1
        resolver.addresses(of: "n\(lookupCount).example.net") { verdict in
            switch verdict {
            case .success: self.answerCount += 1
            case .failure(let error): self.faults.append("\(error)")
            }
        }
    }

    private func connect() throws {
        connectCount += 1
        try client.connect(to: refusing.address) { verdict in
            switch verdict {
            case .success(let channel):
                channel.close()
                self.faults.append("connected to \(self.refusing.address)")
            case .failure(let error):
                if case .refused(let reason) = error.cause, reason.code == .connectionRefused {
                    self.refusalCount += 1
                } else {
                    self.faults.append("\(error)")
                }
            }
        }
    }
}

/// A port that is taken and where nobody listens.
private final class RefusingPort {
    let address: SocketAddress
    private let socket: Socket

    init() throws {
        let socket = try Socket(for: .loopback(port: 0))
        try socket.bind(to: .loopback(port: 0))
        address = try socket.localAddress
        self.socket = socket
    }
}
