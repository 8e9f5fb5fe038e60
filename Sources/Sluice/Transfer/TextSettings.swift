// SPDX-License-Identifier: Apache-2.0
//
// The part of a channel's text settings that somebody wants otherwise; all else is left alone.

/// Settings of a channel's text, of which those that are set replace the channel's.
///
/// They are applied as translation, encoding, end marks. Source: tcllib's transfer::connect(n).
public struct TextSettings: Hashable, Sendable {
    /// Whether every byte becomes a character of the same number, both ways, before anything else
    /// here is set, as by `TextOptions.makeBinary()` and Tcl's `-translation binary`.
    ///
    /// Initially off.
    public var isBinary = false
    /// What ends a line on input; `nil` leaves it alone.
    public var inputTranslation: LineTranslation?
    /// What is written for a line feed; `nil` leaves it alone.
    public var outputTranslation: LineTranslation?
    /// How characters become bytes; `nil` leaves it alone.
    public var encoding: TextEncoding?
    /// The character that ends the input; `nil` leaves it alone.
    public var inputEndMark: Unicode.Scalar?
    /// The character that is written when the output closes; `nil` leaves it alone.
    public var outputEndMark: Unicode.Scalar?

    /// Nothing is set.
    public init() {}

    /// Binary, and nothing else.
    public static var binary: TextSettings {
        var settings = TextSettings()
        settings.isBinary = true
        return settings
    }

    /// Changes what is set here, and leaves the rest.
    public func apply(to options: inout TextOptions) {
        if isBinary { options.makeBinary() }
        if let inputTranslation { options.inputTranslation = inputTranslation }
        if let outputTranslation { options.outputTranslation = outputTranslation }
        if let encoding { options.encoding = encoding }
        if let inputEndMark { options.inputEndMark = inputEndMark }
        if let outputEndMark { options.outputEndMark = outputEndMark }
    }
}

extension Channel {
    /// Changes what is set in `settings`, and leaves the rest of the channel's settings alone.
    func apply(_ settings: TextSettings) {
        var values = options
        settings.apply(to: &values.text)
        if values.text != options.text { options = values }
    }
}
