// SPDX-License-Identifier: Apache-2.0
//
// Numbers between the order of this machine and that of the network, and numbers that have none.

import Sluice
import TestSupport
import Testing

@Suite(.countingDescriptors)
struct ByteOrders {
    // P18
    @Test(arguments: [0, 1, 80, 255, 256, 32_768, 65_535])
    func `a number of 16 bits has the network's order in memory`(number: Int) throws {
        let ordered = try ByteOrder.htons(number)
        let bytes = withUnsafeBytes(of: ordered) { Array($0) }
        #expect(bytes == [UInt8(number >> 8), UInt8(number & 0xFF)])
        #expect(ordered == UInt16(number).bigEndian)
        #expect(Int(try ByteOrder.ntohs(Int(ordered))) == number)
    }

    // P18
    @Test(arguments: [0, 1, 65_536, 0x0102_0304, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF])
    func `a number of 32 bits has the network's order in memory`(number: Int) throws {
        let ordered = try ByteOrder.htonl(number)
        let bytes = withUnsafeBytes(of: ordered) { Array($0) }
        #expect(bytes == [24, 16, 8, 0].map { UInt8(number >> $0 & 0xFF) })
        #expect(ordered == UInt32(number).bigEndian)
        #expect(Int(try ByteOrder.ntohl(Int(ordered))) == number)
    }

    // N36
    @Test(arguments: [-1, -65_536, .min])
    func `all four refuse negative numbers`(number: Int) {
        #expect(
            Self.refusals(of: number) == [ByteOrderError](repeating: .negative(number), count: 4))
    }

    // N36
    @Test(arguments: [65_536, 0xFFFF_FFFF])
    func `the short ones refuse more than 16 bits`(number: Int) {
        let tooLarge = ByteOrderError.tooLarge(number, bitCount: 16)
        #expect(Self.refusals(of: number) == [tooLarge, tooLarge, nil, nil])
    }

    // N36
    @Test(arguments: [0x1_0000_0000, .max])
    func `the long ones refuse more than 32 bits`(number: Int) {
        let short = ByteOrderError.tooLarge(number, bitCount: 16)
        let long = ByteOrderError.tooLarge(number, bitCount: 32)
        #expect(Self.refusals(of: number) == [short, short, long, long])
    }

    @Test func `errors print as one sentence`() {
        #expect("\(ByteOrderError.negative(-1))" == "-1 is negative")
        #expect("\(ByteOrderError.tooLarge(65_536, bitCount: 16))" == "65536 has more than 16 bits")
    }

    /// Why htons, ntohs, htonl and ntohl refuse a number, in this order; `nil` where they take it.
    private static func refusals(of number: Int) -> [ByteOrderError?] {
        [
            refusal { _ = try ByteOrder.htons(number) },
            refusal { _ = try ByteOrder.ntohs(number) },
            refusal { _ = try ByteOrder.htonl(number) },
            refusal { _ = try ByteOrder.ntohl(number) },
        ]
    }

    private static func refusal(_ call: () throws -> Void) -> ByteOrderError? {
        do {
            try call()
            return nil
        } catch {
            return error as? ByteOrderError
        }
    }
}
