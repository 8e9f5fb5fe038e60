// SPDX-License-Identifier: Apache-2.0
//
// Hosts' names and their addresses, asked of the system, in the form that waits for the answer.
// A reactor's thread has better use for its time: there, clients resolve in the background.

import CSystemCalls
import Glibc

/// Questions to the system's name service that wait for the answer, which may take seconds.
///
/// Never ask from a reactor's thread: a client there resolves in the background.
public enum HostName {
    /// The addresses of a host, in the order in which they should be tried.
    ///
    /// A number is its own address and nobody is asked. Source: getaddrinfo(3).
    ///
    /// - Throws: ``ResolverError``, such as `.unknownName`.
    @available(
        *, noasync,
        message: "it blocks the thread: 'await Connection.connect(to:on:)' looks names up by itself"
    )
    public static func addresses(of name: String) throws(ResolverError) -> [IPAddress] {
        if let address = IPAddress(name) { return [address] }
        // C would take the name up to there for the whole.
        if name.isEmpty || name.utf8.contains(0) { throw ResolverError(name, .unknownName) }
        var hints = addrinfo()
        hints.ai_socktype = csystem_stream_type()
        hints.ai_flags = AI_ADDRCONFIG
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(name, nil, &hints, &list)
        guard code == 0 else { throw ResolverError(name, code: code) }
        defer { freeaddrinfo(list) }
        var addresses: [IPAddress] = []
        var next = list
        while let entry = next {
            if let address = SocketAddress(entry.pointee)?.ipAddress { addresses.append(address) }
            next = entry.pointee.ai_next
        }
        if addresses.isEmpty { throw ResolverError(name, .noAddress) }
        return addresses
    }

    /// The primary name of the host that has an address.
    ///
    /// Source: getnameinfo(3), `NI_NAMEREQD`.
    ///
    /// - Throws: ``ResolverError``, such as `.unknownName`.
    @available(*, noasync, message: "it blocks the thread: it waits for the name service")
    public static func name(of address: IPAddress) throws(ResolverError) -> String {
        var name = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        // An IP address always has a kernel's form.
        guard let form = try? SocketAddress.ip(address, port: 0).kernelForm() else {
            throw ResolverError("\(address)", .unknownName)
        }
        let code = form.withPointer { pointer, length in
            getnameinfo(pointer, length, &name, socklen_t(name.count), nil, 0, NI_NAMEREQD)
        }
        guard code == 0 else { throw ResolverError("\(address)", code: code) }
        return text(name)
    }

    /// This machine's own name.
    ///
    /// Source: gethostname(2).
    public static var own: String {
        // Linux has names of at most 64 bytes.
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, name.count - 1) == 0 else { return "" }
        return text(name)
    }

    private static func text(_ name: [CChar]) -> String {
        String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

extension SocketAddress {
    /// The address of one of getaddrinfo's answers.
    fileprivate init?(_ entry: addrinfo) {
        var storage = sockaddr_storage()
        let length = min(Int(entry.ai_addrlen), MemoryLayout<sockaddr_storage>.size)
        guard let source = entry.ai_addr else { return nil }
        withUnsafeMutableBytes(of: &storage) {
            $0.copyMemory(from: UnsafeRawBufferPointer(start: source, count: length))
        }
        self.init(storage, length: entry.ai_addrlen)
    }
}
