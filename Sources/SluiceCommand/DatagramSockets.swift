// SPDX-License-Identifier: Apache-2.0
//
// The sockets of `sluice serve --udp`: one at each address, on one reactor or on each of several.

import Sluice
import SluiceText

/// The sockets of one reactor.
struct DatagramSockets {
    /// Where they are, with real ports in place of 0.
    private(set) var addresses: [SocketAddress] = []
    private var channels: [DatagramChannel] = []

    /// Opens a socket at each of `addresses`, or none; all addresses with port 0 get the port of
    /// the first.
    init(
        at addresses: [SocketAddress], on reactor: Reactor, options: DatagramOptions
    ) throws(SocketError) {
        // Another port may be free for all of them, if the kernel chose the first.
        let isChosen = addresses.contains { $0.port == 0 }
        var attempts = isChosen && addresses.count > 1 ? 10 : 1
        while true {
            attempts -= 1
            do throws(SocketError) {
                for address in addresses { try open(at: address, on: reactor, options) }
                return
            } catch {
                close()
                if attempts == 0 || error.code != .addressInUse { throw error }
            }
        }
    }

    private mutating func open(
        at address: SocketAddress, on reactor: Reactor, _ options: DatagramOptions
    ) throws(SocketError) {
        var place = address
        if place.port == 0, let port = addresses.lazy.compactMap(\.port).first {
            place = place.with(port: port)
        }
        let channel = try DatagramChannel(on: reactor, at: place, options: options)
        channels.append(channel)
        addresses.append(try channel.localAddress)
    }

    /// Begins to serve; the channels' reactor keeps them.
    func serve(_ service: SimpleService) {
        for (channel, address) in zip(channels, addresses) {
            service.serve(channel, at: address.port)
        }
    }

    /// Closes all of them, and removes the file of a Unix socket.
    mutating func close() {
        for channel in channels { channel.close() }
        channels = []
        addresses = []
    }
}

/// The sockets of `sluice serve --udp --workers`: on each of several threads a socket at each
/// address, over which the kernel spreads the senders.
///
/// A Unix socket can't be shared: it is the first thread's.
final class WorkerSockets {
    private let group: ReactorGroup
    /// Where they are.
    let addresses: [SocketAddress]

    /// Opens them, and begins to serve.
    init(
        of service: SimpleService, count: Int, at addresses: [SocketAddress],
        options: DatagramOptions, _ main: Reactor
    ) throws(SocketError) {
        group = try ReactorGroup(count: count)
        var places = addresses
        var opened: [SocketAddress]?
        for handle in group.handles {
            let found = try Self.open(of: service, at: places, options, by: handle, main)
            if opened == nil { opened = found }
            // A port that the kernel chose is everybody's.
            places = found.filter { $0.ipAddress != nil }
        }
        self.addresses = opened ?? []
    }

    /// Opens the sockets of one thread, and waits for that.
    private static func open(
        of service: SimpleService, at places: [SocketAddress], _ options: DatagramOptions,
        by worker: Reactor.Handle, _ main: Reactor
    ) throws(SocketError) -> [SocketAddress] {
        let opened = Locked<Result<[SocketAddress], SocketError>?>(nil)
        let back = main.handle
        try worker.perform { reactor in
            reactor.onError = complain
            let result: Result<[SocketAddress], SocketError>
            do throws(SocketError) {
                let sockets = try DatagramSockets(at: places, on: reactor, options: options)
                sockets.serve(service)
                result = .success(sockets.addresses)
            } catch {
                result = .failure(error)
            }
            opened.withLock { $0 = result }
            // Has the main thread look; it has not ended, since it waits.
            try back.perform { _ in }
        }
        main.run(until: { opened.withLock { $0 != nil } })
        return try opened.withLock { $0 ?? .failure(SocketError(.bind, .cancelled)) }.get()
    }

    /// Ends the threads, and with them the sockets.
    func stop() { group.stopAndWait() }
}
