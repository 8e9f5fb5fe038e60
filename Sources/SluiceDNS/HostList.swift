// SPDX-License-Identifier: Apache-2.0
//
// Hosts that are listed, found by name and by address without reading through the list.
// A file is read anew when it has changed.

import Glibc
import Sluice

/// Where hosts are looked up before any server is asked.
final class HostList {
    private let path: String?
    private var index: HostIndex
    private var stamp: FileStamp?
    private var lastLook: ContinuousClock.Instant?

    /// So long a file is taken to be as it was.
    private static let restTime = Duration.seconds(1)

    init(_ hosts: NameServerOptions.Hosts) {
        switch hosts {
        case .file(let path): (self.path, index) = (path, HostIndex())
        case .table(let table): (path, index) = (nil, HostIndex(table))
        case .none: (path, index) = (nil, HostIndex())
        }
    }

    /// A host's primary name and its addresses; `nil` for one that is not listed.
    func host(named name: String) -> (name: String, addresses: [IPAddress])? {
        look()
        return index.host(named: name)
    }

    /// The names of the host at an address, the primary one first; `nil` where none is listed.
    func names(of address: IPAddress) -> [String]? {
        look()
        return index.names(of: address)
    }

    /// Reads the file, if it has changed since it was read.
    private func look() {
        guard let path else { return }
        let now = ContinuousClock.now
        if let lastLook, now - lastLook < Self.restTime { return }
        lastLook = now
        let found = FileStamp(of: path)
        if found == stamp { return }
        stamp = found
        // A list that can't be read lists nobody.
        index = (try? HostTable(file: path)).map { HostIndex($0) } ?? HostIndex()
    }
}

/// What tells one state of a file from another.
private struct FileStamp: Equatable {
    private let numbers: [Int]

    /// `nil` where there is no such file.
    init?(of path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        numbers = [
            Int(truncatingIfNeeded: status.st_dev), Int(truncatingIfNeeded: status.st_ino),
            Int(status.st_size), status.st_mtim.tv_sec, status.st_mtim.tv_nsec,
        ]
    }
}

/// The lines of a table by the names and by the addresses that stand in them.
private struct HostIndex {
    private var entries: [HostTable.Entry] = []
    private var byName: [String: [Int]] = [:]
    private var byAddress: [IPAddress: [Int]] = [:]

    init() {}

    init(_ table: HostTable) {
        entries = table.entries
        for (place, entry) in entries.enumerated() {
            byAddress[entry.address, default: []].append(place)
            for name in Set(([entry.name] + entry.aliases).map(Self.key)) {
                byName[name, default: []].append(place)
            }
        }
    }

    func host(named name: String) -> (name: String, addresses: [IPAddress])? {
        let lines = (byName[Self.key(name)] ?? []).map { entries[$0] }
        guard let first = lines.first else { return nil }
        var seen: Set<IPAddress> = []
        return (first.name, lines.map(\.address).filter { seen.insert($0).inserted })
    }

    func names(of address: IPAddress) -> [String]? {
        guard let places = byAddress[address] else { return nil }
        var seen: Set<String> = []
        let names = places.flatMap { [entries[$0].name] + entries[$0].aliases }
        return names.filter { seen.insert(Self.key($0)).inserted }
    }

    /// Small letters, and no dot at the end.
    private static func key(_ name: String) -> String {
        let bytes = name.utf8.last == UInt8(ascii: ".") ? name.utf8.dropLast() : name.utf8[...]
        return String(decoding: bytes.map(\.smallLetter), as: UTF8.self)
    }
}
