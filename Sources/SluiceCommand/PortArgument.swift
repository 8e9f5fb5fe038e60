// SPDX-License-Identifier: Apache-2.0
//
// A port on the command line: a number, or the name of a service.

import ArgumentParser
import Sluice

/// A port on the command line.
///
/// What it stands for is asked when the protocol is known: a few names have another port for each.
struct PortArgument: ExpressibleByArgument, Hashable {
    private let text: String

    init(_ port: UInt16) { text = "\(port)" }

    init(argument: String) { text = argument }

    /// The port's number.
    ///
    /// - Throws: `ValidationError` for what is neither a port nor a service.
    func number(_ transport: String = "tcp") throws -> UInt16 {
        do throws(PortError) {
            return try ServicePort.number(of: text, transport)
        } catch {
            throw ValidationError("\(error)")
        }
    }

    var defaultValueDescription: String { text }
}
