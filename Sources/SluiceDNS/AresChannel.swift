// SPDX-License-Identifier: Apache-2.0
//
// How a channel of c-ares is set up, and what it has read of the machine's set-up.

import CCares
import Glibc
import Sluice

/// Setting up c-ares.
enum AresChannel {
    /// Once for the process, by whichever thread comes first.
    private static let libraryStatus = ares_library_init(CInt(ARES_LIB_INIT_ALL))

    /// Makes a channel.
    ///
    /// `watch`: told what c-ares wants to know of its sockets, with `context`.
    ///
    /// Source: ares_init_options(3).
    static func make(
        _ options: NameServerOptions, _ times: ServerTimes, context: UnsafeMutableRawPointer,
        _ watch: @escaping ares_sock_state_cb
    ) throws(ResolverError) -> ares_channel {
        let path = options.resolvConf
        // C would take the path up to there for the whole.
        if path.utf8.contains(0) { throw ResolverError(path, .system(.invalidArgument)) }
        var settings = ares_options()
        settings.flags = CInt(ARES_FLAG_EDNS) | (times.usesTCP ? CInt(ARES_FLAG_USEVC) : 0)
        settings.timeout = CInt(clamping: times.timeout.milliseconds)
        settings.tries = CInt(times.attempts)
        settings.ednspsz = CInt(options.datagramLimit)
        settings.sock_state_cb = watch
        settings.sock_state_cb_data = context
        let mask =
            ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_EDNSPSZ
            | ARES_OPT_SOCK_STATE_CB | ARES_OPT_LOOKUPS | ARES_OPT_RESOLVCONF
            | (times.rotates ? ARES_OPT_ROTATE : ARES_OPT_NOROTATE)
        var channel: ares_channel?
        let status = withCText("b") { lookups in
            withCText(path) { path in
                guard libraryStatus == ARES_SUCCESS else { return libraryStatus }
                settings.lookups = lookups
                settings.resolvconf_path = path
                // It copies the texts.
                return ares_init_options(&channel, &settings, CInt(mask))
            }
        }
        guard status == ARES_SUCCESS, let channel else {
            throw ResolverError(path, status == ARES_ENOMEM ? .noMemory : .permanentFailure)
        }
        return channel
    }

    /// C wants to be able to change what it only reads.
    private static func withCText<Result>(
        _ text: String, _ body: (UnsafeMutablePointer<CChar>?) -> Result
    ) -> Result {
        var bytes = Array(text.utf8CString)
        return bytes.withUnsafeMutableBufferPointer { body($0.baseAddress) }
    }

    /// Has other servers asked than those of resolv.conf.
    ///
    /// Source: ares_set_servers_ports(3).
    ///
    /// - Returns: whether all of them were taken.
    static func set(_ servers: [SocketAddress], on channel: ares_channel) -> Bool {
        withUnsafeTemporaryAllocation(of: ares_addr_port_node.self, capacity: servers.count) {
            nodes in
            var count = 0
            for server in servers {
                guard let address = server.ipAddress, let port = server.port else { return false }
                var node = ares_addr_port_node()
                node.family = address.isIPv6 ? AF_INET6 : AF_INET
                node.udp_port = port == 0 ? CInt(domainPort) : CInt(port)
                node.tcp_port = node.udp_port
                withUnsafeMutableBytes(of: &node.addr) { $0.copyBytes(from: address.packed) }
                nodes.initializeElement(at: count, to: node)
                if count > 0, let start = nodes.baseAddress {
                    nodes[count - 1].next = start + count
                }
                count += 1
            }
            // It copies the list; plain C structures need no end.
            return ares_set_servers_ports(channel, nodes.baseAddress) == ARES_SUCCESS
        }
    }

    /// The servers that it asks, without the interfaces of link-local addresses.
    ///
    /// Source: ares_get_servers_ports(3).
    static func servers(of channel: ares_channel) -> [SocketAddress] {
        var list: UnsafeMutablePointer<ares_addr_port_node>?
        guard ares_get_servers_ports(channel, &list) == ARES_SUCCESS else { return [] }
        defer { ares_free_data(list) }
        var servers: [SocketAddress] = []
        var next = list
        while let node = next?.pointee {
            let packed = withUnsafeBytes(of: node.addr) {
                Array($0.prefix(node.family == AF_INET6 ? 16 : 4))
            }
            let port = UInt16(truncatingIfNeeded: node.udp_port)
            if let address = IPAddress(packed: packed) {
                servers.append(.ip(address, port: port == 0 ? domainPort : port))
            }
            next = node.next
        }
        return servers
    }

    /// The search domains, and how many dots a name has that is tried as it stands first.
    ///
    /// Source: ares_save_options(3).
    static func search(of channel: ares_channel) -> (domains: [String], ndots: Int) {
        var settings = ares_options()
        var mask: CInt = 0
        let status = ares_save_options(channel, &settings, &mask)
        defer { ares_destroy_options(&settings) }
        guard status == ARES_SUCCESS else { return ([], 1) }
        let domains = (0..<Int(settings.ndomains)).compactMap { place in
            settings.domains?[place].map { String(cString: $0) }
        }
        return (domains, Int(settings.ndots))
    }

    /// Where name servers are.
    static let domainPort: UInt16 = 53
}

extension NameServerOptions {
    /// How long an answer in a datagram may be, within the bounds; c-ares has room for 4,096.
    var datagramLimit: Int { datagramByteCount.clamped(to: 512...4_096) }
}

extension Duration {
    /// Whole milliseconds, rounded down, at least 1.
    fileprivate var milliseconds: Int64 {
        max(1, components.seconds * 1_000 + components.attoseconds / 1_000_000_000_000_000)
    }
}
