// SPDX-License-Identifier: Apache-2.0
//
// What the kernel tells of a running program: its descriptors, its memory, its processor time.

import Glibc

extension CommandProcess {
    /// How many descriptors it has open; 0 when it has ended.
    public var descriptorCount: Int { entries(of: "fd").count }

    /// Its resident memory, exactly.
    ///
    /// Source: `smaps_rollup`, proc(5).
    public var residentByteCount: Int {
        for line in text(of: "smaps_rollup").split(separator: "\n") where line.hasPrefix("Rss:") {
            return (line.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) * 1_024
        }
        return 0
    }

    /// Whether its memory says anything: a sanitizer keeps what was freed.
    public static var hasTrueMemory: Bool {
        #if SANITIZED
        false
        #else
        true
        #endif
    }

    /// The processor time of its threads so far.
    ///
    /// Source: `schedstat`, proc(5).
    public var processorTime: Duration {
        let threads = entries(of: "task").map { name in
            text(of: "task/\(name)/schedstat").split(separator: " ").first.flatMap { Int64($0) }
        }
        return .nanoseconds(threads.reduce(0) { $0 + ($1 ?? 0) })
    }

    private func entries(of folder: String) -> [String] {
        guard let stream = opendir("/proc/\(pid)/\(folder)") else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            // In place: an entry may be shorter than the type that C declares for it.
            let name = withUnsafePointer(to: &entry.pointee.d_name) { field in
                String(cString: UnsafeRawPointer(field).assumingMemoryBound(to: CChar.self))
            }
            if Int(name) != nil { names.append(name) }
        }
        return names
    }

    private func text(of file: String) -> String {
        guard let stream = fopen("/proc/\(pid)/\(file)", "re") else { return "" }
        defer { fclose(stream) }
        var bytes = [UInt8](repeating: 0, count: 8_192)
        let count = fread(&bytes, 1, bytes.count, stream)
        return Array(bytes[..<count]).text
    }
}
