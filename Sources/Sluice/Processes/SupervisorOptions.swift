// SPDX-License-Identifier: Apache-2.0
//
// How many workers a supervisor has, how they get their sockets, and how long each thing may take.

/// How a supervisor opens its sockets, and how it treats its workers.
public struct SupervisorOptions: Hashable, Sendable {
    /// How workers get at connections.
    public enum Sharing: Hashable, Sendable {
        /// A listening socket for each worker, of which the kernel chooses one for each connection
        /// (`SO_REUSEPORT`): no worker is woken for another's client. The clients of one whose
        /// worker is started again wait for it, and where it fails again and again for as long as
        /// ``SupervisorOptions/longestRestartDelay`` each time. Unix sockets are shared.
        case reusePort
        /// One listening socket for all: whichever worker is quickest takes a connection.
        case shared
    }

    /// How many workers there are: 1 to 1,024.
    ///
    /// What is beyond is brought to the nearer end. Initially as many as there are cores.
    public var workerCount = ReactorGroup.coreCount
    /// How the sockets are opened.
    ///
    /// ``ListenerOptions/reusePort`` is set where ``sharing`` needs it. Where it is not set here,
    /// another program that listens at the same port is `.addressInUse` all the same, also one of
    /// this user that shares it; where it is, the two share the clients.
    public var listener = ListenerOptions()
    /// How workers get at connections.
    ///
    /// Initially ``Sharing/reusePort``. Sockets that somebody else has opened are shared.
    public var sharing = Sharing.reusePort
    /// Gives all addresses with port 0 the port of the first, retrying up to 10 times.
    ///
    /// Initially off.
    public var samePort = false
    /// How long a worker may take to get ready; then it is killed, and counts as one that has
    /// ended.
    ///
    /// What is below 1 ms counts as 1 ms. Initially 10 s.
    public var startLimit = Duration.seconds(10)
    /// How long a worker may take to end when it was asked to; one second later it is killed.
    ///
    /// Workers are not told. The limit of their own, such as that of
    /// ``Reactor/serve(_:drainingOn:within:)`` or ``ServingOptions/drainLimit``, and the
    /// ``ChannelOptions/lingerLimit`` of what they close then have to be no longer than this one,
    /// taken together: what is still to be sent is lost with a worker that is killed.
    ///
    /// Initially 35 s, as those are 5 s and 30 s.
    public var drainLimit = Duration.seconds(35)
    /// How long the second restart in a row waits at most; the first waits for nothing.
    ///
    /// What is below 1 ms counts as 1 ms. Initially 10 ms.
    public var firstRestartDelay = Duration.milliseconds(10)
    /// How many times as long as the one before the wait for a restart is.
    ///
    /// What is below 1 counts as 1. Initially 2.
    public var restartFactor = 2.0
    /// How long any wait for a restart is at most; not below ``firstRestartDelay``.
    ///
    /// Initially 10 s.
    public var longestRestartDelay = Duration.seconds(10)
    /// A worker that was ready for so long was a good one: the next restart waits for nothing.
    ///
    /// Initially 10 s.
    public var stableAfter = Duration.seconds(10)
    /// How often a worker that is ready must say ``ServiceState/watchdog``; then it is killed.
    ///
    /// Workers are told by `WATCHDOG_USEC`; see ``Reactor/feedWatchdog(by:)``. What is below 1 ms
    /// counts as 1 ms. Initially `nil`: they are not watched.
    public var watchdog: Duration?
    /// Which signals of this process ``Supervisor/run(reloadingOn:drainingOn:telling:)`` sends on
    /// to the workers that are ready.
    ///
    /// Initially none.
    public var forwarded: [Signal] = []

    /// The initial values.
    public init() {}
}

extension SupervisorOptions {
    /// The same with a number of workers that there can be, and with limits that can be met.
    var inRange: SupervisorOptions {
        var options = self
        options.workerCount = min(max(workerCount, 1), 1_024)
        options.startLimit = max(startLimit, .milliseconds(1))
        options.watchdog = watchdog.map { max($0, .milliseconds(1)) }
        return options
    }
}
