// SPDX-License-Identifier: Apache-2.0
//
// Where the clients of `sluice serve` come in.

import ArgumentParser
import Sluice

/// Where clients come in: addresses to listen at, or sockets that somebody else has opened.
enum ServePlaces: ~Copyable, Sendable {
    case addresses([SocketAddress])
    case sockets(InheritedSockets)
}

extension ServeCommand {
    /// Where this process serves streams; to be asked before a reactor is there, since inherited
    /// sockets have fixed numbers.
    ///
    /// - Throws: `SocketError` for an environment that can't be read; `ExitCode` for a name without
    ///   addresses, and where no socket was handed over.
    func places() throws -> ServePlaces {
        guard processes.activated || processes.asProcess != nil else {
            return .addresses(try listeningAddresses())
        }
        let sockets = try InheritedSockets.fromEnvironment()
        guard sockets.count > 0 else {
            StandardStreams.complain(
                "no socket was handed over: LISTEN_FDS names none, or LISTEN_PID another process")
            throw ExitCode.unavailable
        }
        return .sockets(sockets)
    }

    /// The addresses that the options name.
    func listeningAddresses() throws -> [SocketAddress] {
        let port = try portNumber()
        let names = host.isEmpty && unix == nil ? ["127.0.0.1"] : host
        let hosts = try names.map { name in
            do throws(ResolverError) {
                return SocketAddress.ip(try HostName.addresses(of: name)[0], port: port)
            } catch {
                StandardStreams.complain("\(error)")
                throw ExitCode.unavailable
            }
        }
        return hosts + (unix.map { [.unix(path: $0)] } ?? [])
    }

    func portNumber() throws -> UInt16 { try port.number(udp ? "udp" : "tcp") }
}
