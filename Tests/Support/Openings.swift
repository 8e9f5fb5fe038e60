// SPDX-License-Identifier: Apache-2.0
//
// Ways to open a connector's channel that are none of the library's: with a handshake before the
// channel is given, at once, never, too late, or not at all.

public import Sluice

/// Exchanges a word with the partner before the channel is given; a stand-in for TLS.
///
/// It is set up once, and serves any number of connectors.
public final class WordOpening: ConnectorOpening {
    /// What a partner with another word is refused with.
    public enum Refusal: Error, Equatable {
        /// It has said this.
        case wrongWord(String?)
    }

    private let word: String
    private let changesText: Bool
    /// How many channels it was asked for.
    public private(set) var count = 0
    /// How many exchanges were given up.
    public private(set) var cancelled = 0

    /// An opening for partners that know a word.
    ///
    /// - Parameter changesText: leaves the channel with an encoding and an end mark of its own.
    public init(_ word: String, changesText: Bool = false) {
        self.word = word
        self.changesText = changesText
    }

    /// Connects, and exchanges words.
    public func connect(
        to endpoint: Endpoint, on reactor: Reactor, options: ClientOptions,
        _ completion: @escaping Completion
    ) throws -> Cancellation {
        count += 1
        let exchange = Exchange(word, changesText, completion)
        let cancel = try PlainOpening().connect(to: endpoint, on: reactor, options: options) {
            exchange.begin($0)
        }
        return ending(exchange, cancel)
    }

    /// Exchanges words with who has connected.
    public func accept(
        _ socket: consuming Socket, from peer: SocketAddress, on reactor: Reactor,
        options: ChannelOptions, _ completion: @escaping Completion
    ) throws -> Cancellation {
        count += 1
        let exchange = Exchange(word, changesText, completion)
        let cancel = try PlainOpening().accept(socket, from: peer, on: reactor, options: options) {
            exchange.begin($0)
        }
        return ending(exchange, cancel)
    }

    private func ending(
        _ exchange: Exchange, _ cancel: @escaping Cancellation
    ) -> Cancellation {
        { [self] in
            cancelled += 1
            cancel()
            exchange.channel?.abort()
            exchange.channel = nil
        }
    }

    /// One exchange of words.
    private final class Exchange {
        private let word: String
        private let changesText: Bool
        private let completion: Completion
        var channel: Channel?

        init(_ word: String, _ changesText: Bool, _ completion: @escaping Completion) {
            self.word = word
            self.changesText = changesText
            self.completion = completion
        }

        func begin(_ result: Result<Channel, any Error>) {
            do {
                let channel = try result.get()
                self.channel = channel
                try channel.writeLine(word)
                channel.onReadable { [self] channel in
                    let line = try channel.readLine()
                    if line != nil || channel.isAtEnd { end(channel, line) }
                }
            } catch {
                completion(.failure(error))
            }
        }

        private func end(_ channel: Channel, _ line: String?) {
            self.channel = nil
            channel.onReadable(nil)
            if line == word {
                if changesText {
                    channel.options.text.encoding = .latin1
                    channel.options.text.inputEndMark = "!"
                }
                return completion(.success(channel))
            }
            channel.close()
            completion(.failure(Refusal.wrongWord(line)))
        }
    }
}

/// Keeps what it has to open, and gives no answer until it is told to.
public final class SlowOpening: ConnectorOpening {
    private var completion: Completion?
    private var channel: Channel?
    /// How often it was asked.
    public private(set) var asked = 0
    /// How often it was given up.
    public private(set) var cancelled = 0
    /// Called within the call that asks, before it returns.
    public var whileAsked: () -> Void = {}

    /// One that was not asked yet.
    public init() {}

    /// Waits.
    public func connect(
        to endpoint: Endpoint, on reactor: Reactor, options: ClientOptions,
        _ completion: @escaping Completion
    ) throws -> Cancellation {
        var pair = try Socket.makePair()
        let socket = try Socket.taken(from: &pair.first)
        return try keep(Channel(adopting: socket, on: reactor), completion)
    }

    /// Waits.
    public func accept(
        _ socket: consuming Socket, from peer: SocketAddress, on reactor: Reactor,
        options: ChannelOptions, _ completion: @escaping Completion
    ) throws -> Cancellation {
        try keep(Channel(adopting: socket, on: reactor, options: options), completion)
    }

    private func keep(
        _ channel: Channel, _ completion: @escaping Completion
    ) throws -> Cancellation {
        asked += 1
        self.channel = channel
        self.completion = completion
        whileAsked()
        // It keeps the channel, as one that learns too late that nobody waits.
        return { [self] in cancelled += 1 }
    }

    /// Gives its channel.
    ///
    /// - Returns: the channel.
    @discardableResult
    public func finish() -> Channel? {
        guard let channel = channel.take(), let completion = completion.take() else { return nil }
        completion(.success(channel))
        return channel
    }

    /// Closes what it has opened.
    public func close() {
        channel?.abort()
        channel = nil
        completion = nil
    }
}

/// Has an answer before the call that asks for it returns.
public struct PromptOpening: ConnectorOpening, Sendable {
    /// What its answer is.
    public enum Answer: Sendable {
        /// An open channel.
        case channel
        /// An error that the completion is called with.
        case error(any Error)
        /// An error that is thrown.
        case thrown(any Error)
    }

    private let answer: Answer

    /// One with this answer.
    public init(_ answer: Answer) { self.answer = answer }

    /// Answers.
    public func connect(
        to endpoint: Endpoint, on reactor: Reactor, options: ClientOptions,
        _ completion: @escaping Completion
    ) throws -> Cancellation {
        var pair = try Socket.makePair()
        return try give(try .taken(from: &pair.first), reactor, completion)
    }

    /// Answers.
    public func accept(
        _ socket: consuming Socket, from peer: SocketAddress, on reactor: Reactor,
        options: ChannelOptions, _ completion: @escaping Completion
    ) throws -> Cancellation {
        try give(socket, reactor, completion)
    }

    private func give(
        _ socket: consuming Socket, _ reactor: Reactor, _ completion: @escaping Completion
    ) throws -> Cancellation {
        switch answer {
        case .channel: completion(.success(try Channel(adopting: socket, on: reactor)))
        case .error(let error): completion(.failure(error))
        case .thrown(let error): throw error
        }
        return {}
    }
}
