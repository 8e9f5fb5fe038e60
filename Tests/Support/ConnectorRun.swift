// SPDX-License-Identifier: Apache-2.0
//
// A connector and what its runs have come to.
// What every test of partners begins with.

public import Sluice
import Testing

/// A connector, and what was told of its runs.
public final class ConnectorRun {
    /// The connector.
    public let connector: Connector
    private let reactor: Reactor
    /// What its completions were called with, in order.
    public private(set) var results: [Result<Channel, ConnectorError>] = []
    /// What the last call has returned.
    public private(set) var port: UInt16?

    /// A connector that has not begun.
    public init(
        on reactor: Reactor, _ options: ConnectorOptions,
        opening: any ConnectorOpening = PlainOpening()
    ) {
        self.reactor = reactor
        connector = Connector(on: reactor, options: options, opening: opening)
    }

    /// Begins a run.
    public func start() throws {
        let before = results.count
        port = try connector.connect { [self] in results.append($0) }
        #expect(results.count == before, "the completion came before the call had returned")
    }

    /// Whether a run has come to its end.
    public var isOver: Bool { !results.isEmpty }

    /// The last channel; `nil` where there is none.
    public var channel: Channel? {
        guard case .success(let channel) = results.last else { return nil }
        return channel
    }

    /// The last error; `nil` where there is none.
    public var error: ConnectorError? {
        guard case .failure(let error) = results.last else { return nil }
        return error
    }

    /// Waits for the end of the first run, and gives its channel.
    public func opened() throws -> Channel {
        reactor.expect("the connector has come to an end") { isOver }
        return try #require(results.first).get()
    }

    /// Waits for the end of the first run, and gives its error.
    public func failed() -> ConnectorError? {
        reactor.expect("the connector has come to an end") { isOver }
        return error
    }
}

extension ConnectorOptions {
    /// A passive connector on loopback.
    public static var waiting: ConnectorOptions {
        var options = ConnectorOptions(.passive)
        options.localAddress = .loopback
        return options
    }

    /// An active connector that goes to a port of loopback.
    public static func going(to port: UInt16?) -> ConnectorOptions {
        ConnectorOptions(host: "127.0.0.1", port: port ?? 0)
    }
}
