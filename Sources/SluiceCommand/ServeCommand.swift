// SPDX-License-Identifier: Apache-2.0
//
// `sluice serve`: one of the simple services at several addresses, until a signal ends it.

import ArgumentParser
import Glibc
import Sluice

/// `sluice serve`.
struct ServeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serve echo, discard, chargen, daytime or time (RFC 862, 863, 864, 867, 868).",
        discussion: """
            Prints `listening on ADDRESS:PORT`, a line for each address, when it is ready. SIGINT \
            and SIGTERM have it accept no more and wait for its clients, for --drain at most; a \
            second one ends it at once. The exit status is 0 in either case, also where clients \
            were cut off. Times are 500ms, 10s, 2m or 1h; a bare number is seconds.

            A service manager that has set NOTIFY_SOCKET is told READY=1 and STOPPING=1, and \
            WATCHDOG=1 where it has set WATCHDOG_USEC. Reloading, by SIGHUP, needs --processes: \
            then RELOADING=1 is told, too. Without --processes SIGHUP ends the program.

            With --udp each datagram is answered by one: echo's has the same bytes, up to 65,536; \
            chargen's has 0 to 512 characters, by chance; discard answers none. Senders may be \
            forged, and two services that answer each other never end: as with inetd, senders at \
            the ports of echo, daytime, chargen and time (7, 13, 19, 37) and at the service's own \
            port are not answered. A datagram that can't be answered is dropped, and a signal ends \
            the server at once.
            """)

    @Argument(help: "What to serve.")
    var service: SimpleService

    @Option(
        help: "Where to listen; may be given several times. (default: 127.0.0.1, unless --unix)")
    var host: [String] = []

    @Option(
        help: """
            The port, the same for every host: 0 to 65535 or the name of a service; 0 lets the \
            kernel choose.
            """)
    var port = PortArgument(0)

    @Option(help: ArgumentHelp("Listen on a Unix socket, too.", valueName: "path"))
    var unix: String?

    @Flag(help: "Serve datagrams: UDP, and with --unix those of a Unix socket.")
    var udp = false

    @Option(help: "How the clients are served.")
    var style = ServeStyle.callback

    @Option(help: "How many threads serve, each with a part of the clients.")
    var workers = 1

    @Option(help: "How clients get to the threads; with --udp the kernel chooses in any case.")
    var distribution = DistributionArgument.handOver

    @Option(help: "How long to wait for the clients at the end. (default: 5s)")
    var drain: DurationArgument?

    @Option(help: "How many clients may wait to be accepted. (default: 4096)")
    var backlog: Int?

    @Flag(help: "Share the port with other servers of this user.")
    var reusePort = false

    @Flag(help: "Leave the limit on descriptors as it is instead of raising it.")
    var keepDescriptorLimit = false

    @OptionGroup(title: "Processes")
    var processes: ProcessArguments

    @OptionGroup(title: "Who is let in")
    var admission: AdmissionArguments

    @OptionGroup(title: "Times")
    var times: TimeLimitArguments

    @OptionGroup(title: "Memory and rates")
    var buffers: BufferArguments

    @OptionGroup(title: "Text")
    var text: TextArguments

    func run() throws {
        try reportingFaults {
            if !keepDescriptorLimit { DescriptorLimit.raise() }
            do {
                if udp {
                    try serveDatagrams()
                } else if processes.processes != nil, processes.asProcess == nil {
                    try serveWithProcesses()
                } else {
                    try serveStreams()
                }
            } catch let error as SocketError {
                StandardStreams.complain("\(error)")
                throw ExitCode.unavailable
            }
        }
    }
}

/// How `sluice serve` talks to its clients.
enum ServeStyle: String, CaseIterable, ExpressibleByArgument {
    /// A callback for the bytes as they come.
    case callback
    /// A callback for each line of text.
    case lines
    /// A task for each client.
    case async
}

/// How the clients of `sluice serve --workers` get to their threads.
enum DistributionArgument: String, CaseIterable, ExpressibleByArgument {
    /// One thread accepts, and gives each client to the thread with the fewest.
    case handOver = "hand-over"
    /// Each thread listens, and the kernel chooses.
    case reusePort = "reuse-port"

    var value: ServingOptions.Distribution {
        switch self {
        case .reusePort: .reusePort
        case .handOver: .handOver
        }
    }
}

/// Tells on standard error what went wrong for a client, where that holds up nobody.
@Sendable
func complain(_ error: any Error, _ channel: Channel?) {
    // An error of the channel tells its address by itself.
    let hasPlace = error is SocketError || error is ChannelError
    let place = hasPlace ? nil : channel.map { " (\($0.peerAddress))" }
    StandardStreams.offer("sluice: \(error)\(place ?? "")", to: STDERR_FILENO)
}
