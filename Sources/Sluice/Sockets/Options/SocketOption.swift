// SPDX-License-Identifier: Apache-2.0
//
// Typed keys for the options of a socket: the key fixes the type of the value and its storage.
// What can only be read, or only be set, has a type of its own: the compiler refuses the rest.

/// A key for an option of a socket that can be read and changed, with the type of its value.
///
/// The options that servers and clients meet have keys by name, such as `.noDelay`. A program makes
/// a key for any other: `SocketOption<Int>(level: 6, name: 44, form: .number)`.
public struct SocketOption<Value: Sendable>: Sendable {
    /// Whose option it is, as in C: `SOL_SOCKET`, or the number of a protocol.
    public let level: CInt
    /// The option's number, as in C.
    public let name: CInt
    /// How the kernel stores the value.
    public let form: SocketOptionForm<Value>

    /// A key for the option that C knows by level and name.
    ///
    /// Another form than the kernel's is not noticed: the value is another one then.
    public init(level: CInt, name: CInt, form: SocketOptionForm<Value>) {
        self.init(level, name, form)
    }

    init(_ level: CInt, _ name: CInt, _ form: SocketOptionForm<Value>) {
        self.level = level
        self.name = name
        self.form = form
    }
}

/// A key for an option of a socket that can only be read, with the type of its value.
public struct ReadOnlySocketOption<Value: Sendable>: Sendable {
    /// Whose option it is, as in C: `SOL_SOCKET`, or the number of a protocol.
    public let level: CInt
    /// The option's number, as in C.
    public let name: CInt
    /// How the kernel stores the value.
    public let form: SocketOptionForm<Value>

    /// A key for the option that C knows by level and name.
    public init(level: CInt, name: CInt, form: SocketOptionForm<Value>) {
        self.init(level, name, form)
    }

    init(_ level: CInt, _ name: CInt, _ form: SocketOptionForm<Value>) {
        self.level = level
        self.name = name
        self.form = form
    }
}

/// A key for an option of a socket that can only be set, with the type of its value.
public struct WriteOnlySocketOption<Value: Sendable>: Sendable {
    /// Whose option it is, as in C: `SOL_SOCKET`, or the number of a protocol.
    public let level: CInt
    /// The option's number, as in C.
    public let name: CInt
    /// How the kernel stores the value.
    public let form: SocketOptionForm<Value>

    /// A key for the option that C knows by level and name.
    public init(level: CInt, name: CInt, form: SocketOptionForm<Value>) {
        self.init(level, name, form)
    }

    init(_ level: CInt, _ name: CInt, _ form: SocketOptionForm<Value>) {
        self.level = level
        self.name = name
        self.form = form
    }
}
