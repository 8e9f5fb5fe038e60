// SPDX-License-Identifier: Apache-2.0
// SwiftNIO's async style: NIOAsyncChannel, a discarding task group, one task for each connection.
// The tasks run on the event loop itself, which spares the thread hops of the default executor.

import Glibc
import NIOCore
import NIOPosix

enum AsyncStyle {
    /// As many as NIO's own write loop sends before it lets others run.
    private static let blocksInOneTurn = 16

    private typealias Connection = NIOAsyncChannel<ByteBuffer, ByteBuffer>

    /// Serves until the process is told to end.
    static func serve(_ service: Service, port: Int) -> Never {
        runTasksOnTheEventLoop()
        Task { await run(service, port: port) }
        // The main thread has nothing to do, and a signal ends the process wherever it arrives.
        while true { pause() }
    }

    /// Makes NIO's one event loop the executor of all tasks.
    ///
    /// NIO 2.101 has no task executor. This is the way it offers for I/O without thread switches,
    /// and it works for its singleton group only.
    private static func runTasksOnTheEventLoop() {
        NIOSingletons.groupLoopCountSuggestion = 1
        let isInstalled =
            NIOSingletons.unsafeTryInstallSingletonPosixEventLoopGroupAsConcurrencyGlobalExecutor()
        if !isInstalled {
            // Going on would measure the default executor under this one's name.
            NIOPeer.fail("SwiftNIO could not become the executor of Swift's tasks")
        }
    }

    private static func run(_ service: Service, port: Int) async {
        do {
            let server = try await ServerBootstrap.peer(on: MultiThreadedEventLoopGroup.singleton)
                .bind(host: "127.0.0.1", port: port) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try Connection(wrappingChannelSynchronously: channel)
                    }
                }
            NIOPeer.announce(server.channel)
            try await serve(service, on: server)
        } catch {
            NIOPeer.fail("\(error)")
        }
    }

    private static func serve(
        _ service: Service,
        on server: NIOAsyncChannel<Connection, Never>
    ) async throws {
        // A discarding group, because any other keeps the result of each task until it is asked.
        try await withThrowingDiscardingTaskGroup { group in
            try await server.executeThenClose { connections in
                for try await connection in connections {
                    group.addTask { await handle(connection, service) }
                }
            }
        }
    }

    private static func handle(_ connection: Connection, _ service: Service) async {
        do {
            try await connection.executeThenClose { inbound, outbound in
                switch service {
                case .echo:
                    try await echo(inbound, outbound)
                    // Closing drops what is unsent, and an empty write ends after all before it.
                    try await connection.channel.writeAndFlush(ByteBuffer())
                case .chargen:
                    let eventLoop = connection.channel.eventLoop
                    try await generate(inbound, outbound, on: eventLoop)
                }
            }
        } catch {
            // The failure of one connection is not the server's.
        }
    }

    private static func echo(
        _ inbound: NIOAsyncChannelInboundStream<ByteBuffer>,
        _ outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    ) async throws {
        for try await bytes in inbound {
            try await outbound.write(bytes)
        }
    }

    /// A write waits while more than NIO's water mark is unsent, so one block is queued at a time.
    private static func generate(
        _ inbound: NIOAsyncChannelInboundStream<ByteBuffer>,
        _ outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>,
        on eventLoop: any EventLoop
    ) async throws {
        try await withThrowingDiscardingTaskGroup { group in
            // Unread input would hide the end of the connection behind it.
            group.addTask {
                for try await _ in inbound {}
                throw CancellationError()
            }
            while !group.isCancelled {
                for _ in 0..<blocksInOneTurn { try await outbound.write(Service.block) }
                try await letOthersRun(on: eventLoop)
            }
        }
    }

    /// Lets the event loop look at its sockets, which a reader that keeps pace would put off.
    ///
    /// A yield is not enough: NIO runs every task that is ready before it looks at a socket.
    private static func letOthersRun(on eventLoop: any EventLoop) async throws {
        try await eventLoop.scheduleTask(in: .microseconds(1)) {}.futureResult.get()
    }
}
