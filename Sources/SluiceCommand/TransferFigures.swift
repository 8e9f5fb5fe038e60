// SPDX-License-Identifier: Apache-2.0
//
// How far a transfer is: as a line while it goes on, and as the report at its end.

import Sluice
import SluiceReport

/// What is known of a transfer while it goes on.
struct TransferFigures {
    /// Which way the bytes go.
    enum Direction {
        case sending
        case receiving

        /// What it is called in reports.
        var name: String { self == .sending ? "send" : "receive" }
    }

    let direction: Direction
    /// The file, as it was named on the command line.
    let file: String
    /// Where in the file the transfer begins.
    var offset = 0
    /// Whether what stands before that was brought over by an earlier transfer.
    var isResumed = false
    /// How large the whole file is; `nil` where nobody has told.
    var size: Int?
    /// How many bytes have been moved by now.
    var moved = 0
    /// How many more have come that standard output has not taken, and will not.
    var dropped = 0

    /// How far in the file it is.
    var position: Int { offset + moved }

    /// How large a part of the file is where it should be, 0 to 1.
    private var share: Double? {
        size.map { $0 == 0 ? 1 : min(1, Double(position) / Double($0)) }
    }
}

// MARK: - While it goes on

extension TransferFigures {
    /// `45 %, 22.5 MiB of 50.0 MiB, 11.2 MiB/s, 2 s left`.
    func line(after time: Duration) -> String {
        var parts: [String] = []
        if let share, let size {
            parts.append("\(Int(share * 100)) %")
            parts.append("\(Self.bytes(position)) of \(Self.bytes(size))")
        } else {
            parts.append(Self.bytes(position))
        }
        let rate = rate(over: time)
        parts.append("\(NumberText.bytes(rate))/s")
        if let size, rate > 0 { parts.append(Self.left(Double(max(0, size - position)) / rate)) }
        return parts.joined(separator: ", ")
    }

    /// The line behind a bar, such as `[####      ]`, where it is known what is missing.
    func bar(after time: Duration) -> String {
        guard let share else { return line(after: time) }
        let full = Int(share * Double(Self.barWidth))
        let bar = String(repeating: "#", count: full)
        let rest = String(repeating: " ", count: Self.barWidth - full)
        return "[\(bar)\(rest)] \(line(after: time))"
    }

    /// So wide that the whole fits a terminal of 80 columns, whatever the figures.
    private static let barWidth = 10

    private func rate(over time: Duration) -> Double {
        let seconds = time / .seconds(1)
        return seconds > 0 ? Double(moved) / seconds : 0
    }

    private static func bytes(_ count: Int) -> String { NumberText.bytes(Double(count)) }

    private static func left(_ seconds: Double) -> String {
        // Beyond that it is a guess in any case.
        if seconds > 360_000 { return "days left" }
        let seconds = Int(seconds.rounded(.up))
        if seconds < 100 { return "\(seconds) s left" }
        return seconds < 6_000 ? "\(seconds / 60) min left" : "\(seconds / 3_600) h left"
    }
}

// MARK: - At its end

extension TransferFigures {
    /// Two lines for people: what was moved, and the checksum as sha256sum(1) prints it.
    func report(after time: Duration, with peer: SocketAddress, sha256: String) -> String {
        var text = summary(after: time, with: peer)
        if isResumed, offset > 0 {
            text += "; resumed from \(NumberText.grouped(offset)), "
            text += "the checksum is of all \(NumberText.grouped(position)) bytes"
        } else if offset > 0 {
            text += "; from byte \(NumberText.grouped(offset)) on, the checksum is of these bytes"
        }
        return "\(text)\n\(Self.checksumLine(sha256, file))"
    }

    /// What was moved, how fast: the first line of the report, and all of it where the transfer
    /// was interrupted.
    func summary(after time: Duration, with peer: SocketAddress) -> String {
        let verb = direction == .sending ? "sent" : "received"
        let way = direction == .sending ? "to" : "from"
        var text = "\(verb) \(NumberText.grouped(moved)) bytes \(way) \(peer) in "
        text += NumberText.fixed(time / .seconds(1), digits: 2) + " s, "
        return text + "\(NumberText.bytes(rate(over: time))) a second"
    }

    /// As sha256sum(1) writes it: a name that has a line's end in it is escaped, which the line's
    /// first character tells.
    static func checksumLine(_ sha256: String, _ name: String) -> String {
        var escaped = ""
        for scalar in name.unicodeScalars {
            switch scalar {
            case "\\": escaped += "\\\\"
            case "\n": escaped += "\\n"
            case "\r": escaped += "\\r"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return (escaped.utf8.count == name.utf8.count ? "" : "\\") + "\(sha256)  \(escaped)"
    }

    /// The report as a JSON object, which has the same members however the transfer ended.
    ///
    /// - Parameters:
    ///   - peer: the partner; `nil` where there was none.
    ///   - ending: the checksum, or what has ended it before its end.
    func json(
        after time: Duration, with peer: SocketAddress?, _ ending: Result<String, TransferRefusal>
    ) -> JSONValue {
        var (sha256, error) = (JSONValue.null, JSONValue.null)
        switch ending {
        case .success(let text): sha256 = .string(text)
        case .failure(let refusal): error = .string(refusal.sentence)
        }
        return .object([
            ("file", .string(file)), ("direction", .string(direction.name)),
            ("offset", .integer(offset)), ("bytes", .integer(moved)),
            ("seconds", .number(time / .seconds(1))),
            ("bytes_per_second", .number(rate(over: time))),
            ("sha256", sha256), ("peer", peer.map { .string("\($0)") } ?? .null),
            ("resumed_from", isResumed ? .integer(offset) : .null), ("error", error),
        ])
    }
}
