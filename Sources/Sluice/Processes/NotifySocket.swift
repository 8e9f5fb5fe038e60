// SPDX-License-Identifier: Apache-2.0
//
// Where a supervisor hears its workers: a socket in a folder of this user's own. Others of the user
// may send to it, too, so that the kernel is asked who has sent each message.

import Glibc

/// A socket for the messages of workers.
final class NotifySocket {
    /// What `NOTIFY_SOCKET` has in the environment of a worker.
    let name: String
    private let socket: Socket
    private var folder: PrivateFolder?
    private var watch: Registration?
    private let bytes = [UInt8](repeating: 0, count: ServiceNotifier.limit)
    /// How many messages were not understood, or not of a worker.
    private(set) var ignoredCount: UInt64 = 0
    /// Called with a message and the process that has sent it; says whether that is a worker.
    var onMessage: (WorkerMessage, Int32) -> Bool = { _, _ in false }

    /// So many are read in a turn at most: a flood must not stop the reactor.
    static let messagesPerTurn = 64

    init(on reactor: Reactor) throws(SocketError) {
        socket = try Socket(family: .unix, kind: .datagram)
        // From the first message on.
        try socket.set(.receivesCredentials, to: true)
        let folder = PrivateFolder()
        self.folder = folder
        if let folder, Self.isBound(socket, at: folder.file) {
            name = folder.file
        } else {
            name = try Self.bindAnywhere(socket)
        }
        watch = try reactor.watch(socket.number, for: .readable) { [weak self] _ in self?.read() }
    }

    deinit {
        // Before the socket's number is given to another file.
        watch = nil
    }

    /// Hears nobody any more, and leaves no file.
    func close() {
        watch = nil
        folder = nil
    }

    private static func isBound(_ socket: borrowing Socket, at path: String) -> Bool {
        // Such as a path that is too long: there is another way.
        (try? socket.bind(to: .unix(path: path))) != nil
    }

    /// Without a folder anybody may send to it, and fill its queue.
    private static func bindAnywhere(_ socket: borrowing Socket) throws(SocketError) -> String {
        try socket.bind(to: .unnamed)
        guard case .abstract(let bytes) = try socket.localAddress else {
            throw SocketError(.bind, .addressNotAvailable)
        }
        return "@" + String(decoding: bytes, as: UTF8.self)
    }

    private func read() { read(atMost: Self.messagesPerTurn) }

    /// Reads what is there, before something is decided that it may be about.
    ///
    /// More than the kernel has room for, as a sender that waits for room has it then; but not
    /// without end.
    func readAll() { read(atMost: 16 * Self.messagesPerTurn) }

    private func read(atMost count: Int) {
        for _ in 0..<count {
            do throws(SocketError) {
                guard let isHeard = try readOne() else { return }
                if !isHeard { ignoredCount &+= 1 }
            } catch {
                // Nobody can be told, and the next message may be read.
                ignoredCount &+= 1
                return
            }
        }
    }

    /// - Returns: whether the message was one; `nil` where none is there.
    private func readOne() throws(SocketError) -> Bool? {
        // Descriptors that a stranger passes find no room, and are closed by the kernel.
        let room = try AncillaryItem.space(forData: MemoryLayout<(Int32, UInt32, UInt32)>.size)
        var storage = [bytes]
        guard
            let received = try socket.receiveMessage(into: &storage, ancillaryByteCount: room)
        else { return nil }
        let bytes = storage[0]
        let sender = received.items.lazy.compactMap(\.credentials).first?.processID
        let isWhole = !received.isTruncated && received.byteCount <= bytes.count
        guard isWhole, let sender, let message = WorkerMessage(bytes[..<received.byteCount])
        else { return false }
        return onMessage(message, sender)
    }
}

/// A new folder that only this user can open; it goes with its file.
private final class PrivateFolder {
    private let path: String

    /// `nil` where none can be made.
    init?() {
        let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        // Where it is looked for depends on no working directory.
        guard parent.hasPrefix("/") else { return nil }
        // mkdtemp(3): nobody else may read, write or search it.
        var template = Array("\(parent)/sluice-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { return nil }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        // What can't be removed is in nobody's way.
        unlink(file)
        rmdir(path)
    }

    var file: String { path + "/notify" }
}
