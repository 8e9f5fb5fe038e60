// SPDX-License-Identifier: Apache-2.0
//
// Connectors whose channels are opened in another way than by plain sockets: with a handshake
// first, at once, too late, or not at all (C8, C12, C14).

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct OpeningDifferently {
    let reactor: Reactor

    init() throws { reactor = try Reactor() }

    /// Both partners, begun, each with an opening of its own.
    private func partners(
        _ passive: any ConnectorOpening, _ active: any ConnectorOpening,
        _ options: ConnectorOptions = .waiting
    ) throws -> (passive: ConnectorRun, active: ConnectorRun) {
        let waiting = ConnectorRun(on: reactor, options, opening: passive)
        try waiting.start()
        var goingOptions = ConnectorOptions.going(to: waiting.port)
        goingOptions.timeLimit = options.timeLimit
        let going = ConnectorRun(on: reactor, goingOptions, opening: active)
        try going.start()
        return (waiting, going)
    }

    // C12, C14
    @Test func `an opening set up once serves any number of partners of either mode`() throws {
        let opening = WordOpening("open sesame")
        for count in 1...3 {
            let (passive, active) = try partners(opening, opening)
            let ends = try [passive.opened(), active.opened()]
            #expect(opening.count == 2 * count)
            let lines = Box<[String]>([])
            ends[0].onLine { _, line in lines.value.append(line) }
            try ends[1].writeLine("after the handshake")
            reactor.expect("the line") { lines.value == ["after the handshake"] }
            for end in ends { end.abort() }
        }
        #expect(opening.cancelled == 0)
    }

    // C8, C12
    @Test func `a partner that does not prove itself is refused in the opening's words`() throws {
        let (passive, active) = try partners(WordOpening("one"), WordOpening("another"))
        let refusal = ConnectorError.opening(OpeningError(WordOpening.Refusal.wrongWord("another")))
        #expect(passive.failed() == refusal)
        #expect(active.failed() != nil)
        #expect("\(refusal)" == "wrongWord(Optional(\"another\"))")
        // It took one connection: whoever comes now finds nobody.
        reactor.settle()
        #expect(reactor.openSockets().isEmpty)
        #expect(passive.results.count == 1)
        #expect(!passive.connector.isConnecting)
    }

    // C12
    @Test func `a partner that leaves in the handshake is told as the opening tells it`() throws {
        let run = ConnectorRun(on: reactor, .waiting, opening: WordOpening("word"))
        try run.start()
        let partner = try Socket.connecting(to: .loopback(port: run.port ?? 0))
        try partner.shutDown(.writing)
        let error = OpeningError(WordOpening.Refusal.wrongWord(nil))
        #expect(run.failed() == .opening(error))
        withExtendedLifetime(partner) {}
    }

    // C12, C13
    @Test func `the connector's settings come after those of the opening`() throws {
        let opening = WordOpening("word", changesText: true)
        var options = ConnectorOptions.waiting
        options.text.inputEndMark = "?"
        let (passive, active) = try partners(opening, opening, options)
        let waited = try passive.opened()
        #expect(waited.options.text.encoding == .latin1)
        #expect(waited.options.text.inputEndMark == "?")
        let gone = try active.opened()
        #expect(gone.options.text.inputEndMark == "!")
        waited.abort()
        gone.abort()
    }

    // C7, C12
    @Test func `nobody else comes in while the handshake goes on`() throws {
        let opening = SlowOpening()
        let run = ConnectorRun(on: reactor, .waiting, opening: opening)
        try run.start()
        let place = SocketAddress.loopback(port: run.port ?? 0)
        let partner = try Socket.connecting(to: place)
        reactor.expect("it is in") { opening.asked == 1 }
        let late = ConnectorRun(on: reactor, .going(to: place.port))
        try late.start()
        #expect(late.failed() != nil)
        #expect("\(run.connector)".hasSuffix("opening"))
        #expect(!run.isOver)
        opening.finish()
        try run.opened().close()
        withExtendedLifetime(partner) {}
    }

    // MARK: Time

    // C12, C15
    @Test func `a handshake has no more time than the connector`() throws {
        var options = ConnectorOptions.waiting
        options.timeLimit = .milliseconds(50)
        let (word, silence) = (WordOpening("word"), SlowOpening())
        let run = ConnectorRun(on: reactor, options, opening: word)
        try run.start()
        let partner = try Socket.connecting(to: .loopback(port: run.port ?? 0))
        #expect(run.failed() == .timedOut)
        #expect(word.cancelled == 1)
        #expect(reactor.openSockets().isEmpty)
        options = .going(to: 9)
        options.timeLimit = .milliseconds(50)
        let other = ConnectorRun(on: reactor, options, opening: silence)
        try other.start()
        #expect(other.failed() == .timedOut)
        #expect(silence.cancelled == 1)
        silence.close()
        withExtendedLifetime(partner) {}
    }

    // C12
    @Test func `a channel that has ended before it was given is none`() throws {
        let opening = SlowOpening()
        let run = ConnectorRun(on: reactor, .going(to: 9), opening: opening)
        try run.start()
        opening.finish()?.abort()
        guard case .socket(let error) = run.failed() else { throw Mishap() }
        #expect(error.code == .connectionAborted)
    }

    // C12
    @Test func `a channel that comes too late is closed`() throws {
        var options = ConnectorOptions.going(to: 9)
        options.timeLimit = .milliseconds(10)
        let opening = SlowOpening()
        let run = ConnectorRun(on: reactor, options, opening: opening)
        try run.start()
        #expect(run.failed() == .timedOut)
        #expect(opening.finish()?.status == .closed)
        reactor.settle()
        #expect(run.results.count == 1)
    }

    // C5, C12
    @Test(arguments: [ConnectorOptions.Mode.active, .passive])
    func `an answer within the call is told after it`(mode: ConnectorOptions.Mode) throws {
        for answer in [PromptOpening.Answer.channel, .error(Mishap())] {
            var options = ConnectorOptions.waiting
            options.mode = mode
            let run = ConnectorRun(on: reactor, options, opening: PromptOpening(answer))
            try run.start()
            #expect(!run.isOver)
            let peer = try run.port.map { HeldSocket(try .connecting(to: .loopback(port: $0))) }
            reactor.expect("its end") { run.isOver }
            switch answer {
            case .channel: #expect(run.channel?.status == .open)
            default: #expect(run.error == .opening(OpeningError(Mishap())))
            }
            run.channel?.abort()
            withExtendedLifetime(peer) {}
        }
    }

    // C12
    @Test func `what an opening throws an active call throws, and a passive one tells`() throws {
        let error = SocketError(.connect, .notPermitted)
        for thrown: any Error in [error, Mishap()] {
            let expected =
                thrown is Mishap
                ? ConnectorError.opening(OpeningError(Mishap())) : .socket(error)
            let opening = PromptOpening(.thrown(thrown))
            let active = Connector(on: reactor, options: .going(to: 9), opening: opening)
            #expect(throws: expected) { try active.connect { _ in wrongly() } }
            #expect(!active.isConnecting)
            let passive = ConnectorRun(on: reactor, .waiting, opening: opening)
            try passive.start()
            let peer = try Socket.connecting(to: .loopback(port: passive.port ?? 0))
            #expect(passive.failed() == expected)
            withExtendedLifetime(peer) {}
        }
        #expect(reactor.openSockets().isEmpty)
    }

    // C12
    @Test func `an opening may be given up within the call that asks for it`() throws {
        for begins in [false, true] {
            let opening = SlowOpening()
            let run = ConnectorRun(on: reactor, .going(to: 9), opening: opening)
            let (connector, isFirst) = (run.connector, Box(true))
            opening.whileAsked = {
                guard isFirst.value else { return }
                isFirst.value = false
                connector.cancel()
                opening.close()
                // The next run, inside the call that began the first one.
                if begins { #expect(throws: Never.self) { try run.start() } }
            }
            try run.start()
            #expect(opening.cancelled == 1)
            #expect(connector.isConnecting == begins)
            if begins {
                let channel = opening.finish()
                let given = try run.opened()
                #expect(given === channel)
                given.abort()
            }
            opening.whileAsked = {}
            reactor.settle()
            #expect(run.results.count == (begins ? 1 : 0))
        }
    }

    // C12
    @Test func `errors of openings are told apart by what they say`() {
        let one = OpeningError(Mishap())
        let other = OpeningError(WordOpening.Refusal.wrongWord(nil))
        #expect(one == OpeningError(Mishap()))
        #expect(one != other)
        #expect(Set([one, other, one]).count == 2)
        #expect(ConnectorError(ConnectorError.timedOut) == .timedOut)
        #expect("\(ConnectorError.timedOut)" == "the connector's time ran out")
        #expect("\(ConnectorError.cancelled)" == "the connector was cancelled")
    }
}
