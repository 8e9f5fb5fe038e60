@preconcurrency import Glibc  // For stderr, a variable of C.
import Sluice

guard let port = UInt16(CommandLine.arguments.dropFirst().first ?? "0") else {
    fputs("usage: AsyncEcho [PORT]\n", stderr)
    exit(64)
}
let group = try ReactorGroup()
let server = try await ServerGroup(on: group, at: [.loopback(port: port)])
print("listening on \(server.addresses[0])")
fflush(nil)

try await server.run { connection in
    for try await bytes in connection.chunks { try await connection.write(bytes) }
}
