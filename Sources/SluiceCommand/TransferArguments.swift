// SPDX-License-Identifier: Apache-2.0
//
// What `sluice send` and `sluice receive` have in common on the command line.

import ArgumentParser
import Sluice

/// Where the partner of a transfer is, and how the transfer is shown.
struct TransferArguments: ParsableArguments {
    @Argument(help: "The partner's name or address.")
    var host: String?

    @Argument(help: "The partner's port, or the name of a service.")
    var port: PortArgument?

    @Option(
        help: ArgumentHelp(
            """
            Wait for the partner in place of connecting to it; 0 lets the kernel choose the port. \
            A port alone is one of 127.0.0.1; for other machines give an address, such as \
            0.0.0.0:7777 for all of IPv4, [::]:7777 for all of IPv6.
            """, valueName: "[address:]port"))
    var listen: ListenArgument?

    @Option(
        help: """
            How long the connection may take to open, or the partner to come. (default: 10s; no \
            limit with --listen)
            """)
    var timeout: DurationArgument?

    @Option(
        help: """
            How long the partner may neither send nor take anything; 0 for ever, as for a partner \
            that sends what somebody types. (default: 60s)
            """)
    var idle: DurationArgument?

    @Flag(help: "Go on where an earlier transfer was cut; both ends need it.")
    var resume = false

    @Flag(inversion: .prefixedNo, help: "Show progress on standard error. (default: on a terminal)")
    var progress: Bool?

    @Flag(help: "Print the report as one JSON object.")
    var json = false

    func validate() throws {
        guard (host == nil) == (port == nil), (host == nil) != (listen == nil) else {
            throw ValidationError("either a HOST and a PORT or --listen is needed")
        }
        if timeout?.duration == .zero { throw ValidationError("--timeout is more than 0") }
        if try port?.number() == 0 { throw ValidationError("the partner's PORT is 1 or more") }
        _ = try listen?.port.number()
    }

    /// How long the partner may do nothing; `nil` for ever.
    var patience: Duration? {
        let limit = idle?.duration ?? .seconds(60)
        return limit == .zero ? nil : limit
    }

    /// How the connection is had.
    func connectorOptions() throws -> ConnectorOptions {
        var options = ConnectorOptions()
        if let listen {
            options.mode = .passive
            options.localAddress = listen.host
            options.port = try listen.port.number()
        } else {
            options.host = host ?? options.host
            options.port = try port?.number() ?? 0
        }
        options.timeLimit = timeout?.duration ?? (listen == nil ? .seconds(10) : nil)
        options.channel = .binary
        return options
    }
}
