// SPDX-License-Identifier: Apache-2.0
//
// An echo of two processes that a third one looks after; all three are this program.
// Usage: Supervised [PORT]; initially 7777, and port 0 lets the kernel choose. SIGHUP puts new
// workers in the place of the old ones, SIGINT and SIGTERM have all of them come to their end.

@preconcurrency import Glibc  // For stderr, a variable of C.
import Sluice

let word = CommandLine.arguments.dropFirst().first ?? "7777"
do {
    if word == "worker" { exit(try work()) }
    guard let port = UInt16(word) else {
        complain("usage: Supervised [PORT]")
        exit(64)
    }
    exit(try supervise(at: port))
} catch {
    complain(error)
    exit(1)
}

/// Opens the sockets, and looks after the workers until a signal ends that.
func supervise(at port: UInt16) throws(SocketError) -> CInt {
    let reactor = try Reactor()
    var options = SupervisorOptions()
    options.workerCount = 2
    let supervisor = try Supervisor(
        on: reactor, at: [.loopback(port: port)], options: options
    ) { _ in ProcessLaunch(arguments: ["worker"]) }
    let address = supervisor.addresses[0]
    supervisor.onEvent = { event in
        switch event {
        case .serving(let generation):
            print("generation \(generation), listening on \(address)")
            fflush(nil)
        case .startFailed(_, let reason): complain(reason)
        case .reloadFailed(_, let error): complain(error)
        case .ended(let worker, let end) where end != .exited(0):
            complain("worker \(worker.slot): \(end)")
        default: break
        }
    }
    return try supervisor.run(reloadingOn: [.hangUp], drainingOn: [.interrupt, .terminate])
}

/// Serves at the sockets of the supervisor until a signal ends that.
func work() throws(SocketError) -> CInt {
    // Before anything else is opened: the sockets have fixed numbers.
    let sockets = try InheritedSockets.fromEnvironment()
    guard sockets.count > 0 else {
        complain("a worker is started by its supervisor")
        return 69
    }
    // It is for the supervisor; whoever sends it to all processes of this name ends no worker.
    signal(SIGHUP, SIG_IGN)
    let reactor = try Reactor()
    let server = try Server(on: reactor, adopting: sockets) { channel, _ in
        channel.onBytes { channel, bytes in try channel.write(bytes) }
    }
    // In a turn, when the signals are watched already that may come as the answer.
    reactor.after(.zero) { try ServiceNotifier.fromEnvironment()?.notify(.ready) }
    return try reactor.serve([server]).exitStatus
}

/// Says on standard error what went wrong.
func complain(_ reason: Any) { fputs("\(reason)\n", stderr) }
