// SPDX-License-Identifier: Apache-2.0
//
// A group of servers as a service of swift-service-lifecycle: a graceful shutdown drains it.

public import ServiceLifecycle
public import Sluice

/// Serves on all reactors of a group for as long as its service group runs.
///
/// A graceful shutdown has it accept no more and wait for its connections, within
/// ``Sluice/ServingOptions/drainLimit``; cancelling it does the same. The group of reactors is the
/// caller's, and lives on.
///
/// ```swift
/// let reactors = try ReactorGroup()
/// let echo = ServerService(on: reactors, at: [.loopback(port: 7777)]) { connection in
///     for try await line in connection.lines { try await connection.writeLine(line) }
/// }
/// let services = ServiceGroup(
///     services: [echo], gracefulShutdownSignals: [.sigterm], logger: logger)
/// try await services.run()
/// await reactors.stop()
/// ```
public struct ServerService: Service {
    private let group: ReactorGroup
    private let addresses: [SocketAddress]
    private let options: ServingOptions
    private let onListening: @Sendable ([SocketAddress]) -> Void
    private let handler: @Sendable (isolated Connection) async throws -> Void

    /// A service that listens as soon as it runs.
    ///
    /// - Parameters:
    ///   - onListening: called once with where it listens, with real ports in place of 0.
    ///   - handler: runs for each connection in a task of its own, as with
    ///     ``Sluice/ServerGroup/run(_:)``.
    public init(
        on group: ReactorGroup, at addresses: [SocketAddress], options: ServingOptions = .init(),
        onListening: @escaping @Sendable ([SocketAddress]) -> Void = { _ in },
        handler: @escaping @Sendable (isolated Connection) async throws -> Void
    ) {
        self.group = group
        self.addresses = addresses
        self.options = options
        self.onListening = onListening
        self.handler = handler
    }

    /// Serves to the end.
    ///
    /// - Throws: ``Sluice/SocketError``, as ``Sluice/ServerGroup/init(on:at:options:)``.
    public func run() async throws {
        let server = try await ServerGroup(on: group, at: addresses, options: options)
        onListening(server.addresses)
        try await withGracefulShutdownHandler {
            try await server.run(handler)
        } onGracefulShutdown: {
            server.close()
        }
    }
}
