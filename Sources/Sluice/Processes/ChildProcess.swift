// SPDX-License-Identifier: Apache-2.0
//
// A child process on a reactor: started with sockets and variables of its own, signalled without
// doubt who gets the signal, and waited for without a signal of its own.

internal import CSystemCalls
import Glibc

/// A process that this one has started.
///
/// The reactor keeps it for as long as the process runs. Its end is found by a descriptor of the
/// process, not by `SIGCHLD`, and no other child is waited for. Where the reactor ends first, the
/// process is killed, unless ``ProcessLaunch/endsWithParent`` is off. Source: pidfd_open(2).
public final class ChildProcess {
    var residentIndex = -1
    private let link: ReactorLink
    private let handle: Descriptor
    private var watch: Registration?
    private var handler: ((ProcessEnd) throws -> Void)?
    /// Whether it is killed where nobody looks after it any more.
    private var endsWithOwner = true

    /// The number of the process; another one may have it once this one has ended.
    public let processID: Int32
    /// How it has ended; `nil` for as long as it runs.
    public private(set) var end: ProcessEnd?

    /// Starts a program that gets sockets: as descriptors 3 and so on, none of them closed on exec,
    /// in the modes that they have here.
    ///
    /// The child has this process's standard streams, no other of its descriptors, every signal's
    /// default action, and no signal blocked. Waits until the program runs, or could not be run. As
    /// with posix_spawn(3), other threads of this process go on.
    ///
    /// - Throws: ``SocketError`` with operation `.launch`: why the program can't be run, such as
    ///   `.noEntry`, `.permissionDenied`, `.invalidArgument` for a word with a zero in it or a
    ///   variable's name that is none, `.tooManyOpenFiles`, or `.wouldBlock` where there may be no
    ///   more processes.
    public convenience init(
        on reactor: Reactor, _ launch: ProcessLaunch, passing sockets: borrowing PassedSockets
    ) throws(SocketError) {
        try self.init(on: reactor, launch, passing: sockets.numbers, named: sockets.names)
    }

    /// Starts a program that gets no sockets, as ``init(on:_:passing:)``.
    ///
    /// - Throws: ``SocketError``, as there.
    public convenience init(on reactor: Reactor, _ launch: ProcessLaunch) throws(SocketError) {
        try self.init(on: reactor, launch, passing: [], named: [])
    }

    /// `variables`: what the environment has besides, where `nil` takes a variable away.
    init(
        on reactor: Reactor, _ launch: ProcessLaunch, passing numbers: [CInt],
        named names: [String], adding variables: [String: String?] = [:]
    ) throws(SocketError) {
        link = reactor.link
        // The kernel ends the child together with the thread that forks here, not with the process.
        // That is no sooner than intended: it is the thread of the reactor, to which this object is
        // confined, and the reactor's end comes first and kills the child anyway.
        processID = try LaunchWords(launch, names, variables).spawn(passing: numbers)
        let process = processID
        let number = SystemCall.openProcess.made { csystem_open_process(process) }
        guard number >= 0 else {
            let code = ErrorCode.last
            // Nobody has waited for it, so the number is its own.
            Glibc.kill(process, SIGKILL)
            while waitpid(process, nil, 0) < 0, ErrorCode.last == .interrupted {}
            throw SocketError(.launch, code)
        }
        handle = Descriptor(adopting: number)
        do throws(SocketError) {
            watch = try reactor.watch(number, for: .readable) { [unowned self] _ in look() }
        } catch {
            throw SocketError(.launch, error.code)
        }
        endsWithOwner = launch.endsWithParent
        // It is held for as long as the process runs.
        reactor.admit(self)
    }

    deinit { endNow() }

    /// Kills the process, unless it may live on alone, and waits for its end.
    private func endNow() {
        guard end == nil, endsWithOwner else { return }
        signal(.kill)
        var value: CInt = 0
        _ = csystem_process_end(handle.number, 1, &value)
        end = .killed(.kill)
    }

    /// Whether it has not ended.
    public var isRunning: Bool { end == nil }

    /// Sends it a signal; never another process that has its number since.
    ///
    /// Source: pidfd_send_signal(2).
    ///
    /// - Returns: whether it got the signal: false where it has ended, the number is no signal's,
    ///   or it runs for another user now.
    @discardableResult
    public func signal(_ signal: Signal) -> Bool {
        csystem_signal_process(handle.number, signal.rawValue) == 0
    }

    /// Has `handler` called once, when the process has ended: in a turn of its own where it has
    /// ended already.
    ///
    /// A handler takes the place of the one before; `nil` takes it away. What it throws goes to
    /// ``Reactor/onError``. When it is called nothing is left of the process, which is not true of
    /// what it has started itself.
    public func onExit(_ handler: ((ProcessEnd) throws -> Void)?) {
        self.handler = handler
        if end != nil { link.reactor?.after(.zero) { self.tell() } }
    }

    private func look() {
        guard let end = ending(waiting: false) else { return }
        finish(end)
        tell()
    }

    /// Kills it and waits for its end; its handler is not called.
    func killAndWait() -> ProcessEnd {
        if let end { return end }
        handler = nil
        signal(.kill)
        let end = ending(waiting: true) ?? .unknown
        finish(end)
        return end
    }

    private func finish(_ end: ProcessEnd) {
        self.end = end
        watch = nil
        link.reactor?.dismiss(self)
    }

    /// How it has ended; `nil` where it has not.
    private func ending(waiting: Bool) -> ProcessEnd? {
        var value: CInt = 0
        return switch csystem_process_end(handle.number, waiting ? 1 : 0, &value) {
        case 0: nil
        case 1: .exited(value)
        case 2: .killed(Signal(rawValue: value))
        default: .unknown
        }
    }

    private func tell() {
        guard let end, let handler = handler.take() else { return }
        _ = link.reactor?.attempt { try handler(end) }
    }
}

extension ChildProcess: Resident {
    /// The watch has its turns.
    func takeTurn(on reactor: Reactor) {}

    func reactorEnded() {
        watch = nil
        handler = nil
        endNow()
    }
}

// Mirrors can't copy what has one owner.
extension ChildProcess: CustomReflectable {
    /// Shows the number, and nothing of the inside.
    public var customMirror: Mirror { Mirror(self, children: ["processID": processID]) }
}

/// Child processes stay on their reactor's thread.
@available(*, unavailable)
extension ChildProcess: Sendable {}
