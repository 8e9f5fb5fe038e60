// SPDX-License-Identifier: Apache-2.0
//
// A datagram socket on a reactor. This file holds what it is and how it is opened and closed; the
// extensions hold how it receives and sends.

internal import CLibevent
internal import CSystemCalls
import Glibc

/// A datagram socket on a reactor: UDP over IPv4 and IPv6, or Unix datagrams.
///
/// Datagrams come one by one in a handler, received in batches of up to 32 with one call; what a
/// turn sends leaves in batches of up to 64. The reactor keeps the channel alive for as long as it
/// is open.
public final class DatagramChannel {
    // Properties on the path of every datagram are not checked for exclusive access: each access is
    // a load or a store of the reactor's one thread, and none spans a call of a handler. The socket
    // is borrowed for one system call at a time.

    var residentIndex = -1
    let link: ReactorLink
    var reactor: Reactor? { link.reactor }
    @exclusivity(unchecked) var socket: Socket?
    private var file: UnixFile?
    @exclusivity(unchecked) private var event: Event?
    @exclusivity(unchecked) var found = Interest()
    let options: DatagramOptions
    /// What all datagram channels of the reactor share.
    let memory: DatagramMemory
    /// Room for ancillary data in each datagram.
    let controlRoom: Int
    /// Whether the kernel cuts up what is sent in segments.
    var cutsSegments: Bool
    /// Whether it is an IPv6 socket that hears IPv4, too.
    let hasBothFamilies: Bool
    /// Whether it is a Unix socket.
    let isUnix: Bool
    /// Whether the queue of errors is to be looked at.
    let hasErrorQueue: Bool
    @exclusivity(unchecked) var counted = DatagramCounters()

    @exclusivity(unchecked) var datagramHandler:
        ((DatagramChannel, RawSpan, DatagramInfo) throws -> Void)?
    @exclusivity(unchecked) var errorHandler: ((DatagramChannel, DatagramError) -> Void)?
    @exclusivity(unchecked) var drainedHandler: ((DatagramChannel) throws -> Void)?
    @exclusivity(unchecked) var closedHandler: ((DatagramChannel) -> Void)?
    /// Called where the reactor takes the channel with it at its end.
    var endHook: (() -> Void)?
    /// Errors that the handler is to be told in the next turn.
    @exclusivity(unchecked) var untold: [DatagramError] = []
    /// The batch that is being delivered, and how far that has come.
    @exclusivity(unchecked) var batch: DatagramInbox?
    @exclusivity(unchecked) var nextSlot = 0
    @exclusivity(unchecked) var slotCount = 0
    /// Datagrams of a batch that came before the handler paused.
    @exclusivity(unchecked) var held: ArraySlice<HeldDatagram> = []
    @exclusivity(unchecked) var isPaused = false
    @exclusivity(unchecked) var unsent = DatagramQueue()
    @exclusivity(unchecked) var isUnflushed = false
    /// The queue has held something since it was last told to be empty.
    @exclusivity(unchecked) var hasQueued = false
    /// The handler is to be told in the next turn that all has gone.
    @exclusivity(unchecked) var isDrainDue = false
    @exclusivity(unchecked) private var isNoted = false

    /// The peer of a connected channel; `nil` for one that hears anybody.
    public private(set) var peerAddress: SocketAddress? {
        didSet { hasPeer = peerAddress != nil }
    }
    /// Whether it has one peer.
    @exclusivity(unchecked) private(set) var hasPeer = false

    /// A datagram that was received and not told yet.
    struct HeldDatagram {
        let bytes: [UInt8]
        let info: DatagramInfo
    }

    /// Opens a socket at an address: port 0 has the kernel choose one.
    ///
    /// - Throws: ``SocketError`` with operation `.create`, `.setOption`, `.bind`, such as
    ///   `.addressInUse`, or `.watch`.
    public convenience init(
        on reactor: Reactor, at address: SocketAddress, options: DatagramOptions = .init()
    ) throws(SocketError) {
        let socket = try Socket(for: address, kind: .datagram)
        try Self.share(socket, address, options)
        if address.ipAddress?.isIPv6 == true {
            try socket.set(.ipv6Only, to: !options.acceptsBothFamilies)
        }
        var binding = try socket.bind(to: address, options.unixPath)
        binding.lock = nil
        try self.init(on: reactor, socket, binding.takeFile(), nil, options)
    }

    /// Opens a socket that sends to one peer and hears it alone.
    ///
    /// `local`: this side's address; `nil` lets the kernel choose. A Unix peer can only answer a
    /// socket that has a name: ``SocketAddress/unnamed`` has the kernel choose one.
    ///
    /// - Throws: ``SocketError`` with operation `.create`, `.setOption`, `.bind`, `.connect`, such as
    ///   `.connectionRefused` for a Unix path where nobody is, or `.watch`.
    public convenience init(
        on reactor: Reactor, connectedTo peer: SocketAddress, from local: SocketAddress? = nil,
        options: DatagramOptions = .init()
    ) throws(SocketError) {
        let socket = try Socket(for: peer, kind: .datagram)
        var binding = UnixBinding(file: nil, lock: nil)
        if let local {
            try Self.share(socket, local, options)
            binding = try socket.bind(to: local, options.unixPath)
            binding.lock = nil
        }
        if options.allowsBroadcast { try socket.set(.broadcast, to: true) }
        try socket.connectAtOnce(to: peer)
        try self.init(on: reactor, socket, binding.takeFile(), peer, options)
    }

    /// Puts an open datagram socket on a reactor.
    ///
    /// The socket is made non-blocking where it is not; how it is bound stays as it is.
    ///
    /// - Throws: ``SocketError`` with operation `.adopt` and `.wrongProtocolKind` for a socket of
    ///   another kind, `.setOption` or `.watch`.
    public convenience init(
        adopting socket: consuming Socket, on reactor: Reactor, options: DatagramOptions = .init()
    ) throws(SocketError) {
        guard try socket.kind == .datagram else {
            throw SocketError(.adopt, .wrongProtocolKind)
        }
        try socket.stopBlocking()
        // A socket without a peer has no name to ask for.
        let peer = try? socket.peerAddress
        try self.init(on: reactor, socket, nil, peer, options)
    }

    private init(
        on reactor: Reactor, _ socket: consuming Socket, _ file: consuming UnixFile?,
        _ peer: SocketAddress?, _ options: DatagramOptions
    ) throws(SocketError) {
        let isIP = try Self.prepare(socket, options)
        let family = try socket.family
        isUnix = family == .unix
        hasBothFamilies = family == .ipv6 ? try !socket.get(.ipv6Only) : false
        hasErrorQueue = isIP && options.reportsErrors
        cutsSegments = isIP && Self.canCut(socket)
        let joins = isIP && options.joinsInput
        let room = min(max(0, options.ancillaryByteCount), DatagramInbox.controlByteCount)
        controlRoom = joins ? DatagramInbox.controlByteCount : room
        self.options = options
        peerAddress = peer
        hasPeer = peer != nil
        link = reactor.link
        memory = reactor.attachment { DatagramMemory() }
        let number = socket.number
        self.socket = consume socket
        self.file = consume file
        // The context is this object; `close()` or the end of the object ends the event.
        event = try Event(
            reactor.base, number, datagramsAreReady, Unmanaged.passUnretained(self).toOpaque())
        try event?.wait(for: wantedFlags)
        reactor.admit(self)
        reactor.executor.countChannels(1)
    }

    /// Lets a port be shared; Unix sockets have none.
    private static func share(
        _ socket: borrowing Socket, _ address: SocketAddress, _ options: DatagramOptions
    ) throws(SocketError) {
        if address.ipAddress == nil { return }
        if options.reusePort { try socket.set(.reusePort, to: true) }
        if options.reuseAddress { try socket.set(.reuseAddress, to: true) }
    }

    /// - Returns: whether it is an IP socket.
    private static func prepare(
        _ socket: borrowing Socket, _ options: DatagramOptions
    ) throws(SocketError) -> Bool {
        if let count = options.receiveBufferByteCount {
            try socket.set(.receiveBufferByteCount, to: count)
        }
        if options.allowsBroadcast { try socket.set(.broadcast, to: true) }
        let family = try socket.family
        guard family == .ipv4 || family == .ipv6 else { return false }
        if options.reportsErrors { try socket.reportErrors(family) }
        // Where the kernel can't, nothing is joined.
        if options.joinsInput { try? socket.set(.joinsDatagrams, to: true) }
        return true
    }

    /// Whether the kernel cuts one long message into many datagrams.
    private static func canCut(_ socket: borrowing Socket) -> Bool {
        // An error says that it can't.
        (try? socket.get(.segmentByteCount)) != nil
    }

    /// This side's address.
    ///
    /// - Throws: ``SocketError`` with operation `.name`; `.badDescriptor` once it is closed.
    public var localAddress: SocketAddress {
        get throws(SocketError) {
            guard let address = try socket?.localAddress else {
                throw SocketError(.name, .badDescriptor)
            }
            return address
        }
    }

    /// Whether it is open.
    public var isOpen: Bool { socket != nil }

    /// What the channel has done.
    public var counters: DatagramCounters { counted }

    /// How many bytes wait to be sent.
    public var unsentByteCount: Int { unsent.byteCount + collectedByteCount }

    /// Sends to one peer from now on, and hears it alone; `nil` takes the peer away.
    ///
    /// What was sent before goes where it was meant to.
    ///
    /// - Throws: ``SocketError`` with operation `.connect`; `.badDescriptor` once it is closed, or
    ///   `.busy` while datagrams wait to be sent.
    public func connect(to peer: SocketAddress?) throws(SocketError) {
        flush()
        guard socket != nil else { throw SocketError(.connect, .badDescriptor, at: peer) }
        if !unsent.isEmpty { throw SocketError(.connect, .busy, at: peer) }
        if let peer {
            try socket?.connectAtOnce(to: peer)
        } else {
            // What fails then is the way back to the port: the peer has gone.
            peerAddress = nil
            try socket?.disconnect()
        }
        peerAddress = peer
    }

    /// Closes at once: what was sent in this turn is handed to the kernel, what it does not take is
    /// dropped, and so is what came and was not told.
    ///
    /// The file of a Unix socket is removed. Closing again does nothing.
    public func close() {
        guard socket != nil else { return }
        flush()
        end()
        let handler = closedHandler.take()
        handler?(self)
    }

    private func end() {
        if memory.outbox.belongs(to: self) { memory.outbox.clear() }
        counted.datagramsDropped &+= UInt64(unsent.datagramCount)
        event = nil
        // The file first: once the socket is closed, another server may take the path.
        file = nil
        socket = nil
        unsent = DatagramQueue()
        held = []
        untold = []
        reactor?.dismiss(self)
        reactor?.executor.countChannels(-1)
        // Taken out first: their end may end what they held, and that close this channel again.
        let handlers = (datagramHandler, errorHandler, drainedHandler)
        datagramHandler = nil
        errorHandler = nil
        drainedHandler = nil
        withExtendedLifetime(handlers) {}
    }

    func reactorEnded() {
        flush()
        end()
        closedHandler = nil
        endHook.take()?()
    }
}

/// Datagram channels stay on their reactor's thread.
@available(*, unavailable)
extension DatagramChannel: Sendable {}

// Mirrors can't copy a socket, which has one owner.
extension DatagramChannel: CustomReflectable {
    /// Shows what the description says, and nothing of the inside.
    public var customMirror: Mirror { Mirror(self, children: ["description": description]) }
}

extension DatagramChannel: CustomStringConvertible {
    /// The local address and, where there is one, the peer's; or `closed`.
    public var description: String {
        guard isOpen else { return "closed" }
        // An address that can't be had is only missing here.
        let local = ((try? localAddress) ?? .unnamed).description
        return peerAddress.map { "\(local) to \($0)" } ?? local
    }
}

// MARK: - What it waits for

extension DatagramChannel: Resident {
    var wantedFlags: Int16 {
        let writes = unsent.isEmpty ? 0 : EV_WRITE
        if isReceiving { return Int16(EV_READ | writes) }
        // Who does not receive may still want to hear of errors; what else comes is reported once.
        if writes == 0, hasErrorQueue, errorHandler != nil { return Int16(EV_READ | EV_ET) }
        return Int16(writes)
    }

    /// Has the kernel watch for what is needed now.
    func arrange() {
        guard socket != nil else { return }
        do {
            try event?.wait(for: wantedFlags)
        } catch {
            reactor?.report(error, for: self)
            close()
        }
    }

    /// Gives the channel a turn.
    @inline(__always)
    func note(_ what: Interest) {
        found.formUnion(what)
        if isNoted { return }
        isNoted = true
        reactor?.enqueue(self)
    }

    func takeTurn(on reactor: Reactor) {
        let what = found
        found = []
        isNoted = false
        guard socket != nil else { return }
        if nextSlot < slotCount { deliverBatch(reactor) }
        if what.contains(.writable), !unsent.isEmpty { sendQueue() }
        if what.contains(.readable) {
            if isReceiving { receive(reactor) } else if hasErrorQueue { takeErrors() }
        }
        if !untold.isEmpty { tellErrors() }
        if isDrainDue { tellDrained(reactor) }
    }

    private func tellDrained(_ reactor: Reactor) {
        isDrainDue = false
        guard let drainedHandler else { return }
        _ = reactor.attempt(for: self) { try drainedHandler(self) }
    }
}

private func datagramsAreReady(_: CInt, _ flags: Int16, _ context: UnsafeMutableRawPointer?) {
    guard let context else { return }
    // The context is a channel whose event has not ended, and the event ends with the channel.
    Unmanaged<DatagramChannel>.fromOpaque(context).takeUnretainedValue().note(
        Interest(flags: flags))
}
