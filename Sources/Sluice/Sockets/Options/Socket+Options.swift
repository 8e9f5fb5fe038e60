// SPDX-License-Identifier: Apache-2.0
//
// Options of a socket, by typed keys and by C's numbers.
// Each answer is read as far as the kernel says that it has written, and no further.

import CSystemCalls
import Glibc

// MARK: - By keys

extension Socket {
    /// Reads an option.
    ///
    /// Source: getsockopt(2).
    ///
    /// - Throws: ``SocketError`` with operation `.getOption`, such as `.notSupported` or
    ///   `.noProtocolOption` on another kind of socket, and `.noData` for an answer that is too
    ///   short for a value.
    public func get<Value>(_ option: SocketOption<Value>) throws(SocketError) -> Value {
        try answer(option.level, option.name, option.form)
    }

    /// Reads an option that can't be set.
    ///
    /// Source: getsockopt(2).
    ///
    /// - Throws: ``SocketError`` with operation `.getOption`, such as `.notSupported` or
    ///   `.noProtocolOption` on another kind of socket, and `.noData` for an answer that is too
    ///   short for a value.
    public func get<Value>(_ option: ReadOnlySocketOption<Value>) throws(SocketError) -> Value {
        try answer(option.level, option.name, option.form)
    }

    /// Changes an option.
    ///
    /// Source: setsockopt(2).
    ///
    /// - Throws: ``SocketError`` with operation `.setOption`, such as `.noProtocolOption` or
    ///   `.notSupported` on another kind of socket, `.notPermitted`, and `.invalidArgument` for a
    ///   value out of bounds.
    public func set<Value>(_ option: SocketOption<Value>, to value: Value) throws(SocketError) {
        try store(value, option.level, option.name, option.form)
    }

    /// Changes an option that can't be read.
    ///
    /// Source: setsockopt(2).
    ///
    /// - Throws: ``SocketError`` with operation `.setOption`, such as `.noProtocolOption` or
    ///   `.notSupported` on another kind of socket, `.notPermitted`, and `.invalidArgument` for a
    ///   value out of bounds.
    public func set<Value>(
        _ option: WriteOnlySocketOption<Value>, to value: Value
    ) throws(SocketError) {
        try store(value, option.level, option.name, option.form)
    }
}

// MARK: - By keys that go one way

extension Socket {
    /// Not there: the option can only be set.
    @available(*, unavailable, message: "this option can only be set")
    public func get<Value>(_ option: WriteOnlySocketOption<Value>) throws(SocketError) -> Value {
        throw SocketError(.getOption, .notSupported)
    }

    /// Not there: the option can only be read.
    @available(*, unavailable, message: "this option can only be read")
    public func set<Value>(
        _ option: ReadOnlySocketOption<Value>, to value: Value
    ) throws(SocketError) {
        throw SocketError(.setOption, .notSupported)
    }
}

// MARK: - By numbers

extension Socket {
    /// Reads an option as an `int`, by its level and number in C.
    ///
    /// An answer of one byte counts as well. Source: getsockopt(2).
    ///
    /// - Throws: ``SocketError`` with operation `.getOption`, such as `.noProtocolOption`;
    ///   `.noData` for an answer that is too short for a number.
    public func rawOption(level: CInt, name: CInt) throws(SocketError) -> Int {
        try answer(level, name, .number)
    }

    /// Reads an option as bytes, by its level and number in C.
    ///
    /// Most options are cut without a word where there is less room than they need; some are an
    /// error then, such as `.invalidArgument`. Source: getsockopt(2).
    ///
    /// `byteCount`: how many bytes there is room for, 0 to 1 MiB. The answer may have fewer.
    ///
    /// - Throws: ``SocketError`` with operation `.getOption`, such as `.noProtocolOption`;
    ///   `.invalidArgument` for a negative count or one of more than 1 MiB.
    public func rawOption(
        level: CInt, name: CInt, upTo byteCount: Int
    ) throws(SocketError) -> [UInt8] {
        try answer(level, name, .bytes(upTo: byteCount), mayGrow: false)
    }

    /// Sets an option as an `int`, by its level and number in C.
    ///
    /// Source: setsockopt(2).
    ///
    /// - Throws: ``SocketError`` with operation `.setOption`, such as `.noProtocolOption`;
    ///   `.invalidArgument` for a number that no `int` holds.
    public func setRawOption(level: CInt, name: CInt, to value: Int) throws(SocketError) {
        if CInt(exactly: value) == nil { throw SocketError(.setOption, .invalidArgument) }
        try store(value, level, name, .number)
    }

    /// Sets an option as bytes, by its level and number in C; the program lays them out.
    ///
    /// Source: setsockopt(2).
    ///
    /// - Throws: ``SocketError`` with operation `.setOption`, such as `.noProtocolOption`;
    ///   `.invalidArgument` for more than 1 MiB.
    public func setRawOption(level: CInt, name: CInt, to bytes: [UInt8]) throws(SocketError) {
        try store(bytes, level, name, .bytes(upTo: 0))
    }
}

// MARK: - The calls

extension Socket {
    private func store<Value>(
        _ value: Value, _ level: CInt, _ name: CInt, _ form: SocketOptionForm<Value>
    ) throws(SocketError) {
        do throws(ErrorCode) {
            try form.write(value) { bytes throws(ErrorCode) in
                let limit = SocketOptionForm<Value>.byteCountLimit
                guard bytes.count <= limit else { throw .invalidArgument }
                _ = try retrying {
                    SystemCall.setOption.made {
                        setsockopt(
                            number, level, name, bytes.baseAddress, socklen_t(bytes.count))
                    }
                }
            }
        } catch {
            throw SocketError(.setOption, error)
        }
    }

    private func answer<Value>(
        _ level: CInt, _ name: CInt, _ form: SocketOptionForm<Value>, mayGrow: Bool = true
    ) throws(SocketError) -> Value {
        let limit = SocketOptionForm<Value>.byteCountLimit
        var room = form.byteCount
        guard (0...limit).contains(room) else { throw SocketError(.getOption, .invalidArgument) }
        while true {
            switch ask(level, name, room, form.read) {
            case .value(let value): return value
            case .failure(let code, let byteCount):
                // The kernel has said how much room a security context needs. Source: unix(7).
                let isLonger = code.rawValue == ERANGE && byteCount > room && byteCount <= limit
                guard isLonger, mayGrow else { throw SocketError(.getOption, code) }
                room = byteCount
            }
        }
    }

    private func ask<Value>(
        _ level: CInt, _ name: CInt, _ room: Int, _ read: (RawSpan) -> Value?
    ) -> OptionAnswer<Value> {
        withUnsafeTemporaryAllocation(byteCount: room, alignment: 8) { bytes in
            bytes.initializeMemory(as: UInt8.self, repeating: 0)
            var length = socklen_t(room)
            do throws(ErrorCode) {
                _ = try retrying {
                    SystemCall.getOption.made {
                        getsockopt(number, level, name, bytes.baseAddress, &length)
                    }
                }
            } catch {
                return .failure(error, byteCount: Int(length))
            }
            // Whatever is said to be there, no more was written than there was room for.
            let answer = UnsafeRawBufferPointer(rebasing: bytes[..<min(Int(length), room)])
            return read(answer.bytes).map { .value($0) } ?? .failure(.noData, byteCount: 0)
        }
    }
}

private enum OptionAnswer<Value> {
    case value(Value)
    case failure(ErrorCode, byteCount: Int)
}
