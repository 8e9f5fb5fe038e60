// SPDX-License-Identifier: Apache-2.0
//
// A result as lines of text, for the way from one process to another.
// Each line is a name and its value, so that a reader can skip what it does not know.

extension LoadResult {
    /// The result as lines, without line ends; the latencies are the last line.
    public var lines: [String] {
        var lines = [
            "connections \(connectionCount)", "requests \(requestCount)", "churned \(churnCount)",
            "connecting \(connectDuration.wholeNanoseconds)",
            "nanoseconds \(duration.wholeNanoseconds)", "sent \(bytesSent)",
            "received \(bytesReceived)", "cut \(isCutShort ? 1 : 0)",
        ]
        for (kind, count) in errors { lines.append("error \(count) \(kind)") }
        if let connectFailure { lines.append("failure \(connectFailure)") }
        let buckets = latencies.buckets.map { "\($0.nanoseconds):\($0.count)" }
        lines.append("latencies \(buckets.joined(separator: " "))")
        return lines
    }

    /// Takes over what one line says.
    ///
    /// - Returns: false for a line that no result writes; it changes nothing.
    public mutating func read(line: String) -> Bool {
        let parts = line.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { return false }
        let value = String(parts[1])
        switch parts[0] {
        case "failure": connectFailure = value
        case "error": return readError(value)
        case "latencies": return readLatencies(value)
        default:
            guard let number = Int(value) else { return false }
            return read(number, named: parts[0])
        }
        return true
    }

    private mutating func read(_ number: Int, named name: Substring) -> Bool {
        switch name {
        case "connections": connectionCount = number
        case "requests": requestCount = number
        case "churned": churnCount = number
        case "connecting": connectDuration = .nanoseconds(number)
        case "nanoseconds": duration = .nanoseconds(number)
        case "sent": bytesSent = number
        case "received": bytesReceived = number
        case "cut": isCutShort = number != 0
        default: return false
        }
        return true
    }

    private mutating func readError(_ value: String) -> Bool {
        let parts = value.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, let count = Int(parts[0]) else { return false }
        errors[LoadErrorKind(rawValue: String(parts[1]))] = count
        return true
    }

    private mutating func readLatencies(_ value: String) -> Bool {
        var read = LatencyHistogram()
        for bucket in value.split(separator: " ") {
            let parts = bucket.split(separator: ":")
            guard parts.count == 2, let nanoseconds = UInt64(parts[0]), let count = UInt64(parts[1])
            else { return false }
            read.record(nanoseconds: nanoseconds, count: count)
        }
        latencies = read
        return true
    }
}
