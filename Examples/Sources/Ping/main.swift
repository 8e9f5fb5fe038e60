// SPDX-License-Identifier: Apache-2.0
//
// Asks a machine whether it is there, with echo requests of ICMP on a raw socket.
// Usage: Ping [ADDRESS [COUNT]]; ends with 77 where raw sockets are not permitted. RFC 792, raw(7).

@preconcurrency import Glibc  // For stderr, a variable of C.
import Sluice

/// The sum that ICMP proves its messages by.
///
/// RFC 1071.
func checksum(_ bytes: [UInt8]) -> UInt16 {
    var sum: UInt32 = 0
    for place in stride(from: 0, to: bytes.count, by: 2) {
        let low = place + 1 < bytes.count ? UInt32(bytes[place + 1]) : 0
        sum += UInt32(bytes[place]) << 8 + low
    }
    while sum > 0xFFFF { sum = sum & 0xFFFF + sum >> 16 }
    return ~UInt16(sum)
}

/// An echo request: type 8, code 0, sum, identifier, number, content.
func request(_ identifier: UInt16, _ number: UInt16) -> [UInt8] {
    func pair(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 0xFF)] }
    let content: [UInt8] = Array("sluice".utf8)
    let sum = checksum([8, 0, 0, 0] + pair(identifier) + pair(number) + content)
    return [8, 0] + pair(sum) + pair(identifier) + pair(number) + content
}

/// Whether a packet, with its IP header, is the answer to a request.
func isAnswer(_ packet: ArraySlice<UInt8>, to request: [UInt8]) -> Bool {
    guard let first = packet.first else { return false }
    let message = packet.dropFirst(Int(first & 0xF) * 4)
    return message.count >= 8 && message.first == 0
        && message.dropFirst(4).elementsEqual(request.dropFirst(4))
}

func ping(_ address: SocketAddress, _ count: UInt16) throws(SocketError) -> Bool {
    let socket = try Socket(family: .ipv4, kind: .raw, protocol: .icmp)
    let identifier = UInt16(truncatingIfNeeded: getpid())
    let clock = ContinuousClock()
    var answered = 0
    for number in 1...count {
        let message = request(identifier, number)
        let start = clock.now
        _ = try socket.send(message.span.bytes, to: address)
        var storage = [UInt8](repeating: 0, count: 2_048)
        while true {
            let rest = Duration.seconds(1) - (clock.now - start)
            guard rest > .zero, try socket.wait(until: .readable, within: rest) else {
                print("\(number): no answer within a second")
                break
            }
            var span = storage.mutableSpan
            var room = span.mutableBytes
            // A raw socket hears everything of its protocol, so this may be another's.
            guard let packet = try socket.receiveMessage(into: &room) else { continue }
            guard packet.sender?.ipAddress == address.ipAddress,
                isAnswer(storage[..<packet.byteCount], to: message)
            else { continue }
            print(
                "\(number): \(packet.byteCount) bytes from \(address.ipAddress ?? .any), \(clock.now - start)"
            )
            answered += 1
            break
        }
    }
    return answered > 0
}

let arguments = CommandLine.arguments.dropFirst()
guard let address = IPAddress(arguments.first ?? "127.0.0.1"), !address.isIPv6,
    let count = UInt16(arguments.dropFirst().first ?? "3"), count > 0
else {
    fputs("usage: Ping [IPV4-ADDRESS [COUNT]]\n", stderr)
    exit(64)
}
do throws(SocketError) {
    exit(try ping(.ip(address, port: 0), count) ? 0 : 1)
} catch {
    let isRefused = error.operation == .create && error.code == .notPermitted
    fputs(isRefused ? "raw sockets are not permitted here (CAP_NET_RAW)\n" : "\(error)\n", stderr)
    exit(isRefused ? 77 : 1)
}
