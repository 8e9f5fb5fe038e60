// SPDX-License-Identifier: Apache-2.0
//
// Reading text: lines and characters, as a channel's, with a wait where a channel has none yet.

extension Connection {
    /// The next line, without its end; `nil` at the end of the input.
    ///
    /// What follows the last line end is a line, too.
    ///
    /// - Throws: ``ChannelError``, as ``Channel/readLine()``, and `.socket` with `.busy`,
    ///   `.cancelled` or `.timedOut`. Nothing of a line that is not complete is consumed then.
    public func readLine() async throws(ChannelError) -> String? {
        try beginText()
        while true {
            if let line = try channel.readLine() { return line }
            if channel.isAtEnd { return nil }
            try await waitForText()
        }
    }

    /// Exactly `count` characters, or as many as there are before the end of the input.
    ///
    /// - Throws: ``ChannelError``, as ``Channel/read(characters:)`` and ``readLine()``, and `.socket`
    ///   with `.messageTooLong` for more than ``ChannelOptions/inputLimit`` holds. What has come
    ///   stays unread then.
    public func read(characters count: Int) async throws(ChannelError) -> String {
        try beginText()
        while count > 0, try !channel.hasCharacters(count) { try await waitForText() }
        return try channel.read(characters: count)
    }

    /// Waits for text and takes what is there, up to `limit` characters: empty at the end.
    ///
    /// - Throws: ``ChannelError``, as ``readLine()``.
    public func readText(upTo limit: Int = 16_384) async throws(ChannelError) -> String {
        try beginText()
        while true {
            let text = try channel.read(characters: limit)
            if !text.isEmpty || channel.isAtEnd || limit == 0 { return text }
            try await waitForText()
        }
    }

    private func beginText() throws(ChannelError) {
        do throws(SocketError) { try refuseReader() } catch { throw .socket(error) }
    }

    @inline(never)
    private func waitForText() async throws(ChannelError) {
        do throws(SocketError) { try await waitForInput() } catch { throw .socket(error) }
    }

    /// The lines, to the end of the input.
    public nonisolated var lines: Lines { Lines(connection: self) }

    /// The lines of a connection.
    public struct Lines: AsyncSequence, AsyncIteratorProtocol, Sendable {
        /// A line.
        public typealias Element = String
        /// Why it ended early.
        public typealias Failure = ChannelError

        let connection: Connection

        /// The iterator of one reader.
        public func makeAsyncIterator() -> Lines { self }

        /// The next line; `nil` at the end of the input.
        ///
        /// - Throws: ``ChannelError``, as ``Connection/readLine()``.
        public func next(
            isolation: isolated (any Actor)?
        ) async throws(ChannelError) -> String? {
            try await connection.readLine()
        }
    }
}
