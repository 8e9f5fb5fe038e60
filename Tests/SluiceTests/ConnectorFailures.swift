// SPDX-License-Identifier: Apache-2.0
//
// Both partners with every system call failing in turn: the call throws, the completion tells it or
// the connector does without, and no descriptor is left (C5, C11, C15).

import TestSupport
import Testing

@testable import Sluice

/// One partner of ours, and what it is connected with from outside.
private enum Partner: CaseIterable, Sendable {
    case active
    case passive
    /// Passive, at every address.
    case everywhere
}

/// Counts the calls of a partner, and has one of them fail.
private final class Faults {
    private let place: Int?
    private let code: ErrorCode
    private(set) var calls: [SystemCall] = []

    /// - Parameter place: which call fails, counted from 0.
    init(failing place: Int? = nil, with code: ErrorCode = .noMemory) {
        self.place = place
        self.code = code
    }

    func apply<Result>(_ body: () throws -> Result) rethrows -> Result {
        try SystemCall.intercepting(
            { call in
                if call == .close { return nil }
                self.calls.append(call)
                return self.calls.count - 1 == self.place ? .failure(self.code) : nil
            }, body)
    }
}

/// What became of one run.
private struct Outcome {
    var thrown: (any Error)?
    var results: [Result<Channel, ConnectorError>] = []
    var notices: [any Error] = []

    var isOpen: Bool {
        if case .success = results.first { true } else { false }
    }

    /// How often something was said to have gone wrong.
    var told: Int {
        (thrown == nil ? 0 : 1) + notices.count + (isOpen ? 0 : results.count)
    }
}

extension SystemCall {
    /// How this call may fail on a healthy machine.
    fileprivate var plausibleFailures: [ErrorCode] {
        switch self {
        case .createSocket: [.tooManyOpenFiles, .noMemory, .noBufferSpace, .interrupted]
        case .accept: [.tooManyOpenFiles, .noMemory, .connectionAborted, .interrupted]
        case .bind: [.addressInUse, .permissionDenied]
        case .listen: [.addressInUse]
        case .connect: [.networkUnreachable, .noMemory, .addressNotAvailable]
        case .getOption, .setOption, .localName, .peerName: [.noBufferSpace, .noMemory]
        case .open: [.tooManyOpenFiles]
        case .watch: [.noMemory]
        default: []
        }
    }
}

@Suite(.countingDescriptors)
struct ConnectorFailures {
    /// One run to its end, with its socket's calls in the hands of `faults`.
    private func play(_ partner: Partner, _ faults: Faults) throws -> Outcome {
        let reactor = try Reactor()
        let outcome = Box(Outcome())
        reactor.onError = { error, _ in outcome.value.notices.append(error) }
        let server = try Socket.listening()
        var options = ConnectorOptions.going(to: try server.localAddress.port)
        if partner != .active { options = .waiting }
        if partner == .everywhere { options.localAddress = nil }
        // A partner that was turned away does not come again.
        options.timeLimit = .milliseconds(100)
        let connector = Connector(on: reactor, options: options)
        do {
            let port = try faults.apply {
                try connector.connect { result in
                    outcome.value.results.append(result)
                    if case .success(let channel) = result { #expect(channel.status == .open) }
                }
            }
            let peer = try port.map { HeldSocket(try .connecting(to: .loopback(port: $0))) }
            faults.apply { reactor.expect("its end") { !outcome.value.results.isEmpty } }
            withExtendedLifetime(peer) {}
        } catch {
            outcome.value.thrown = error
        }
        #expect(!connector.isConnecting)
        for case .success(let channel) in outcome.value.results { channel.abort() }
        reactor.settle(passes: 3)
        withExtendedLifetime(server) {}
        #expect(reactor.openSockets().isEmpty)
        return outcome.value
    }

    // C4, C6
    @Test(arguments: Partner.allCases)
    fileprivate func `a partner gets its channel when nothing fails`(partner: Partner) throws {
        let outcome = try play(partner, Faults())
        #expect(outcome.isOpen)
        #expect(outcome.told == 0)
    }

    // C5, C11, C15
    @Test(arguments: Partner.allCases)
    fileprivate func `whichever call fails, it is told or done without, and nothing is left`(
        partner: Partner
    ) throws {
        let healthy = Faults()
        _ = try play(partner, healthy)
        #expect(healthy.calls.count >= 5)
        var failures = 0
        for (place, call) in healthy.calls.enumerated() {
            for code in call.plausibleFailures {
                let what = Comment("call \(place), \(call), \(code)")
                let before = openDescriptorCount()
                let faults = Faults(failing: place, with: code)
                let outcome = try play(partner, faults)
                #expect(openDescriptorCount() == before, what)
                // How often the reactor looks is for the kernel to say.
                guard faults.calls.count > place, faults.calls[place] == call else { continue }
                failures += 1
                #expect(outcome.results.count == (outcome.thrown == nil ? 1 : 0), what)
                if !outcome.isOpen { #expect(outcome.told >= 1, what) }
                if let thrown = outcome.thrown { #expect(thrown is ConnectorError, what) }
            }
        }
        #expect(failures >= 8)
    }

    // C6, N2
    @Test func `a machine without IPv6 is waited at in IPv4`() throws {
        let reactor = try Reactor()
        let connector = Connector(on: reactor, options: ConnectorOptions(.passive))
        // Sockets are made for IPv4, then for IPv6: the second can't be had, however often.
        let answers = Answers(.failure(.addressFamilyNotSupported), to: [.createSocket]) { $0 == 2 }
        let port = try answers.give { try connector.connect { _ in wrongly() } }
        #expect(answers.count == 3)
        let place = SocketAddress.any(port: port ?? 0)
        #expect(reactor.openSockets().map(\.localAddress) == [place])
        connector.cancel()
    }

    // C11
    @Test func `a machine that has neither family says so`() throws {
        let reactor = try Reactor()
        let connector = Connector(on: reactor, options: ConnectorOptions(.passive))
        let error = #expect(throws: ConnectorError.self) {
            try SystemCall.failing(.createSocket, with: .addressFamilyNotSupported) {
                try connector.connect { _ in wrongly() }
            }
        }
        guard case .socket(let reason) = error else { throw Mishap() }
        #expect(reason.code == .addressFamilyNotSupported)
        #expect(reactor.openSockets().isEmpty)
    }

    // C11, N2
    @Test func `a port that is taken in the other family is given up for another one`() throws {
        let reactor = try Reactor()
        let run = ConnectorRun(on: reactor, ConnectorOptions(.passive))
        // Sockets are bound for IPv4, then for IPv6, which fails three times.
        let answers = Answers(.failure(.addressInUse), to: [.bind]) { [2, 4, 6].contains($0) }
        try answers.give { try run.start() }
        #expect(answers.count == 8)
        #expect(Set(reactor.openSockets().compactMap(\.localAddress?.port)) == [run.port])
        run.connector.cancel()
    }
}
