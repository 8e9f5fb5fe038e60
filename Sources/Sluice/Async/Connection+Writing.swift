// SPDX-License-Identifier: Apache-2.0
//
// Writing, with back-pressure: whoever writes above the high mark, or while the reactor has no room
// for more, waits.

extension Connection {
    /// Writes bytes without waiting: they leave at the end of the turn, or when the kernel takes
    /// them.
    ///
    /// - Returns: whether the queue is above the high mark: ``flush()`` or ``waitForRoom()`` before
    ///   more is written.
    /// - Throws: ``SocketError``, as ``Channel/write(_:)-(RawSpan)``.
    @discardableResult
    public func write(_ bytes: RawSpan) throws(SocketError) -> WriteResult {
        try channel.write(bytes)
    }

    /// Writes bytes; waits while the queue is above the high mark, and beforehand for as long as
    /// ``BufferLimit/Policy/pause`` refuses them.
    ///
    /// - Throws: ``SocketError``, as ``Channel/write(_:)-(RawSpan)``, or with `.cancelled` or
    ///   `.timedOut`: what was written goes out all the same. Where the wait beforehand ends so,
    ///   it is `.noBufferSpace`, and nothing was written.
    public func write(_ bytes: [UInt8]) async throws(SocketError) {
        while true {
            do throws(SocketError) {
                if try channel.write(bytes) == .aboveMark { try await waitForRoom() }
                return
            } catch {
                try await waitAfterRefusal(error)
            }
        }
    }

    /// Passes descriptors to the process at the other end, with the first of the bytes; waits while
    /// the queue is above the high mark.
    ///
    /// What ``Reactor/bufferLimit`` refuses is not waited for: its descriptors are closed.
    ///
    /// - Throws: ``SocketError``, as ``Channel/write(_:passing:)``, or with `.cancelled` or
    ///   `.timedOut`: what was written goes out all the same.
    public func write(
        _ bytes: [UInt8], passing descriptors: consuming DescriptorList
    ) async throws(SocketError) {
        if try channel.write(bytes, passing: descriptors) == .aboveMark { try await waitForRoom() }
    }

    /// Writes text; waits as ``write(_:)-([UInt8])``.
    ///
    /// - Throws: ``ChannelError``, as ``Channel/write(_:)-(String)``, or `.socket` as
    ///   ``write(_:)-([UInt8])``.
    public func write(_ text: String) async throws(ChannelError) {
        while true {
            do throws(ChannelError) {
                if try channel.write(text) == .aboveMark { try await waitAfterText() }
                return
            } catch {
                try await waitAfterRefusal(error)
            }
        }
    }

    /// Writes text and a line end; waits as ``write(_:)-([UInt8])``.
    ///
    /// - Throws: ``ChannelError``, as ``write(_:)-(String)``.
    public func writeLine(_ text: String = "") async throws(ChannelError) {
        while true {
            do throws(ChannelError) {
                if try channel.writeLine(text) == .aboveMark { try await waitAfterText() }
                return
            } catch {
                try await waitAfterRefusal(error)
            }
        }
    }

    private func waitAfterText() async throws(ChannelError) {
        do throws(SocketError) { try await waitForRoom() } catch { throw .socket(error) }
    }

    /// Waits until what the reactor's limit has refused is taken.
    ///
    /// - Throws: what was thrown, where it is no such refusal or the wait ends before.
    @inline(never)
    private func waitAfterRefusal(_ refusal: SocketError) async throws(SocketError) {
        guard refusal.code == .noBufferSpace, channel.isRefusedByLimit else { throw refusal }
        do throws(SocketError) { try await waitForRoom() } catch { throw refusal }
    }

    private func waitAfterRefusal(_ refusal: ChannelError) async throws(ChannelError) {
        guard case .socket(let cause) = refusal else { throw refusal }
        do throws(SocketError) { try await waitAfterRefusal(cause) } catch { throw refusal }
    }

    /// Waits until the kernel has taken everything that was written.
    ///
    /// - Throws: ``SocketError`` with operation `.write`, as ``write(_:)-([UInt8])``, and with
    ///   `.badDescriptor` where the connection has ended meanwhile and some of it was dropped.
    public func flush() async throws(SocketError) {
        try channel.flush()
        let end = channel.counters.bytesSent &+ UInt64(channel.unsentByteCount)
        try await wait(for: .room, .write) { channel.isDue }
        try channel.throwPendingError()
        let hasEnded = channel.status == .closed || channel.status == .failed
        if hasEnded, channel.counters.bytesSent < end {
            throw SocketError(.write, .badDescriptor, at: peerAddress)
        }
    }
}

// MARK: - Ending

extension Connection {
    /// Closes: what was written still goes out, within ``ChannelOptions/lingerLimit``.
    ///
    /// Waits that are under way fail. Closing again does nothing.
    public func close() { channel.close() }

    /// Cuts the connection: what was not sent is dropped, and the peer sees a reset.
    public func abort() { channel.abort() }

    /// Sends what was written, then ends the writing side: the peer meets the end of its input.
    ///
    /// - Throws: ``SocketError``, as ``Channel/closeWriting()``.
    public func closeWriting() throws(SocketError) { try channel.closeWriting() }

    /// Ends the reading side: what was not consumed is dropped, and nothing more is read.
    ///
    /// - Throws: ``SocketError``, as ``Channel/closeReading()``.
    public func closeReading() throws(SocketError) { try channel.closeReading() }
}
