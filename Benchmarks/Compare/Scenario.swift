// SPDX-License-Identifier: Apache-2.0
//
// What is measured, and who takes part: the servers with their words, and the load with its words.

/// A server that takes part.
struct Contestant: Hashable {
    let name: String
    /// The executable: `sluice`, or a peer beside this program.
    let program: String
    /// What stands before and after the name of the service.
    let before: [String]
    let after: [String]
    let reactorCount: Int

    init(
        _ name: String, _ program: String, before: [String] = [], after: [String] = [],
        reactorCount: Int = 1
    ) {
        self.reactorCount = reactorCount
        self.name = name
        self.program = program
        self.before = before
        self.after = after
    }

    static let epoll = Contestant("raw epoll, C", "peer-epoll")
    static let libevent = Contestant("libevent events, C", "peer-libevent")
    static let bufferevent = Contestant("libevent bufferevents, C", "peer-bufferevent")
    static let sluice = Contestant("**Sluice, callback**", "sluice", before: ["serve"])
    static let sluiceAsync = Contestant(
        "**Sluice, async**", "sluice", before: ["serve"], after: ["--style", "async"])
    static let sluiceLines = Contestant(
        "**Sluice, lines**", "sluice", before: ["serve"], after: ["--style", "lines"])
    static let sluiceTimeouts = Contestant(
        "**Sluice, callback**, idle timeouts", "sluice", before: ["serve"],
        after: ["--idle-timeout", "600s"])
    static let pipeline = Contestant(
        "SwiftNIO, handler pipeline", "peer-nio", after: ["--style", "pipeline"])
    static let asyncChannel = Contestant(
        "SwiftNIO, NIOAsyncChannel", "peer-nio", after: ["--style", "async"])

    static let epollDatagrams = Contestant(
        "raw epoll, C, in batches", "peer-epoll", after: ["--udp"])
    static let sluiceDatagrams = Contestant(
        "**Sluice, datagrams**", "sluice", before: ["serve"], after: ["--udp"])

    static let servingOnly = Contestant("serving only", "resolving-server")
    static let servingAndResolving = Contestant(
        "serving, resolving and connecting in vain", "resolving-server", after: ["--busy"])

    static let oneReactor = reactors(1, .handOver)
    static let twoReactors = reactors(2, .handOver)
    static let twoListeners = reactors(2, .reusePort)

    /// How connections get to several reactors.
    enum Distribution: String {
        case handOver = "hand-over"
        case reusePort = "reuse-port"
    }

    private static func reactors(_ count: Int, _ distribution: Distribution) -> Contestant {
        Contestant(
            count == 1 ? "one reactor" : "two reactors, \(distribution.rawValue)", "sluice",
            before: ["serve"],
            after: [
                "--style", "async", "--workers", "\(count)", "--distribution",
                distribution.rawValue,
            ], reactorCount: count)
    }

    static let all = [
        epoll, libevent, bufferevent, sluice, sluiceAsync, pipeline, asyncChannel,
    ]
}

/// Where server and load run.
enum Placement: Hashable {
    /// Each on a core of its own.
    case apart
    /// Where the system likes.
    case anywhere
    /// Each reactor of the server with a part of a core, and the load with the rest of all.
    case quota
}

/// One kind of load.
struct Scenario: Hashable {
    let name: String
    /// The service that the server offers.
    let service: String
    /// The words of `sluice load`.
    let load: [String]
    let contestants: [Contestant]
    var placement = Placement.apart
    /// How the load's target begins: what it talks over.
    var scheme = "tcp"

    static let echo100 = "echo, 100 connections"
    static let echo10000 = "echo, 10,000 connections"
    static let echo1000 = "echo, 1,000 connections"
    static let lines = "line echo, 100 connections"
    static let bulk = "bulk stream"
    static let churn = "accepting and closing"
    static let datagrams = "datagram echo, 64 B"
    static let resolving = "serving while resolving"
    static let saturated = "reactors, all that they can"
    static let steady = "reactors, 50,000 messages a second"
    static let spreading = "reactors, accepting and closing"

    static func all(seconds: Int) -> [Scenario] {
        let time = ["--duration", "\(seconds)s", "--warm-up", "500ms"]
        return [
            Scenario(
                name: echo100, service: "echo", load: ["--connections", "100"] + time,
                contestants: Contestant.all),
            Scenario(
                name: echo10000, service: "echo",
                load: ["--connections", "10000", "--ramp", "2s"] + time,
                contestants: Contestant.all),
            Scenario(
                name: lines, service: "echo", load: ["--connections", "100"] + time,
                contestants: [.epoll, .sluice, .sluiceLines, .pipeline]),
            Scenario(
                name: bulk, service: "chargen", load: ["--connections", "1", "--receive"] + time,
                contestants: Contestant.all),
            Scenario(
                name: churn, service: "echo", load: ["--connections", "64", "--churn"] + time,
                contestants: Contestant.all),
            Scenario(
                name: echo1000, service: "echo", load: ["--connections", "1000"] + time,
                contestants: [.epoll, .sluice, .sluiceTimeouts]),
            Scenario(
                name: datagrams, service: "echo",
                load: ["--connections", "16", "--pipeline", "32", "--size", "64"] + time,
                contestants: [.epollDatagrams, .sluiceDatagrams], scheme: "udp"),
            Scenario(
                name: resolving, service: "echo",
                load: ["--connections", "1000", "--rate", "10000"] + time,
                contestants: [.servingOnly, .servingAndResolving]),
            manyConnections(time),
        ] + (Quota.isAvailable ? reactors(time) : [])
    }

    /// One reactor and two, and both ways in which connections get to them.
    private static func reactors(_ time: [String]) -> [Scenario] {
        let time = time + ["--workers", "2"]
        return [
            Scenario(
                name: saturated, service: "echo", load: ["--connections", "100"] + time,
                contestants: [.oneReactor, .twoReactors, .twoListeners], placement: .quota),
            Scenario(
                name: steady, service: "echo",
                load: ["--connections", "50", "--rate", "50000"] + time,
                contestants: [.twoReactors, .twoListeners], placement: .quota),
            Scenario(
                name: spreading, service: "echo", load: ["--connections", "64", "--churn"] + time,
                contestants: [.twoReactors, .twoListeners], placement: .quota),
        ]
    }
}
