// SPDX-License-Identifier: Apache-2.0
//
// Our side of a talk by lines, in each way that a channel can be read and written.
// It says its lines and hears the peer's to the end, in the order that both have agreed on.

import Sluice
import TestSupport
import Testing

/// How our side of a connection is used.
enum Manner: Int, CaseIterable, Sendable {
    /// On a reactor: `readLine` whenever there is something to read.
    case polled
    /// On a reactor: lines come by themselves.
    case pushed
    /// On a reactor, and blocking: every call waits, and no handler runs.
    case waiting
    /// Without a reactor: every call waits.
    case alone

    /// The same options, blocking where the manner is.
    func options(_ options: ChannelOptions) -> ChannelOptions {
        var options = options
        options.isBlocking = self == .waiting || self == .alone
        return options
    }
}

/// Who says all it has to say before the other side begins.
enum First: Sendable {
    case ours
    case theirs
    /// Neither waits for the other.
    case both
}

/// Our side of a connection.
final class Talk {
    private let channel: Channel
    private let lines: [String]
    private let first: First
    /// What the peer has said so far.
    private(set) var heard: [String] = []
    /// Whether both sides have said all.
    private(set) var isOver = false

    init(_ channel: Channel, _ lines: [String], first: First) {
        self.channel = channel
        self.lines = lines
        self.first = first
    }

    /// Talks to the end, with calls that wait.
    func waitingForEach() throws {
        if first != .theirs { try say() }
        while let line = try channel.readLine() { heard.append(line) }
        if first == .theirs { try say() }
        channel.close()
        isOver = true
    }

    /// Talks in the turns of the channel's reactor, or to the end where the manner is to wait.
    func start(_ manner: Manner) throws {
        if manner == .waiting {
            // It is due at once, and never has its turn.
            let timer = try channel.reactor.after(.zero) { wrongly() }
            defer { timer.cancel() }
            return try waitingForEach()
        }
        channel.onClose { [weak self] _, _ in self?.isOver = true }
        if manner == .polled {
            channel.onReadable { [unowned self] channel in
                while let line = try channel.readLine() { heard.append(line) }
                if channel.isAtEnd { try heardAll() }
            }
        } else {
            channel.onLine { [unowned self] _, line in heard.append(line) }
            channel.onInputEnd { [unowned self] _ in try heardAll() }
        }
        if first != .theirs { try say() }
    }

    private func heardAll() throws {
        channel.onReadable(nil)
        if first == .theirs { try say() }
        channel.close()
    }

    private func say() throws {
        for line in lines { try channel.writeLine(line) }
        try channel.closeWriting()
    }
}

extension ChannelOptions {
    /// Options given by name and text, as Tcl has them.
    init(translation: String, encoding: String) throws {
        self.init()
        try configure("-translation", translation)
        try configure("-encoding", encoding)
        // Where the wrong end is looked for, all lines are one.
        text.lineLimit = 8_388_608
    }
}
