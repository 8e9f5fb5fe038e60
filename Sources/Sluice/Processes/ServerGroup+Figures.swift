// SPDX-License-Identifier: Apache-2.0
//
// The figures of a worker with several threads.

extension ServerGroup {
    /// What all reactors of the group and their servers have done so far, for
    /// ``ServiceState/figures(_:)``; a reactor that has ended, or serves no more, is left out.
    public func figures() async -> WorkerFigures {
        var sum = WorkerFigures()
        for part in parts {
            let figures = await withTaskExecutorPreference(part.executor) {
                await part.asked { WorkerFigures(of: $0, [$1]) }
            }
            if let figures { sum.add(figures) }
        }
        return sum
    }
}
