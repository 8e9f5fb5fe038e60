// SPDX-License-Identifier: Apache-2.0
//
// What a load by datagrams has of its own: how its sockets open, and what becomes of requests
// that nobody answers.

internal import Sluice

extension LoadRun {
    /// Opens the next socket.
    ///
    /// Nothing is sent by that, so nobody can refuse it.
    func openSocket() {
        if opening.known == nil { opening.others = lookUp()[...] }
        var failure: SocketError?
        while let address = opening.known ?? opening.others.popFirst() {
            do throws(SocketError) {
                return opened(try makeChannel(to: address), to: address)
            } catch {
                failure = failure ?? error
                if opening.known != nil { break }
            }
        }
        if let failure { failed(LoadErrorKind(failure.code), "\(failure)") }
    }

    private func opened(_ channel: DatagramChannel, to address: SocketAddress) {
        opening.known = address
        ramp.ended(successfully: true)
        let connection = DatagramLoadConnection(channel, of: self, index: connections.count)
        connections.append(.datagrams(connection))
        connection.start()
    }

    /// Has all sockets go on with the next address of the target, since nobody is at this one.
    ///
    /// - Returns: false where there is none.
    func moveOn() -> Bool {
        while let address = opening.others.popFirst() {
            guard let channels = makeChannels(to: address) else { continue }
            opening.known = address
            for case (.datagrams(let connection), let channel) in zip(connections, channels) {
                connection.move(to: channel)
            }
            return true
        }
        return false
    }

    /// Opens a channel for each connection, or none.
    private func makeChannels(to address: SocketAddress) -> [DatagramChannel]? {
        var channels: [DatagramChannel] = []
        for _ in connections {
            do throws(SocketError) {
                channels.append(try makeChannel(to: address))
            } catch {
                for channel in channels { channel.close() }
                return nil
            }
        }
        return channels
    }

    private func makeChannel(to address: SocketAddress) throws(SocketError) -> DatagramChannel {
        // A Unix socket is answered only where it has a name.
        let local: SocketAddress? =
            address.ipAddress == nil ? .unnamed : nextSource().map { .ip($0, port: 0) }
        return try DatagramChannel(
            on: reactor, connectedTo: address, from: local, options: socketOptions)
    }

    /// Asks for the addresses of the target's name, once, and waits for the answer: nothing else
    /// goes on here yet.
    private func lookUp() -> [SocketAddress] {
        guard case .host(let name, let port) = workload.target.endpoint else { return [] }
        do throws(ResolverError) {
            var addresses = try HostName.addresses(of: name)
            if let source = workload.sources.first {
                addresses.removeAll { $0.isIPv6 != source.isIPv6 }
                if addresses.isEmpty { throw ResolverError(name, .noAddressOfFamily) }
            }
            return addresses.map { .ip($0, port: port) }
        } catch {
            failed(.unresolved, "\(error)")
            return []
        }
    }

    private var socketOptions: DatagramOptions {
        var options = DatagramOptions()
        let most = workload.requestByteCount * workload.pipeline
        options.outputLimit = max(options.outputLimit, most)
        return options
    }
}

// MARK: - Losses

extension LoadRun {
    /// Looks after all sockets at once, each tenth of the time that an answer has: so much late at
    /// most a request is given up.
    func watchForLosses() {
        let interval = min(max(workload.datagramTimeout / 10, .milliseconds(1)), .milliseconds(100))
        lossTimer = reactor.every(interval) { self.giveUpLosses() }
    }

    private func giveUpLosses() {
        let now = MonotonicClock.now
        let time = workload.datagramTimeout.wholeNanoseconds
        guard now > time else { return }
        for connection in connections { connection.giveUp(sentUpTo: now - time, at: now) }
    }
}
