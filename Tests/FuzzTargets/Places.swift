// SPDX-License-Identifier: Apache-2.0
//
// Any text as an address, a block, a services, protocols or hosts file; any bytes as an address of
// the kernel's. Whatever is read is written and read again as the same.

import Sluice

private func run(_ data: [UInt8]) {
    let text = String(decoding: data, as: UTF8.self)
    if let address = IPAddress(text) {
        precondition(IPAddress(address.description) == address, "reads back differently")
        precondition(IPAddress(packed: address.packed)?.packed == address.packed)
        _ = (address.isGlobal, address.isPrivate, address.isMulticast, address.isLinkLocal)
        let place = SocketAddress.ip(address, port: 7)
        precondition(SocketAddress(place.description) == place, "reads back differently")
    }
    if let address = IPAddress(classicText: text) { precondition(!address.isIPv6) }
    if let range = AddressRange(text) {
        precondition(range.contains(range.address))
        precondition(AddressRange(range.description) == range, "reads back differently")
    }
    if let address = IPAddress(packed: data) {
        precondition(address.packed == data, "packs differently")
    }
    if let address = SocketAddress(host: text, port: 9) { precondition(address.port == 9) }
    if let address = SocketAddress(text) {
        precondition(SocketAddress(address.description) == address)
    }
    readLists(text)
    readKernelForms(data)
}

private func readLists(_ text: String) {
    for format in [ServiceTable.Format.services, .assignedNumbers] {
        let table = ServiceTable(parsing: text, as: format)
        for entry in table.entries.prefix(64) {
            precondition(table.port(of: entry.name, entry.transport) != nil)
            precondition(table.name(of: entry.port, entry.transport) != nil)
        }
    }
    let protocols = ProtocolTable(parsing: text)
    for entry in protocols.entries.prefix(64) {
        precondition(protocols.number(of: entry.name) != nil)
    }
    let hosts = HostTable(parsing: text)
    for entry in hosts.entries.prefix(64) {
        precondition(!hosts.addresses(of: entry.name).isEmpty)
    }
}

/// An address as the kernel may write it, of any family and length.
private func readKernelForms(_ data: [UInt8]) {
    let address = SocketAddress(kernelBytes: data)
    guard let bytes = address.kernelBytes else { return }
    precondition(SocketAddress(kernelBytes: bytes) == address, "reads back differently")
}

/// What libFuzzer calls with each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    run(Array(UnsafeBufferPointer(start: start, count: count)))
    return 0
}
