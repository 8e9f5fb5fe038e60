// SPDX-License-Identifier: Apache-2.0
//
// A resolver that asks name servers itself, in place of the system's name service.

public import Sluice

extension Resolver {
    /// A resolver that asks name servers itself, over sockets of the reactor's.
    ///
    /// Other than the system's it knows how long answers hold, and has services and texts.
    ///
    /// - Throws: ``ResolverError``, as ``NameServers/init(on:options:)``.
    public convenience init(
        asking servers: NameServerOptions = NameServerOptions(), on reactor: Reactor,
        options: ResolverOptions = ResolverOptions()
    ) throws(ResolverError) {
        self.init(
            on: reactor, source: try NameServers(on: reactor, options: servers), options: options)
    }
}
