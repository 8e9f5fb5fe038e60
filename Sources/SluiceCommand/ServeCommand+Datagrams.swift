// SPDX-License-Identifier: Apache-2.0
//
// `sluice serve --udp`: the same services for datagrams, and what of the options they have no use
// for.

import ArgumentParser
import Sluice

extension ServeCommand {
    /// Refuses what means nothing where there are no connections.
    func validateDatagrams() throws {
        let refused = [
            ("--style", style != .callback), ("--max-connections", maxConnections != nil),
            ("--idle-timeout", idleTimeout != nil), ("--backlog", backlog != nil),
            ("--drain", drain != nil), ("--encoding", text.encoding != nil),
            ("--translation", text.translation != nil), ("--end-mark", text.endMark != nil),
        ]
        if let (name, _) = refused.first(where: \.1) {
            throw ValidationError("\(name) is for connections, and --udp has none")
        }
    }

    /// Serves datagrams until a signal comes; nothing is waited for then.
    func serveDatagrams(
        at addresses: [SocketAddress], _ reactor: Reactor
    ) throws(SocketError) {
        if workers == 1 {
            reactor.onError = complain
            var sockets = try DatagramSockets(
                at: addresses, on: reactor, options: datagramOptions)
            sockets.serve(service)
            try serve(at: sockets.addresses, reactor) { stop in stop() }
            sockets.close()
        } else {
            let sockets = try WorkerSockets(
                of: service, count: workers, at: addresses, options: datagramOptions, reactor)
            try serve(at: sockets.addresses, reactor) { stop in stop() }
            sockets.stop()
        }
    }

    private var datagramOptions: DatagramOptions {
        var options = DatagramOptions()
        options.reusePort = reusePort || workers > 1
        // Who has gone before its answer came is nobody's affair, and must not slow others down.
        options.reportsErrors = false
        return options
    }
}
