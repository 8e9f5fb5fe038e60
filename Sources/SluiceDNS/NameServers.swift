// SPDX-License-Identifier: Apache-2.0
//
// Name servers as a source of names: what a resolver asks that does not ask the system.

public import Sluice

/// Name servers, asked over sockets of a reactor's, after a list of hosts.
///
/// Each question goes to the first server, and to the next one where that fails, refuses or is
/// silent; over UDP, and over TCP where an answer is too long for a datagram. Answers that can't be
/// right are left out and counted, and the right one is waited for. Names that are not written in
/// full are looked for in the search domains. It ends with its reactor, if not before; what was
/// asked is not answered then.
///
/// A service or a text that a name has none of is told as `.noAddress`, like an address.
///
/// A server that is silent while another one answers is asked last for 30 s. Questions leave from
/// one UDP port per server for as long as any is under way, and from another one after 512 of them.
/// Source: RFC 5452, 9.2.
public final class NameServers: NameSource {
    private var channel: ServerChannel
    /// They are asked nothing new, and end when nothing of theirs is under way.
    private var draining: [ServerChannel] = []
    /// What those that have ended have counted.
    private var past = NameServerCounters()
    private var lastNumber: UInt64 = 0
    /// Servers that were silent, and until when they are asked last.
    private var silentUntil: [SocketAddress: ContinuousClock.Instant] = [:]

    private static let silenceTime = Duration.seconds(30)
    /// A channel is asked so many questions.
    private static let questionsPerChannel: UInt64 = 512
    /// With so many that drain the current one goes on.
    private static let drainingLimit = 8

    /// Makes a source; no server is asked yet.
    ///
    /// The file of the options is read here, on this thread.
    ///
    /// - Throws: ``ResolverError``: `.noServers`, with the server that is no IP address;
    ///   `.noMemory`, `.permanentFailure` and `.system(.invalidArgument)`, with the file.
    public init(
        on reactor: Reactor, options: NameServerOptions = NameServerOptions()
    ) throws(ResolverError) {
        channel = try ServerChannel(on: reactor, options, HostList(options.hosts))
        servers = channel.servers
    }

    deinit { for channel in channels { channel.end() } }

    private var channels: [ServerChannel] { draining + [channel] }

    /// The families are asked for apart.
    public var asksFamiliesApart: Bool { true }

    /// The servers, in the order in which they are asked while all of them answer.
    public let servers: [SocketAddress]

    /// The domains in which a name is looked for that is not written in full.
    public var searchDomains: [String] { channel.domains }

    /// What was asked and what came back, from the beginning on.
    public var counters: NameServerCounters { channels.reduce(past) { $0 + $1.counters } }

    /// How many questions the servers are being asked, those that were given up among them.
    public var questionCount: Int { channels.reduce(0) { $0 + $1.questions.count } }

    /// How many sockets are open; none while no server is asked.
    public var socketCount: Int { channels.reduce(0) { $0 + $1.sockets.count } }

    /// Begins to ask: the list of hosts first, then the servers.
    ///
    /// - Returns: a number by which to give the question up.
    public func begin(
        _ question: NameQuestion, _ completion: @escaping (NameReport) -> Void
    ) -> UInt64 {
        endIdle()
        renew()
        lastNumber += 1
        channel.begin(lastNumber, question, completion)
        return lastNumber
    }

    /// Nobody waits for a question any more: its completion is not called from now on.
    ///
    /// c-ares can't be told to stop with one question: it goes on until it is answered or its tries
    /// have run out, and counts until then.
    /// With 1,024 of them those that are asked next are held back.
    public func giveUp(_ number: UInt64) {
        for channel in channels { channel.giveUp(number) }
    }
}

// MARK: - Channels

extension NameServers {
    /// Ends what has drained.
    private func endIdle() {
        for channel in draining where channel.isIdle {
            past = past + channel.counters
            channel.end()
        }
        draining.removeAll { $0.hasEnded }
    }

    /// Goes on with a new channel, where the order of the servers or the ports are to change.
    private func renew() {
        if let silent = channel.silentServer.take() {
            silentUntil[silent] = .now + Self.silenceTime
        }
        let order = order
        let isUsedUp = channel.counters.questions >= Self.questionsPerChannel
        guard isUsedUp || order != channel.servers, draining.count < Self.drainingLimit,
            !channel.hasEnded, let reactor = channel.reactor
        else { return }
        let options = channel.resolved.asking(order)
        // Without memory for another one the old one goes on.
        guard let next = try? ServerChannel(on: reactor, options, channel.hosts) else { return }
        next.plainUntil = channel.plainUntil
        draining.append(channel)
        channel = next
        endIdle()
    }

    /// The servers, the silent ones last.
    private var order: [SocketAddress] {
        if silentUntil.isEmpty { return servers }
        silentUntil = silentUntil.filter { $0.value > .now }
        return servers.filter { silentUntil[$0] == nil } + servers.filter { silentUntil[$0] != nil }
    }
}

extension NameServerOptions {
    fileprivate func asking(_ servers: [SocketAddress]) -> Self {
        var options = self
        options.servers = servers
        return options
    }
}

/// Name servers stay on their reactor's thread.
@available(*, unavailable)
extension NameServers: Sendable {}
