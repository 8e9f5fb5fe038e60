// SPDX-License-Identifier: Apache-2.0
// A server on SwiftNIO with one event loop, in NIO's two styles: handlers in a pipeline, and tasks.
// Both are written as NIO's own documentation and examples advise for speed.

import Glibc
import NIOCore
import NIOPosix
import PeerSupport

@main
enum NIOPeer {
    static func main() {
        let options = peer_start(CommandLine.argc, CommandLine.unsafeArgv, PEER_STYLES)
        let service: Service = options.service == PEER_ECHO ? .echo : .chargen
        if options.style == PEER_ASYNC {
            AsyncStyle.serve(service, port: Int(options.port))
        }
        do {
            try PipelineStyle.serve(service, port: Int(options.port))
        } catch {
            fail("\(error)")
        }
    }

    /// Writes the ready line of a server that is bound.
    static func announce(_ server: any Channel) {
        peer_announce(UInt16(server.localAddress?.port ?? 0))
    }

    /// Ends the process with status 1 and one line on standard error.
    static func fail(_ reason: String) -> Never {
        let line = Array("\(reason)\n".utf8)
        _ = write(STDERR_FILENO, line, line.count)
        exit(EXIT_FAILURE)
    }
}

/// What the server does with its connections.
enum Service: Sendable {
    /// Sends back whatever comes.
    case echo
    /// Sends blocks until the other side closes.
    case chargen

    /// The block of chargen, shared by all connections.
    static let block = ByteBuffer(
        bytes: UnsafeRawBufferPointer(start: peer_block(), count: PEER_BLOCK_SIZE))
}

extension ServerBootstrap {
    /// A server as NIO's echo example sets it up, with the backlog that all peers have.
    ///
    /// `TCP_NODELAY` needs no line here: NIO sets it on the listening socket and Linux hands it on.
    static func peer(on group: any EventLoopGroup) -> ServerBootstrap {
        ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: Int32(SOMAXCONN))
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            // As many as the other peers accept in one turn.
            .serverChannelOption(.maxMessagesPerRead, value: UInt(PEER_ACCEPT_LIMIT))
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AcceptPause())
                }
            }
            .childChannelOption(.maxMessagesPerRead, value: 16)
            // Otherwise NIO drops what it has still to send when the other side has sent its last.
            .childChannelOption(.allowRemoteHalfClosure, value: true)
    }
}

/// Stops accepting for a while when descriptors run out.
///
/// Not NIO's `AcceptBackoffHandler`: that holds back the next read only, while the one that failed
/// stays asked for in NIO 2.101, and so the event loop spins.
private final class AcceptPause: ChannelInboundHandler {
    typealias InboundIn = any Channel

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        setAccepting(context, to: false)
        let pause = TimeAmount.milliseconds(Int64(PEER_PAUSE_MILLISECONDS))
        context.eventLoop.assumeIsolated().scheduleTask(in: pause) {
            self.setAccepting(context, to: true)
        }
    }

    private func setAccepting(_ context: ChannelHandlerContext, to isAccepting: Bool) {
        do {
            try context.channel.syncOptions?.setOption(.autoRead, value: isAccepting)
        } catch {
            context.close(promise: nil)
        }
    }
}
