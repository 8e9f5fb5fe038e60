// SPDX-License-Identifier: Apache-2.0
//
// Endpoints whose port is written as people write it: a number, or a service's name.

extension Endpoint {
    /// A host, by name or by number, and a service: `80`, `0x50`, or `http` where the system knows
    /// it.
    ///
    /// The service is looked up now, in the system's list of services; the host when somebody
    /// connects. Source: Tcl's socket(n), getservbyname(3).
    ///
    /// `transport`: the protocol of a service that is named, `nil` for any.
    ///
    /// - Throws: ``PortError``.
    public init(
        host: String, service: String, _ transport: String? = "tcp"
    ) throws(PortError) {
        self = .host(host, port: try ServicePort.number(of: service, transport))
    }
}
