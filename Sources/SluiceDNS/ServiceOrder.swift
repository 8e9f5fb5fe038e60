// SPDX-License-Identifier: Apache-2.0
//
// The order in which the hosts of a service are tried: by priority, then by a weighted lot.

import Sluice

/// The order of the hosts that offer a service.
enum ServiceOrder {
    /// Puts records into the order in which they are to be tried.
    ///
    /// Source: RFC 2782, `Weight`.
    static func sorted(
        _ records: [ServiceRecord], using generator: inout some RandomNumberGenerator
    ) -> [ServiceRecord] {
        var sorted: [ServiceRecord] = []
        let groups = Dictionary(grouping: records, by: \.priority)
        for (_, group) in groups.sorted(by: { $0.key < $1.key }) {
            // Those of no weight come first, so that they have a small chance, too.
            var rest = group.filter { $0.weight == 0 } + group.filter { $0.weight > 0 }
            var sum = rest.reduce(0) { $0 + Int($1.weight) }
            while !rest.isEmpty {
                let lot = Int.random(in: 0...sum, using: &generator)
                let next = rest.remove(at: place(of: lot, in: rest))
                sum -= Int(next.weight)
                sorted.append(next)
            }
        }
        return sorted
    }

    /// The first record with which the sum of the weights reaches the lot.
    private static func place(of lot: Int, in records: [ServiceRecord]) -> Int {
        var sum = 0
        return records.firstIndex { record in
            sum += Int(record.weight)
            return sum >= lot
        } ?? 0
    }
}
