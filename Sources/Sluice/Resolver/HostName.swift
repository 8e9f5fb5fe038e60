// SPDX-License-Identifier: Apache-2.0
//
// Hosts' names and their addresses, asked of the system, in the form that waits for the answer.
// A reactor's thread has better use for its time: there, clients resolve in the background.

import CSystemCalls
import Glibc

/// Questions to the system's name service that wait for the answer, which may take seconds.
///
/// Never ask from a reactor's thread: a client there resolves in the background. Nobody is asked
/// for the addresses of a host that is written as a number. A name that is empty, is `*`, has a
/// zero byte in it or more than 1,024 bytes is known to nobody.
public enum HostName {
    /// The addresses of a host, in the order in which they should be tried; never none.
    ///
    /// A number is its own address, every name below `localhost` has ::1 and 127.0.0.1, and `onion`
    /// with all below it is known to nobody: nobody is asked for these. Else those of families that
    /// this machine has no addresses of are left out. Source: getaddrinfo(3), `AI_ADDRCONFIG`,
    /// RFC 6761, 6.3, RFC 7686, 2.
    ///
    /// - Throws: ``ResolverError``, such as `.unknownName`.
    @available(
        *, noasync,
        message: "it blocks the thread: 'await Connection.connect(to:on:)' looks names up by itself"
    )
    public static func addresses(of name: String) throws(ResolverError) -> [IPAddress] {
        if let addresses = try known(name, .unspecified) { return addresses }
        let answers = try addressInfo(of: name, kind: .stream, flags: .configuredFamilies)
        let addresses = answers.compactMap(\.address.ipAddress)
        if addresses.isEmpty { throw ResolverError(name, .noAddress) }
        return addresses
    }

    /// The first address of a host: of one family, or of whichever comes first.
    ///
    /// A number is its own address. With `.ipv4` it asks what gethostbyname(3) does.
    ///
    /// - Throws: ``ResolverError``, such as `.unknownName`, and `.noAddressOfFamily` for a number
    ///   of the other family.
    @available(*, noasync, message: "it blocks the thread: it waits for the name service")
    public static func address(
        of name: String, family: AddressFamily = .unspecified
    ) throws(ResolverError) -> IPAddress {
        if family == .unspecified { return try addresses(of: name)[0] }
        if let addresses = try known(name, family) { return addresses[0] }
        let answers = try addressInfo(of: name, family: family, kind: .stream)
        guard let address = answers.first?.address.ipAddress else {
            throw ResolverError(name, .noAddress)
        }
        return address
    }

    /// A host's primary name, other names and addresses, by any of its names.
    ///
    /// A number is its own name and address, and so is a name below `localhost`, which has the
    /// loopback address. Source: gethostbyname2_r(3), RFC 6761, 6.3.
    ///
    /// `family`: of the addresses, `.ipv4` or `.ipv6`.
    ///
    /// - Throws: ``ResolverError``, such as `.unknownName`; `.noAddressOfFamily` for a number of
    ///   the other family, `.unsupportedFamily` for any but the two.
    @available(*, noasync, message: "it blocks the thread: it waits for the name service")
    public static func entry(
        of name: String, family: AddressFamily = .ipv4
    ) throws(ResolverError) -> HostEntry {
        guard family == .ipv4 || family == .ipv6 else {
            throw ResolverError(name, .unsupportedFamily)
        }
        if let addresses = try known(name, family) {
            return HostEntry(name: name, aliases: [], addresses: addresses)
        }
        return try ask(name) { record, memory, found, code in
            gethostbyname2_r(
                name, family.rawValue, record, memory.baseAddress, memory.count, &found, &code)
        }
    }

    /// The primary name, other names and addresses of the host that has an address.
    ///
    /// Source: gethostbyaddr_r(3).
    ///
    /// - Throws: ``ResolverError``, such as `.unknownName`.
    @available(*, noasync, message: "it blocks the thread: it waits for the name service")
    public static func entry(of address: IPAddress) throws(ResolverError) -> HostEntry {
        switch address {
        case .v4(let value):
            return try entry(of: address, in_addr(s_addr: value.bigEndian), AF_INET)
        case .v6(_, _, let scope):
            return try entry(of: address, address.in6, AF_INET6, scope: scope)
        }
    }

    /// The primary name of the host that has an address.
    ///
    /// - Throws: ``ResolverError``, such as `.unknownName`.
    @available(*, noasync, message: "it blocks the thread: it waits for the name service")
    public static func name(of address: IPAddress) throws(ResolverError) -> String {
        try entry(of: address).name
    }

    /// The name of a host with its domain, by any of its names or addresses: the first that has a
    /// dot, of those that its address has, else the primary one.
    ///
    /// The empty name, 0.0.0.0 and :: stand for this machine. Where the host or its address is
    /// unknown, the name comes back as it is.
    @available(*, noasync, message: "it blocks the thread: it waits for the name service")
    public static func fullName(of name: String = "") -> String {
        let isOwn = name.isEmpty || IPAddress(name)?.isUnspecified == true
        let name = isOwn ? own : name
        // No list of names has those below it; their addresses have other names.
        if SpecialNames.isLocalhost(name), name.smallLetters != "localhost" { return name }
        do throws(ResolverError) {
            return try entry(of: address(of: name)).fullName
        } catch {
            // Nobody knows better than who asks.
            return name
        }
    }
}

// MARK: - This machine

extension HostName {
    /// This machine's own name; it need not have a domain.
    ///
    /// Source: gethostname(2).
    public static var own: String {
        // Linux has names of at most 64 bytes.
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, name.count - 1) == 0 else { return "" }
        return text(name)
    }

    /// Gives this machine another name, until it starts anew.
    ///
    /// For the privileged; at most 64 bytes of UTF-8. Source: sethostname(2).
    ///
    /// - Throws: the ``ErrorCode``: `.notPermitted`, `.nameTooLong`, `.invalidArgument` for a name
    ///   with a zero byte.
    public static func setOwn(_ name: String) throws(ErrorCode) {
        let byteCount = name.utf8.count
        // Whoever reads the name would stop at the zero.
        if name.utf8.contains(0) { throw .invalidArgument }
        // The kernel calls this an invalid argument as well.
        if byteCount > 64 { throw .nameTooLong }
        _ = try retrying { SystemCall.setHostName.made { sethostname(name, byteCount) } }
    }
}

// MARK: - Asking

extension HostName {
    private typealias Record = UnsafeMutablePointer<hostent>

    /// What is known of a name without asking anybody; an address that can be reached is first.
    ///
    /// Of `localhost` itself the system's list of hosts tells more: its other names, and which
    /// family it is.
    private static func known(
        _ name: String, _ family: AddressFamily
    ) throws(ResolverError) -> [IPAddress]? {
        if name.smallLetters == "localhost" { return nil }
        let question = NameQuestion.addresses(of: name, family: family)
        guard let report = SpecialNames.report(on: question) else { return nil }
        return AddressSelection.sorted(try report.addresses.get())
    }

    /// Whether a text may be the name of a host: C takes `*` for no name at all, and one with a
    /// zero byte for what stands before it; no name service has one of more than `NI_MAXHOST`.
    static func canAsk(for name: String) -> Bool {
        !name.isEmpty && name != "*" && name.utf8.count < Int(NI_MAXHOST)
            && SystemDatabase.canAsk(for: name)
    }

    /// What C has written, up to the zero.
    static func text(_ name: [CChar]) -> String {
        String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func entry<Form>(
        of address: IPAddress, _ form: Form, _ family: CInt, scope: UInt32 = 0
    ) throws(ResolverError) -> HostEntry {
        try ask("\(address)", scope: scope) { record, memory, found, code in
            withUnsafeBytes(of: form) { bytes in
                gethostbyaddr_r(
                    bytes.baseAddress, socklen_t(bytes.count), family, record, memory.baseAddress,
                    memory.count, &found, &code)
            }
        }
    }

    private static func ask(
        _ name: String, scope: UInt32 = 0,
        _ question: (Record, UnsafeMutableBufferPointer<CChar>, inout Record?, inout CInt) -> CInt
    ) throws(ResolverError) -> HostEntry {
        var hostCode: CInt = 0
        let (code, entry) = SystemDatabase.ask(for: hostent()) { record, memory, found in
            question(record, memory, &found, &hostCode)
        } reading: {
            HostEntry($0, scope: scope)
        }
        if let entry { return entry }
        if code == ERANGE { throw ResolverError(name, .answerTooLong) }
        let system = ErrorCode(rawValue: code)
        throw ResolverError(name, ResolverError.Reason(hostCode: hostCode, system: system))
    }
}
