// SPDX-License-Identifier: Apache-2.0
//
// How text is written on a connection, as a person says it: the names are those of Tcl's
// fconfigure.

import ArgumentParser
import Sluice
import SluiceText

/// The options that make a connection one of text.
struct TextArguments: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The encoding on the wire, such as utf-8 or shiftjis.", valueName: "name"))
    var encoding: String?

    @Option(
        help: ArgumentHelp(
            "The line ends on the wire: auto, cr, crlf, lf or binary; one for each direction may be "
                + "given, as 'auto crlf'. Standard input is UTF-8 text then, and binary is one byte "
                + "a character.", valueName: "translation"))
    var translation: String?

    @Option(
        help: ArgumentHelp(
            "A character that ends the input, and is sent at the end.", valueName: "character"))
    var endMark: String?

    /// Whether any of them is given.
    var areGiven: Bool { encoding != nil || translation != nil || endMark != nil }

    func validate() throws {
        _ = try text()
    }

    /// The settings that they describe.
    ///
    /// - Throws: `ValidationError` for a value that is none.
    func text() throws -> TextOptions {
        do throws(OptionError) {
            // As with Tcl, binary translation is overridden by an encoding that is named as well.
            var options = ChannelOptions()
            if let translation { try options.configure("-translation", translation) }
            if let encoding { try options.configure("-encoding", encoding) }
            if let endMark { try options.configure("-eofchar", endMark) }
            return options.text
        } catch {
            throw ValidationError("\(error)")
        }
    }
}
