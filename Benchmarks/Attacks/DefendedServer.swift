// SPDX-License-Identifier: Apache-2.0
//
// Three services that anybody may try to bring down, and the limits that keep them up.
// An example: whoever opens a server to the world needs each of these limits, if not these numbers.

import Sluice

/// Echoes of lines and of bytes, and a generator of characters, with a limit for everything.
final class DefendedServer {
    /// Sends each line back.
    let lines: Server
    /// Sends each byte back.
    let bytes: Server
    /// Sends lines without end to whoever connects, as fast as they are read.
    ///
    /// Source: RFC 864.
    let generator: Server

    /// Listens at ports that the kernel chooses.
    ///
    /// - Parameters:
    ///   - patience: how long a client may take for what takes an honest one no time.
    init(
        on reactor: Reactor, at address: IPAddress, patience: Duration
    ) throws(SocketError) {
        // All channels together: above it those that hold most are ended.
        reactor.bufferLimit.byteCount = Self.bufferLimit
        reactor.bufferLimit.policy = .end
        var options = Self.options(patience: patience)
        let place = [SocketAddress.ip(address, port: 0)]
        lines = try Server(on: reactor, at: place, options: options) { channel, _ in
            try Self.boundKernelBuffers(of: channel)
            channel.onLine { channel, line in try channel.writeLine(line) }
        }
        bytes = try Server(on: reactor, at: place, options: options) { channel, _ in
            try Self.boundKernelBuffers(of: channel)
            channel.onBytes { channel, bytes in try channel.write(bytes) }
        }
        // Its clients have nothing to say.
        options.channel.firstByteTimeout = nil
        generator = try Server(on: reactor, at: place, options: options) { channel, _ in
            try Self.boundKernelBuffers(of: channel)
            CharacterGenerator().serve(channel)
        }
    }

    /// How many clients a service has at most.
    ///
    /// Less than the process has descriptors, all services together.
    static var connectionLimit: Int {
        min(16_000, max(1, (DescriptorLimit.current - 500) * 4 / 5))
    }
    /// How many bytes the program holds for all clients together at most.
    static let bufferLimit = 64 << 20
    /// How much unsent output, and how much unread input, the kernel holds for a client; with what
    /// it needs for the keeping it takes twice as much (`SO_SNDBUF`, socket(7)).
    static let kernelBufferByteCount = 32_768

    /// Else the kernel lets them grow to several megabytes a client.
    private static func boundKernelBuffers(of channel: Channel) throws(SocketError) {
        try channel.set(.sendBufferByteCount, to: kernelBufferByteCount)
        try channel.set(.receiveBufferByteCount, to: kernelBufferByteCount)
    }

    private static func options(patience: Duration) -> ServerOptions {
        var options = ServerOptions()
        options.maximumConnections = connectionLimit
        // Few at a time, so that a flood of newcomers does not keep those waiting that are there.
        options.listener.acceptsPerTurn = 8
        options.admission = admission
        options.channel = channel(patience: patience)
        return options
    }

    /// Whom it lets in.
    private static var admission: AdmissionOptions {
        var admission = AdmissionOptions()
        // A household, or an office behind one address, needs no more.
        admission.maximumPerAddress = 64
        admission.ratePerAddress = ConnectionRate(perSecond: 100, burst: 100)
        admission.maximumPerNetwork = 1_024
        admission.rate = ConnectionRate(perSecond: 10_000, burst: 2_000)
        // The kernel keeps nothing of a connection that was reset.
        admission.refusal = .reset
        // Who comes when it is full learns of it, instead of waiting for nobody knows how long.
        admission.whenFull = .refuse
        return admission
    }

    /// What a client may do once it is in.
    private static func channel(patience: Duration) -> ChannelOptions {
        var channel = ChannelOptions()
        channel.firstByteTimeout = patience
        // However slowly the bytes of a line come, the whole line must come in time.
        channel.messageTimeout = patience
        // Whoever is sent something reads it, and not a byte now and then.
        channel.writeProgressTimeout = patience
        channel.writeProgressByteCount = 1_024
        channel.idleTimeout = .seconds(60)
        channel.lifetime = .seconds(3_600)
        channel.lingerLimit = patience
        channel.text.lineLimit = 4_096
        channel.inputLimit = 16_384
        channel.highWaterMark = 16_384
        channel.lowWaterMark = 4_096
        channel.outputLimit = 65_536
        // Far more than a person types, and too little to keep the server busy.
        channel.receiveRate = ByteRate(bytesPerSecond: 65_536, burst: 16_384)
        // One read, then the others have their turn.
        channel.bytesPerTurn = 65_536
        return channel
    }
}

/// The characters of one client.
private final class CharacterGenerator {
    /// Where in the pattern the next block begins.
    private var place = 0

    /// All printable characters of ASCII, over and over.
    private static let pattern = (0..<32_768).map { UInt8(32 + $0 % 95) }
    private static let blockByteCount = 16_384

    /// A block whenever nothing is queued: so much waits for a client that does not read, and no
    /// more.
    func serve(_ channel: Channel) {
        // What the client sends is read, and so its end is noticed.
        channel.onBytes { _, _ in }
        channel.onWritable { channel in
            do throws(SocketError) {
                try channel.write(self.nextBlock())
            } catch {
                // No room is left in the reactor's limit, or the client has gone.
                channel.abort()
            }
        }
    }

    private func nextBlock() -> [UInt8] {
        defer { place = (place + 1) % 95 }
        return Array(Self.pattern[place..<place + Self.blockByteCount])
    }
}
