// SPDX-License-Identifier: Apache-2.0
//
// tcllib's transfer::transmitter and transfer::receiver as partners of ours: 100 MB each way, each
// side active and passive, and the checksums of both files (N52).

import Sluice
import TestSupport
import Testing

@Suite(.countingDescriptors, .serialized)
struct TclTransfers {
    private static let byteCount = 100_000_000

    let reactor: Reactor
    let folder: TemporaryFolder
    /// A file of random bytes.
    let path: String
    let copy: String

    init() throws {
        reactor = try Reactor()
        folder = try TemporaryFolder()
        path = folder["file"]
        copy = folder["copy"]
        let made = try CommandProcess(shell: "head -c \(Self.byteCount) /dev/urandom >'\(path)'")
        #expect(try made.ended() == .exited(0))
    }

    /// Which partner waits.
    enum Waiting: CaseIterable, Sendable { case ours, theirs }

    /// tcllib's partner, begun; one that waits tells its port.
    private func partner(
        _ kind: String, _ file: String, _ mode: String, _ port: UInt16?
    ) throws -> CommandProcess {
        let way =
            port.map { "-mode active -host 127.0.0.1 -port \($0)" } ?? "-mode passive -port 0"
        return try CommandProcess.tclsh(
            talking: .utf8,
            """
            package require transfer::\(kind)
            proc over {object count {error ""}} {
                close $::file
                puts -nonewline "$count <$error> [$object busy]"
                set ::over 1
            }
            set file [open \(file) \(mode)]
            fconfigure $file -translation binary
            transfer::\(kind) partner -channel $file \(way) -translation binary -command over
            set port [partner start]
            if {$port ne ""} {
                puts "listening on 127.0.0.1:$port"
                flush stdout
            }
            vwait over
            """)
    }

    /// The checksums of the two files.
    private func checksums() throws -> [Substring] {
        let (end, text) = try CommandProcess("sha256sum", [path, copy]).finish()
        #expect(end == .exited(0))
        return text.split(separator: "\n").compactMap { $0.split(separator: " ").first }
    }

    private func options(_ port: UInt16?) -> TransferOptions {
        TransferOptions(port.map { ConnectorOptions.going(to: $0) } ?? .waiting)
    }

    private func expect(
        _ result: TransferResult?, _ script: CommandProcess,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        #expect(result?.error == nil, sourceLocation: sourceLocation)
        #expect(result?.counts.read == Self.byteCount, sourceLocation: sourceLocation)
        #expect(result?.counts.bytesWritten == Self.byteCount, sourceLocation: sourceLocation)
        let said = try script.said().text
        #expect(said == "\(Self.byteCount) <> 0", sourceLocation: sourceLocation)
        let sums = try checksums()
        #expect(sums.count == 2, sourceLocation: sourceLocation)
        #expect(sums.first == sums.last, sourceLocation: sourceLocation)
        #expect(reactor.openSockets().isEmpty, sourceLocation: sourceLocation)
    }

    // N52, C1, C5, C6, C7
    @Test(arguments: Waiting.allCases)
    func `our transmitter sends 100 MB to tcllib's receiver`(waiting: Waiting) throws {
        var result: TransferResult?
        var script: CommandProcess?
        var port: UInt16?
        if waiting == .theirs {
            let partner = try partner("receiver", copy, "w", nil)
            port = try partner.listeningPort()
            script = partner
        }
        let transmitter = Transmitter(on: reactor, source: .file(path), options: options(port))
        let ours = try transmitter.start { result = $0 }
        if let ours { script = try partner("receiver", copy, "w", ours) }
        let partner = try #require(script)
        try partner.blamed {
            reactor.expect("all is sent") { result != nil }
            try expect(result, partner)
        }
    }

    // N52, C1, C5, C6, C7
    @Test(arguments: Waiting.allCases)
    func `our receiver takes 100 MB from tcllib's transmitter`(waiting: Waiting) throws {
        var result: TransferResult?
        var script: CommandProcess?
        var port: UInt16?
        if waiting == .theirs {
            let partner = try partner("transmitter", path, "r", nil)
            port = try partner.listeningPort()
            script = partner
        }
        let destination = TransferDestination.file(copy, size: Self.byteCount)
        let receiver = Receiver(on: reactor, destination: destination, options: options(port))
        let ours = try receiver.start { result = $0 }
        if let ours { script = try partner("transmitter", path, "r", ours) }
        let partner = try #require(script)
        try partner.blamed {
            reactor.expect("all has come") { result != nil }
            try expect(result, partner)
        }
    }
}
