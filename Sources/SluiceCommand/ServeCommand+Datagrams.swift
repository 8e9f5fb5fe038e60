// SPDX-License-Identifier: Apache-2.0
//
// `sluice serve --udp`: the same services for datagrams.

import Sluice

extension ServeCommand {
    /// Serves datagrams until a signal comes; nothing is waited for then.
    func serveDatagrams() throws {
        let addresses = try listeningAddresses()
        let reactor = try Reactor()
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
