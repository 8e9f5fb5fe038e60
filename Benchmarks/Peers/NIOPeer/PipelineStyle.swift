// SPDX-License-Identifier: Apache-2.0
// SwiftNIO's handler pipeline: its fastest style, all of it on the event loop's one thread.
// The handlers allocate no promise for a message, and flush once for all that came in one turn.

import NIOCore
import NIOPosix

enum PipelineStyle {
    /// Serves until the process is told to end.
    static func serve(_ service: Service, port: Int) throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let server = try ServerBootstrap.peer(on: group)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try addHandlers(for: service, to: channel.pipeline.syncOperations)
                }
            }
            .bind(host: "127.0.0.1", port: port)
            .wait()
        NIOPeer.announce(server)
        try server.closeFuture.wait()
    }

    private static func addHandlers(
        for service: Service,
        to pipeline: ChannelPipeline.SynchronousOperations
    ) throws {
        switch service {
        case .echo:
            // As in NIO's example: without it, a peer that never reads makes the server's memory
            // grow, which no other peer allows.
            try pipeline.addHandler(BackPressureHandler())
            try pipeline.addHandler(EchoHandler())
        case .chargen:
            try pipeline.addHandler(ChargenHandler())
        }
    }
}

private final class EchoHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        context.write(data, promise: nil)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.flush()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard event as? ChannelEvent == .inputClosed else { return }
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenComplete { _ in context.close(promise: nil) }
        // Closing drops what is unsent, and an empty write succeeds after all that came before.
        context.writeAndFlush(Self.wrapOutboundOut(ByteBuffer()), promise: promise)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}

private final class ChargenHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    func channelActive(context: ChannelHandlerContext) {
        sendBlock(context)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // What comes is thrown away.
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event as? ChannelEvent == .inputClosed { context.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func sendBlock(_ context: ChannelHandlerContext) {
        let promise = context.eventLoop.makePromise(of: Void.self)
        // Asked for before the write: then the next block is queued inside NIO's flush, which
        // takes it up in its loop, and a reader that keeps pace does not make the stack grow.
        promise.futureResult.assumeIsolated().whenSuccess { self.sendBlock(context) }
        context.writeAndFlush(Self.wrapOutboundOut(Service.block), promise: promise)
    }
}
