// SPDX-License-Identifier: Apache-2.0
//
// Sockets that somebody else has opened: descriptors that were passed or inherited, the standard
// input of a program that inetd starts, and what systemd hands over.

import CSystemCalls
import Glibc
import SluiceText

extension Socket {
    /// Becomes the owner of an open socket.
    ///
    /// The socket stays as it is: blocking or not, inheritable or not. Source: getsockopt(2),
    /// `SO_TYPE`.
    ///
    /// - Throws: ``SocketError`` with operation `.adopt`: `.notSocket` for any other file; the
    ///   descriptor is closed then.
    public init(adopting descriptor: consuming Descriptor) throws(SocketError) {
        try Self.verify(descriptor.number)
        self.init(unverified: descriptor)
    }

    /// Becomes the owner of the open socket that has a number, such as 0 in a program that inetd
    /// has started.
    ///
    /// Nobody else may close it or adopt it again. The socket stays as it is.
    ///
    /// - Throws: ``SocketError`` with operation `.adopt`: `.badDescriptor` for a number that is not
    ///   open or negative, `.notSocket` for any other file. The descriptor, where there is one,
    ///   stays open.
    public init(adoptingNumber number: CInt) throws(SocketError) {
        try Self.verify(number)
        self.init(unverified: Descriptor(adopting: number))
    }

    private static func verify(_ number: CInt) throws(SocketError) {
        if number < 0 { throw SocketError(.adopt, .badDescriptor) }
        var kind: CInt = 0
        var size = socklen_t(MemoryLayout<CInt>.size)
        _ = try retrying(.adopt) {
            SystemCall.getOption.made { getsockopt(number, SOL_SOCKET, SO_TYPE, &kind, &size) }
        }
    }

    /// The family of the socket's addresses.
    ///
    /// Source: `SO_DOMAIN`, socket(7).
    ///
    /// - Throws: ``SocketError`` with operation `.getOption`.
    public var family: AddressFamily {
        get throws(SocketError) { try get(.family) }
    }

    /// What the socket carries, without the flags that it was opened with.
    ///
    /// Source: `SO_TYPE`, socket(7).
    ///
    /// - Throws: ``SocketError`` with operation `.getOption`.
    public var kind: SocketKind {
        get throws(SocketError) { try get(.kind) }
    }

    /// The socket's protocol: the real one, also where ``SocketProtocol/usual`` was asked for.
    ///
    /// Source: `SO_PROTOCOL`, socket(7).
    ///
    /// - Throws: ``SocketError`` with operation `.getOption`.
    public var protocolNumber: SocketProtocol {
        get throws(SocketError) { try get(.protocol) }
    }
}

/// The sockets that a service manager has opened for this program.
///
/// Source: sd_listen_fds(3): `LISTEN_PID`, `LISTEN_FDS` and `LISTEN_FDNAMES` in the environment, and
/// descriptors from number 3 on.
public struct InheritedSockets: ~Copyable, Sendable {
    private var numbers: ArraySlice<CInt>
    private var names: ArraySlice<String>
    /// The first of the numbers.
    ///
    /// Source: `SD_LISTEN_FDS_START`.
    static let firstNumber: CInt = 3
    /// So many are looked at, at most.
    static let limit = 4_096
    private static let taken = Locked(false)

    /// A socket and the name that the service's configuration gives it.
    @frozen
    public struct Named: ~Copyable, Sendable {
        /// The socket.
        public var socket: Socket
        /// Its name, such as `http`; empty where none is given.
        public let name: String

        consuming func intoSocket() -> Socket { socket }
    }

    /// What was handed over to this process, as its environment says; nothing where it says nothing,
    /// speaks to another process, or the sockets were taken before.
    ///
    /// To be called before anything else is opened, a reactor included: the sockets have fixed numbers.
    /// They are made non-inheritable at once. What is not taken out by ``next()`` is closed at the
    /// end of this value.
    ///
    /// - Throws: ``SocketError`` with operation `.adopt` and `.invalidArgument` for an environment
    ///   that can't be read.
    public static func fromEnvironment() throws(SocketError) -> InheritedSockets {
        let (count, names) = try parse(
            processID: variable("LISTEN_PID"), count: variable("LISTEN_FDS"),
            names: variable("LISTEN_FDNAMES"), own: getpid())
        let isFirst = taken.withLock { taken in
            defer { taken = true }
            return !taken
        }
        guard isFirst else { return InheritedSockets(0, []) }
        return InheritedSockets(count, names)
    }

    init(_ count: Int, _ names: [String]) {
        // What is not open now may be somebody else's later.
        numbers =
            (0..<count).map {
                let number = Self.firstNumber + CInt($0)
                return fcntl(number, F_SETFD, FD_CLOEXEC) < 0 ? -1 : number
            }[...]
        self.names = names[...]
    }

    /// Those of a list, as if they had been inherited.
    package init(adopting descriptors: consuming DescriptorList, named names: [String] = []) {
        var numbers: [CInt] = []
        while let descriptor = descriptors.popFirst() { numbers.append(descriptor.release()) }
        self.numbers = numbers[...]
        self.names = names[...]
    }

    deinit {
        for number in numbers where number >= 0 { _ = Descriptor(adopting: number) }
    }

    /// How many are left.
    public var count: Int { numbers.count }

    /// The next one, in the order of the service's configuration; `nil` after the last.
    ///
    /// - Throws: ``SocketError`` with operation `.adopt`: `.notSocket` for a pipe or a file, which is
    ///   closed, `.badDescriptor` where nothing is open. The others stay.
    public mutating func next() throws(SocketError) -> Named? {
        guard let number = numbers.popFirst() else { return nil }
        let name = names.popFirst() ?? ""
        guard number >= 0 else { throw SocketError(.adopt, .badDescriptor) }
        return Named(socket: try Socket(adopting: Descriptor(adopting: number)), name: name)
    }

    /// What the variables say to the process `own`.
    package static func parse(
        processID: String?, count: String?, names: String?, own: Int32
    ) throws(SocketError) -> (count: Int, names: [String]) {
        guard let processID, let count else { return (0, []) }
        guard let addressee = Int32(digits: processID[...]) else {
            throw SocketError(.adopt, .invalidArgument)
        }
        if addressee != own { return (0, []) }
        guard let number = Int(digits: count[...]), number <= limit else {
            throw SocketError(.adopt, .invalidArgument)
        }
        let list = names.map { $0.split(separator: ":", omittingEmptySubsequences: false) } ?? []
        return (number, list.prefix(number).map { $0 == "unknown" ? "" : String($0) })
    }

    private static func variable(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }
}
