// SPDX-License-Identifier: Apache-2.0
//
// What a service tells its service manager, and the text of it.

internal import CSystemCalls
import Glibc

/// Something that a service tells its service manager of itself.
///
/// Source: sd_notify(3).
public enum ServiceState: Hashable, Sendable {
    /// It serves, or has read its configuration again (`READY=1`).
    case ready
    /// It reads its configuration again since now (`RELOADING=1`, with `MONOTONIC_USEC`); ``ready``
    /// ends that.
    case reloading
    /// It comes to its end (`STOPPING=1`).
    case stopping
    /// It is alive (`WATCHDOG=1`).
    case watchdog
    /// What it does, in a line for people (`STATUS=`).
    case status(String)
    /// Which process is the main one from now on (`MAINPID=`).
    case mainProcess(Int32)
    /// Why it has failed (`ERRNO=`).
    case errno(ErrorCode)
    /// Its start or end takes at least so much longer (`EXTEND_TIMEOUT_USEC=`), counted from now.
    case extendTimeout(Duration)
    /// Anything else, such as a variable of the program's own with a name that begins with `X_`.
    case field(String, String)

    /// What a worker's supervisor adds up.
    public static func figures(_ figures: WorkerFigures) -> ServiceState {
        .field(WorkerFigures.fieldName, figures.text)
    }
}

extension ServiceState {
    /// The lines of the message, without the last line's end.
    ///
    /// A line feed, a carriage return or a zero in a text would end it: it becomes a space.
    ///
    /// - Throws: ``SocketError`` with operation `.write` and `.invalidArgument` for a field whose
    ///   name is not made of letters of ASCII, digits and `_`, or is empty.
    func text() throws(SocketError) -> String {
        switch self {
        case .ready: "READY=1"
        case .reloading:
            "RELOADING=1\nMONOTONIC_USEC=\(csystem_monotonic_nanoseconds() / 1_000)"
        case .stopping: "STOPPING=1"
        case .watchdog: "WATCHDOG=1"
        case .status(let text): "STATUS=" + Self.line(text)
        case .mainProcess(let number): "MAINPID=\(number)"
        case .errno(let code): "ERRNO=\(code.rawValue)"
        case .extendTimeout(let time): "EXTEND_TIMEOUT_USEC=\(time.nanoseconds / 1_000)"
        case .field(let name, let value): try Self.name(name) + "=" + Self.line(value)
        }
    }

    private static func name(_ name: String) throws(SocketError) -> String {
        let isName = name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
        guard isName, !name.isEmpty else { throw SocketError(.write, .invalidArgument) }
        return name
    }

    private static func line(_ text: String) -> String {
        // By scalars: a carriage return and a line feed are one character.
        var line = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            line.append(scalar == "\n" || scalar == "\r" || scalar == "\0" ? " " : scalar)
        }
        return String(line)
    }
}
