// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as the ancillary data of a message: read without a trap, each kind asked for, written
// and read again as the same.

import Sluice

private func run(_ data: [UInt8]) {
    let (items, descriptors) = AncillaryItem.reading(data)
    precondition(items.count * 16 + descriptors.count * 4 <= data.count + 8)
    for item in items {
        _ = (item.hopLimit, item.trafficClass, item.packetInfo, item.joinedByteCount)
        _ = (item.lostCount, item.timestamp, item.credentials)
        if let error = DatagramError(item, destination: nil) {
            precondition(!error.description.isEmpty)
        }
    }
    let again = AncillaryItem.reading(AncillaryItem.writing(items))
    precondition(again.items == items && again.descriptors.isEmpty, "reads back differently")
}

/// What libFuzzer calls with each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    run(Array(UnsafeBufferPointer(start: start, count: count)))
    return 0
}
