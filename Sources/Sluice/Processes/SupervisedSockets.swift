// SPDX-License-Identifier: Apache-2.0
//
// The sockets of a supervisor: it holds them for all generations of its workers, and each worker
// gets those of its place.

import CSystemCalls
import Glibc

/// What a supervisor listens at, for its workers.
final class SupervisedSockets {
    /// Where the workers listen, each place once.
    private(set) var addresses: [SocketAddress] = []
    private var listeners: [HeldListener] = []
    private var others = DescriptorList()
    private var entries: [Entry] = []

    /// A socket, and who gets it.
    private struct Entry {
        let number: CInt
        let name: String
        /// `nil` for all.
        let slot: Int?
    }

    /// Arrays can't hold what has one owner.
    private final class HeldListener {
        private var socket: ListeningSocket
        init(_ socket: consuming ListeningSocket) { self.socket = socket }
        func leaveFile() { socket.leaveFile() }
    }

    /// Opens and binds all of `addresses`.
    init(at addresses: [SocketAddress], _ options: SupervisorOptions) throws(SocketError) {
        // Another port may be free for all of them, if the kernel chose the first.
        let isChosen = options.samePort && addresses.contains { $0.port == 0 }
        var attempts = isChosen && addresses.count > 1 ? 10 : 1
        while true {
            attempts -= 1
            do throws(SocketError) {
                for address in addresses { try listen(at: address, options) }
                return
            } catch {
                close()
                self.addresses = []
                if attempts == 0 || error.code != .addressInUse { throw error }
            }
        }
    }

    /// Takes over what is left of the sockets that somebody else has opened.
    init(
        adopting sockets: consuming InheritedSockets, _ options: SupervisorOptions
    ) throws(SocketError) {
        while let named = try sockets.next() {
            let name = named.name
            let socket = named.intoSocket()
            if try socket.kind == .stream {
                hold(try ListeningSocket(adopting: socket, options.listener), named: name, for: nil)
            } else {
                entries.append(Entry(number: socket.number, name: name, slot: nil))
                others.append(socket.release())
            }
        }
    }

    private func listen(
        at address: SocketAddress, _ options: SupervisorOptions
    ) throws(SocketError) {
        var address = address
        if options.samePort, address.port == 0,
            let port = addresses.lazy.compactMap(\.port).first
        {
            address = address.with(port: port)
        }
        var listener = options.listener
        // Only IP has a kernel that shares connections out.
        let isSplit =
            options.sharing == .reusePort && options.workerCount > 1 && address.ipAddress != nil
        if isSplit {
            // The kernel lets another program of this user share the port as well, unasked.
            if !listener.reusePort { try ListeningSocket.checkIsFree(address, listener) }
            listener.reusePort = true
        }
        for slot in 0..<(isSplit ? options.workerCount : 1) {
            let socket = try ListeningSocket(at: address, listener)
            // The port that the kernel has chosen for the first is that of all.
            address = socket.address
            hold(socket, named: "", for: isSplit ? slot : nil)
        }
    }

    private func hold(_ socket: consuming ListeningSocket, named name: String, for slot: Int?) {
        entries.append(Entry(number: socket.socket.number, name: name, slot: slot))
        if slot ?? 0 == 0 { addresses.append(socket.address) }
        listeners.append(HeldListener(socket))
    }

    /// The numbers and names of what the worker of a place gets.
    func passed(to slot: Int) -> (numbers: [CInt], names: [String]) {
        let mine = entries.filter { $0.slot == nil || $0.slot == slot }
        return (mine.map(\.number), mine.map(\.name))
    }

    /// Duplicates of all, with their names, for somebody who goes on: files of Unix sockets stay
    /// from now on.
    func passable() throws(SocketError) -> PassedSockets {
        var passed = PassedSockets()
        for entry in entries {
            let number = entry.number
            let copy = try retrying(.duplicate) {
                SystemCall.duplicate.made { fcntl(number, F_DUPFD_CLOEXEC, 0) }
            }
            try passed.add(Socket(unverified: Descriptor(adopting: copy)), named: entry.name)
        }
        for listener in listeners { listener.leaveFile() }
        return passed
    }

    /// Listens no more; what workers have of the sockets stays theirs.
    func close() {
        entries = []
        listeners = []
        others = DescriptorList()
    }
}
