// SPDX-License-Identifier: Apache-2.0
//
// A channel's options by name and text, as scripts and configuration files have them.
// The typed forms are `options`, `get` and `set`; these do the same.

extension Channel {
    /// Every option with its value.
    ///
    /// Reading `-error` takes the error, as ``takeError()``; reading `-peername` and `-sockname`
    /// looks the host's name up, see ``SocketName/hostName()``.
    ///
    /// - Throws: ``OptionError``: `.socket` when the kernel refuses one.
    public func configuration() throws(OptionError) -> [NamedOption] {
        var result: [NamedOption] = []
        for option in knownOptions {
            result.append(NamedOption(name: option.rawValue, value: try value(of: option)))
        }
        return result
    }

    /// The value of one option, whose name may be shortened while it is unique.
    ///
    /// - Throws: ``OptionError``: `.unknownOption`, or `.socket` when the kernel refuses.
    public func configuration(of name: String) throws(OptionError) -> String {
        try value(of: OptionName(name, among: knownOptions))
    }

    /// Changes one option, whose name may be shortened while it is unique.
    ///
    /// - Throws: ``OptionError``; the option is then as it was.
    public func configure(_ name: String, _ value: String) throws(OptionError) {
        let option = try OptionName(name, among: knownOptions)
        guard status != .closed, status != .closing else {
            throw .socket(SocketError(.setOption, .badDescriptor, at: peerAddress))
        }
        if isCopySource || isCopySink {
            throw .socket(SocketError(.setOption, .busy, at: peerAddress))
        }
        try set(option, to: value)
    }

    /// Changes options from left to right; what comes before one that fails is changed.
    ///
    /// - Throws: ``OptionError``, as ``configure(_:_:)``.
    public func configure(_ pairs: KeyValuePairs<String, String>) throws(OptionError) {
        for pair in pairs { try configure(pair.key, pair.value) }
    }

    private var knownOptions: [OptionName] {
        // A Unix socket has no segments to delay and no silence to probe.
        peerAddress.ipAddress == nil
            ? OptionName.allCases.filter { $0 != .keepAlive && $0 != .noDelay }
            : OptionName.allCases
    }
}

// MARK: - Reading

extension Channel {
    private func value(of option: OptionName) throws(OptionError) -> String {
        if let value = options.value(of: option) { return value }
        switch option {
        case .connecting: return status == .connecting ? "1" : "0"
        case .error: return takeError().map { "\($0.code)" } ?? ""
        case .keepAlive: return try truth(of: .keepAlive)
        case .noDelay: return try truth(of: .noDelay)
        case .peerName: return status == .connecting ? "" : SocketName(peerAddress).text
        case .localName:
            if status == .connecting { return "" }
            do throws(SocketError) {
                return SocketName(try localAddress).text
            } catch {
                throw .socket(error)
            }
        default: return ""
        }
    }

    private func truth(of option: SocketOption<Bool>) throws(OptionError) -> String {
        do throws(SocketError) {
            return try get(option) ? "1" : "0"
        } catch {
            throw .socket(error)
        }
    }
}

// MARK: - Changing

extension Channel {
    private func set(_ option: OptionName, to value: String) throws(OptionError) {
        switch option {
        case .keepAlive: try set(.keepAlive, try option.truth(value))
        case .noDelay: try set(.noDelay, try option.truth(value))
        case .connecting, .error, .peerName, .localName: throw .readOnly(option.rawValue)
        default: try options.set(option, to: value)
        }
    }

    private func set(_ option: SocketOption<Bool>, _ value: Bool) throws(OptionError) {
        do throws(SocketError) {
            try set(option, to: value)
        } catch {
            throw .socket(error)
        }
    }
}
