import Sluice

let reactor = try Reactor()
let server = try Server(on: reactor, at: [.loopback(port: 7777)]) { channel, peer in
    print("\(peer) is here")
    channel.onBytes { channel, bytes in try channel.write(bytes) }
}
print("echoing on \(server.addresses[0])")
reactor.run()
