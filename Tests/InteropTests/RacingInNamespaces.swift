// SPDX-License-Identifier: Apache-2.0
//
// A network of its own in which IPv6 leads nowhere: packets go out, and nothing ever comes back. A
// name that has such an address is connected to by its other one.

import Glibc
import Sluice
import TestSupport
import Testing

/// A network namespace whose IPv6 swallows what is sent, and with names of its own.
///
/// `alive.example` has 192.0.2.1, and `dead.example` has 2001:db8::2 before that. Source:
/// ip-netns(8), veth(4).
private final class SwallowingNetwork {
    let name = "sluice-\(getpid())"

    /// Whether this machine lets the tests have one; and if not, what that needs.
    static let isPossible: Bool = {
        // Whatever it is that is missing, the tests can't be run.
        (try? SwallowingNetwork()) != nil
    }()
    static let needs: Comment = "it needs root, iproute2, network namespaces and veth"

    init() throws {
        // Nobody has the address of the link that packets for 2001:db8::2 are sent to.
        let script = """
            set -e
            ip netns add \(name)
            ip -n \(name) link set lo up
            ip -n \(name) link add near type veth peer name far
            ip -n \(name) link set near up
            ip -n \(name) link set far up
            ip -n \(name) addr add 192.0.2.1/24 dev near
            ip -n \(name) addr add 2001:db8::1/64 dev near nodad
            ip -n \(name) -6 neigh add 2001:db8::2 lladdr 02:00:00:00:00:02 dev near nud permanent
            mkdir -p /etc/netns/\(name)
            cat > /etc/netns/\(name)/hosts <<END
            127.0.0.1 localhost
            192.0.2.1 alive.example
            2001:db8::2 dead.example
            192.0.2.1 dead.example
            END
            """
        guard try CommandProcess("/bin/sh", ["-c", script]).ended() == .exited(0) else {
            remove()
            throw SocketError(.create, .notPermitted)
        }
    }

    deinit { remove() }

    private func remove() {
        let script = """
            ip netns del \(name)
            rm -rf /etc/netns/\(name)
            rmdir /etc/netns
            """
        // What can't be removed was not there, or is others'.
        _ = try? CommandProcess("/bin/sh", ["-c", script]).ended()
    }

    /// Starts `sluice` in there.
    func sluice(_ arguments: String..., input: [UInt8]?) throws -> CommandProcess {
        try CommandProcess(
            "ip", ["netns", "exec", name, CommandProcess.sluice] + arguments, input: input)
    }
}

@Suite(.countingDescriptors, .serialized)
struct RacingInNamespaces {
    /// How long it takes to get an answer from a host, in the best of three tries.
    private func time(
        to host: String, _ port: String, in network: SwallowingNetwork
    ) throws -> Duration {
        var times: [Duration] = []
        for _ in 0..<3 {
            let start = ContinuousClock.now
            let client = try network.sluice("connect", host, port, input: Array("hello\n".utf8))
            let ending = try client.ended()
            times.append(ContinuousClock.now - start)
            #expect(ending == .exited(0), "\(client.errors.text)")
            #expect(client.output.text == "hello\n")
        }
        return try #require(times.min())
    }

    // N2
    @Test(.enabled(if: SwallowingNetwork.isPossible, SwallowingNetwork.needs))
    func `a name whose IPv6 is swallowed is connected to within 300 ms`() throws {
        let network = try SwallowingNetwork()
        let server = try network.sluice("serve", "echo", "--host", "192.0.2.1", input: nil)
        let port = "\(try server.listeningAddress().port ?? 0)"
        // What starting a program costs is in both.
        let plain = try time(to: "alive.example", port, in: network)
        let raced = try time(to: "dead.example", port, in: network)
        #expect(raced - plain >= .milliseconds(200), "IPv6 was not tried: \(plain), \(raced)")
        #expect(raced - plain < .milliseconds(350), "\(plain), \(raced)")
        server.send(SIGTERM)
        #expect(try server.ended() == .exited(0))
    }

    @Test(.enabled(if: SwallowingNetwork.isPossible, SwallowingNetwork.needs))
    func `a name that leads nowhere costs no more than the time limit`() throws {
        let network = try SwallowingNetwork()
        let start = ContinuousClock.now
        let client = try network.sluice(
            "connect", "--timeout", "600ms", "dead.example", "9", input: [])
        #expect(try client.ended() == .exited(69))
        #expect(ContinuousClock.now - start >= .milliseconds(600))
        #expect(client.errors.text.contains("timed out"))
    }
}
