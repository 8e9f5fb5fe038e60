// SPDX-License-Identifier: Apache-2.0
//
// The ends of a connector, from wherever it is: cancelled, out of time, forgotten, or with its
// reactor. Nothing stays open, nothing is told twice, and it may begin again (C3, C15).

import TestSupport
import Testing

@testable import Sluice

/// How far a connector is when it ends.
private enum Progress: CaseIterable, Sendable {
    case idle
    /// Active, and the partner does not answer.
    case connecting
    /// Active, and the channel is not open yet.
    case opening
    case listening
    /// Passive, and the channel is not open yet.
    case accepted
    /// The completion is due in the next turn.
    case decided

    /// Whether it goes on until its time runs out.
    var isLasting: Bool { self != .idle && self != .decided }

    static let lasting = allCases.filter(\.isLasting)
    static let begun = allCases.filter { $0 != .idle }
}

/// A connector that has come so far.
private final class Scene {
    let reactor: Reactor
    private(set) var connector: Connector?
    private(set) weak var watched: Connector?
    private(set) var results: [Result<Channel, ConnectorError>] = []
    let opening = SlowOpening()
    private let silent: SilentListener
    private var peer: HeldSocket?

    init(_ progress: Progress, limit: Duration? = .seconds(30)) throws {
        reactor = try Reactor()
        silent = try SilentListener()
        var options = ConnectorOptions.waiting
        if [.connecting, .opening, .decided].contains(progress) {
            options = .going(to: silent.address.port)
        }
        options.timeLimit = limit
        let connector = make(options, progress)
        (self.connector, watched) = (connector, connector)
        if progress == .idle { return }
        let port = try connector.connect { [weak self] in self?.results.append($0) }
        if progress == .accepted {
            peer = HeldSocket(try .connecting(to: .loopback(port: port ?? 0)))
            reactor.expect("the partner is in") { opening.asked == 1 }
        }
    }

    private func make(_ options: ConnectorOptions, _ progress: Progress) -> Connector {
        switch progress {
        case .opening, .accepted: Connector(on: reactor, options: options, opening: opening)
        case .decided:
            Connector(on: reactor, options: options, opening: PromptOpening(.channel))
        default: Connector(on: reactor, options: options)
        }
    }

    /// Lets the connector go.
    func drop() { connector = nil }

    /// Lets everything go that is not the connector's, and the channel that it gave.
    func clear() {
        opening.close()
        peer = nil
        for case .success(let channel) in results { channel.abort() }
    }
}

@Suite(.countingDescriptors)
struct EndingConnectors {
    // C3, C15
    @Test(arguments: Progress.allCases)
    fileprivate func `a cancelled connector tells nothing and leaves nothing open`(
        progress: Progress
    ) throws {
        let before = openDescriptorCount()
        do {
            let scene = try Scene(progress)
            let connector = try #require(scene.connector)
            #expect(connector.isConnecting == (progress != .idle))
            connector.cancel()
            #expect(!connector.isConnecting)
            #expect(connector.port == nil)
            connector.cancel()
            scene.clear()
            scene.reactor.settle()
            #expect(scene.results.isEmpty)
            #expect(scene.opening.cancelled == scene.opening.asked)
            #expect(scene.reactor.openSockets().isEmpty)
        }
        #expect(openDescriptorCount() == before)
    }

    // C15
    @Test(arguments: Progress.lasting)
    fileprivate func `a connector whose time runs out says so, once, and leaves nothing open`(
        progress: Progress
    ) throws {
        let before = openDescriptorCount()
        do {
            let scene = try Scene(progress, limit: .milliseconds(30))
            scene.reactor.expect("its time runs out") { !scene.results.isEmpty }
            scene.clear()
            scene.reactor.settle()
            #expect(scene.results.count == 1)
            guard case .failure(let error) = scene.results.first else { throw Mishap() }
            #expect(error.isTimeout)
            #expect(scene.connector?.isConnecting == false)
            #expect(scene.opening.cancelled == scene.opening.asked)
            #expect(scene.reactor.openSockets().isEmpty)
        }
        #expect(openDescriptorCount() == before)
    }

    // C3, C15
    @Test(arguments: Progress.begun)
    fileprivate func `a connector that nobody holds goes on to its end, and then is gone`(
        progress: Progress
    ) throws {
        let before = openDescriptorCount()
        do {
            let scene = try Scene(progress, limit: .milliseconds(30))
            scene.drop()
            #expect(scene.watched != nil)
            scene.reactor.expect("its end") { !scene.results.isEmpty }
            scene.clear()
            scene.reactor.settle()
            #expect(scene.results.count == 1)
            #expect(scene.watched == nil)
        }
        #expect(openDescriptorCount() == before)
    }

    // C3
    @Test func `a connector that never began goes at once`() throws {
        let scene = try Scene(.idle)
        scene.drop()
        #expect(scene.watched == nil)
    }

    // C3, C15
    @Test(arguments: Progress.allCases, [false, true])
    fileprivate func `the end of the reactor ends a connector without a word`(
        progress: Progress, isHeld: Bool
    ) throws {
        let before = openDescriptorCount()
        var kept: Connector?
        weak var watched: Connector?
        do {
            let scene = try Scene(progress)
            watched = scene.connector
            if isHeld { kept = scene.connector }
            scene.drop()
            scene.opening.close()
            #expect(scene.results.isEmpty)
        }
        #expect(openDescriptorCount() == before)
        if let kept {
            #expect(!kept.isConnecting)
            #expect(kept.port == nil)
            #expect(throws: ConnectorError.cancelled) { try kept.connect { _ in wrongly() } }
            kept.cancel()
        }
        kept = nil
        #expect(watched == nil)
    }

    // MARK: Again

    // C15
    @Test(arguments: Progress.begun)
    fileprivate func `a second call is refused while a run is under way, which goes on`(
        progress: Progress
    ) throws {
        let scene = try Scene(progress)
        let connector = try #require(scene.connector)
        let port = connector.port
        for _ in 0..<3 {
            #expect(throws: ConnectorError.alreadyConnecting) {
                try connector.connect { _ in wrongly() }
            }
        }
        #expect(connector.isConnecting)
        #expect(connector.port == port)
        #expect(
            "\(ConnectorError.alreadyConnecting)" == "the connector is connecting already")
        connector.cancel()
        scene.clear()
        scene.reactor.settle()
    }

    // C15
    @Test func `a passive connector that was called twice takes the partner of the first`() throws {
        let reactor = try Reactor()
        let run = ConnectorRun(on: reactor, .waiting)
        try run.start()
        #expect(throws: ConnectorError.alreadyConnecting) { try run.start() }
        let peer = try Socket.connecting(to: .loopback(port: run.port ?? 0))
        try run.opened().close()
        #expect(reactor.openSockets().allSatisfy { $0.kind != .listener })
        withExtendedLifetime(peer) {}
    }

    // C15
    @Test(arguments: Progress.begun)
    fileprivate func `a cancelled connector may begin again, and earlier answers are nobody's`(
        progress: Progress
    ) throws {
        let before = openDescriptorCount()
        do {
            let scene = try Scene(progress)
            let connector = try #require(scene.connector)
            connector.cancel()
            let again = Box(0)
            try connector.connect { result in
                again.value += 1
                if case .success(let channel) = result { channel.abort() }
            }
            // The opening of the first run has an answer at last.
            if progress == .accepted {
                let late = scene.opening.finish()
                #expect(late?.status == .closed)
                scene.reactor.settle()
                #expect(again.value == 0)
            }
            connector.cancel()
            scene.clear()
            scene.reactor.settle()
            #expect(scene.results.isEmpty)
        }
        #expect(openDescriptorCount() == before)
    }

    // C15
    @Test func `a connector may connect again in its completion`() throws {
        let reactor = try Reactor()
        let server = try reactor.listen()
        let connector = Connector(on: reactor, options: .going(to: server.address.port))
        let count = Box(0)
        func go() throws {
            try connector.connect { result in
                #expect(!connector.isConnecting)
                count.value += 1
                if case .success(let channel) = result { channel.close() }
                if count.value < 5 { try? go() }  // A failure ends the count early.
            }
        }
        try go()
        reactor.expect("five runs") { count.value == 5 }
        #expect(server.counters.accepted == 5)
        server.close()
    }

    // C15
    @Test func `one that cancels itself in its completion keeps its channel`() throws {
        let reactor = try Reactor()
        let server = try reactor.listen()
        let connector = Connector(on: reactor, options: .going(to: server.address.port))
        let channel = Box<Channel?>(nil)
        try connector.connect { result in
            connector.cancel()
            if case .success(let opened) = result { channel.value = opened }
        }
        reactor.expect("its end") { channel.value != nil }
        #expect(channel.value?.status == .open)
        channel.value?.close()
        server.close()
    }

    // C15
    @Test func `without a limit a partner may come at any time`() throws {
        let reactor = try Reactor()
        var options = ConnectorOptions.waiting
        options.timeLimit = nil
        let run = ConnectorRun(on: reactor, options)
        try run.start()
        reactor.settle()
        let peer = try Socket.connecting(to: .loopback(port: run.port ?? 0))
        try run.opened().close()
        withExtendedLifetime(peer) {}
    }
}
