// SPDX-License-Identifier: Apache-2.0
//
// What a process uses, and what the kernel holds for connections, as /proc tells it.

import BenchmarkSupport
import Glibc

/// Reads what a process has used.
///
/// Source: proc(5).
struct ProcessSample {
    /// The resident set, in bytes.
    let residentByteCount: Int
    /// The largest that the resident set has been.
    let highestResidentByteCount: Int
    /// Processor time so far, of the main thread.
    let processorNanoseconds: Int

    init(of processID: pid_t) throws(Fault) {
        let status = SystemFile("/proc/\(processID)/status")
        guard let resident = status.byteCount(of: "VmRSS"),
            let highest = status.byteCount(of: "VmHWM"),
            let nanoseconds = SystemFile("/proc/\(processID)/schedstat").numbers.first
        else { throw Fault.failed("/proc does not tell what process \(processID) uses") }
        residentByteCount = resident
        highestResidentByteCount = highest
        processorNanoseconds = nanoseconds
    }

    /// How much memory the kernel holds for the bytes of all TCP connections of this machine.
    ///
    /// 0 where it does not tell. Source: `sockstat`, proc(5).
    static var kernelByteCount: Int {
        let lines = SystemFile("/proc/net/sockstat").text.split(separator: "\n")
        let words = lines.first { $0.hasPrefix("TCP:") }?.split(separator: " ") ?? []
        guard let place = words.firstIndex(of: "mem"), place + 1 < words.count,
            let pages = Int(words[place + 1])
        else { return 0 }
        return pages * sysconf(CInt(_SC_PAGESIZE))
    }
}
