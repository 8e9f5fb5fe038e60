// SPDX-License-Identifier: Apache-2.0
//
// Any text as the name and the value of an option, as an encoding, a port, a services file.
// Whatever was set reads back as something that may be set.

import Sluice

private func run(_ data: [UInt8]) {
    let text = String(decoding: data, as: UTF8.self)
    let parts = text.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false)
    let (name, value) = (String(parts[0]), parts.count > 1 ? String(parts[1]) : "")
    var options = ChannelOptions()
    for name in [name, "-translation", "-encoding", "-eofchar", "-buffering", "-buffersize", "-bl"]
    {
        do throws(OptionError) {
            try options.configure(name, value)
        } catch {
            precondition(!error.description.isEmpty)
            continue
        }
        do throws(OptionError) {
            let shown = try options.configuration(of: name)
            var again = options
            try again.configure(name, shown)
            let repeated = try again.configuration(of: name)
            precondition(repeated == shown, "reads back differently")
        } catch {
            preconditionFailure("what was set can't be set again: \(error)")
        }
    }
    _ = try? TextEncoding(named: text)
    if let port = try? ServicePort.number(of: name) { precondition(port <= UInt16.max) }
    for format in [ServiceTable.Format.services, .assignedNumbers] {
        let table = ServiceTable(parsing: text, as: format)
        for entry in table.entries {
            precondition(table.port(of: entry.name, entry.transport) != nil)
        }
    }
}

/// What libFuzzer calls with each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    run(Array(UnsafeBufferPointer(start: start, count: count)))
    return 0
}
