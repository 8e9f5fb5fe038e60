// SPDX-License-Identifier: Apache-2.0
//
// Descriptors that go from one process to another, each with an owner at every moment.

import CSystemCalls
import Glibc

/// Open descriptors in order, closed at the end of the list unless they are taken out.
public struct DescriptorList: ~Copyable, Sendable {
    private(set) var numbers: ArraySlice<CInt>

    /// An empty list.
    public init() { numbers = [] }

    /// Becomes the owner of descriptors that the kernel has just handed over.
    init(adopting numbers: [CInt]) { self.numbers = numbers[...] }

    deinit {
        for number in numbers { _ = Descriptor(adopting: number) }
    }

    /// How many there are.
    public var count: Int { numbers.count }

    /// Whether there are none.
    public var isEmpty: Bool { numbers.isEmpty }

    /// Adds one at the end.
    public mutating func append(_ descriptor: consuming Descriptor) {
        numbers.append(descriptor.release())
    }

    /// Takes the first one out; `nil` where there is none.
    public mutating func popFirst() -> Descriptor? {
        numbers.popFirst().map { Descriptor(adopting: $0) }
    }
}
