// SPDX-License-Identifier: Apache-2.0
//
// A place that does not answer: nothing comes back to who connects there, and nothing is refused.

public import Sluice

/// A listener whose backlog is full: what connects to it from now on gets no answer.
public final class SilentListener {
    private let listener: Socket
    private var fillers: [HeldSocket] = []
    /// Where it listens.
    public let address: SocketAddress

    /// Listens at an address, of TCP.
    public init(at asked: SocketAddress = .loopback(port: 0)) throws(SocketError) {
        listener = try Socket(for: asked)
        try listener.bind(to: asked)
        try listener.listen(backlog: 0)
        address = try listener.localAddress
        for _ in 0..<3 { fillers.append(HeldSocket(try .connecting(to: address))) }
    }
}

/// One port of several loopback addresses: behind each something else, as a name's addresses are.
public final class LoopbackPlaces {
    /// Where somebody listens.
    public let working: SocketAddress
    /// Where nobody answers.
    public let silent: SocketAddress
    /// The port of all of them.
    public let port: UInt16
    private let listener: Socket
    private let mute: SilentListener

    /// Finds a port that all of them can have.
    public init() throws(SocketError) {
        for _ in 0..<100 {
            let any = SocketAddress.ip(.v4(0x7F00_0002), port: .random(in: 10_000..<30_000))
            do throws(SocketError) {
                let listener = try Socket(for: any)
                try listener.bind(to: any)
                try listener.listen(backlog: 512)
                mute = try SilentListener(at: .ip(.v4(0x7F00_0003), port: any.port ?? 0))
                working = any
                silent = mute.address
                port = any.port ?? 0
                self.listener = listener
                return
            } catch {
                guard error.code == .addressInUse else { throw error }
            }
        }
        throw SocketError(.bind, .addressInUse)
    }

    /// A place where nobody listens: 127.0.0.10 and up.
    public func refusing(_ number: UInt32 = 0) -> SocketAddress {
        .ip(.v4(0x7F00_000A + number), port: port)
    }

    /// Takes the next connection to the working place, if there is one.
    public func accept() throws(SocketError) -> HeldSocket? {
        guard var accepted = try listener.accept() else { return nil }
        return HeldSocket(try .taken(from: &accepted.socket))
    }

    /// Takes the next connection and gives what comes over it, to the end, as text; the reactor
    /// runs meanwhile.
    ///
    /// - Throws: ``SocketError`` with `.timedOut` after 20 s.
    public func received(on reactor: Reactor) throws -> String {
        let limit = ContinuousClock.now + .seconds(20)
        var peer: HeldSocket?
        var text = ""
        while ContinuousClock.now < limit {
            reactor.runPending()
            if peer == nil { peer = try accept() }
            guard let peer else { continue }
            guard let bytes = try peer.socket.receiveNow() else { return text }
            text += bytes.text
        }
        throw SocketError(.read, .timedOut)
    }
}
