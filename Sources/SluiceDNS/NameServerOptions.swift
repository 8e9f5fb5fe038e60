// SPDX-License-Identifier: Apache-2.0
//
// Which name servers are asked, how long and how often, and what is looked up before them.
// What is left out is as the machine's resolv.conf says.

public import Sluice

/// Which name servers are asked, and how.
public struct NameServerOptions: Hashable, Sendable {
    /// Where hosts are looked up before any server is asked.
    public enum Hosts: Hashable, Sendable {
        /// In a file; read anew when it has changed, which is looked at once a second at most.
        ///
        /// A file that can't be read lists nobody. Source: hosts(5).
        case file(String)
        /// In a table of the program's.
        case table(HostTable)
        /// Nowhere.
        case none
    }

    /// The servers, in the order in which they are asked; where there are none, those of
    /// ``resolvConf``, and 127.0.0.1 where that names none either.
    ///
    /// IP addresses; port 0 counts as 53. Initially none. Source: resolv.conf(5).
    public var servers: [SocketAddress] = []

    /// The file that says what these options leave open; initially /etc/resolv.conf.
    ///
    /// Read once, when the object is made. Source: resolv.conf(5).
    public var resolvConf = "/etc/resolv.conf"

    /// Where hosts are looked up first; initially /etc/hosts.
    ///
    /// A host that is listed is not asked for at all, not even for the other family's addresses.
    public var hosts = Hosts.file("/etc/hosts")

    /// The domains to which a name may belong that is not written in full; initially `nil`: those
    /// of resolv.conf, else the domain of the machine's name.
    public var searchDomains: [String]?

    /// A name with fewer dots is looked for in the search domains first, any other as it stands
    /// first; initially `nil`: as resolv.conf says, else 1.
    ///
    /// 0 to 15. A name that ends in a dot is never looked for in the domains.
    public var ndots: Int?

    /// How long the first try waits for an answer; twice as long after each round of the servers.
    ///
    /// 1 ms to 10 minutes; initially `nil`: as resolv.conf says (`timeout:`), else 2 s.
    public var timeout: Duration?

    /// How often each server is tried; 1 to 10, initially `nil`: as resolv.conf says (`attempts:`),
    /// else 3.
    public var attempts: Int?

    /// Whether the servers take turns in being the first one asked; initially `nil`: as resolv.conf
    /// says (`rotate`), else not.
    public var rotates: Bool?

    /// Whether all is asked over TCP; initially `nil`: as resolv.conf says (`use-vc`), else only
    /// what is too long for a datagram.
    public var usesTCP: Bool?

    /// How many bytes a server may put into one datagram; 512 to 4,096, initially 1,232, which no
    /// path of the internet breaks apart.
    ///
    /// Source: RFC 6891, 6.2.3; RFC 9715.
    public var datagramByteCount = 1_232

    /// Everything as the machine is set up.
    public init() {}
}
