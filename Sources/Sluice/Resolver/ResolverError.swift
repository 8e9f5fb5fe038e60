// SPDX-License-Identifier: Apache-2.0
//
// Why a name has no addresses.
// Names fail in other ways than sockets do, so they have an error of their own.

import CSystemCalls
import Glibc

/// Why a name did not resolve; prints as `resolve example.invalid: Name or service not known`.
public struct ResolverError: Error, Hashable, Sendable {
    /// The kinds of failure.
    ///
    /// Source: getaddrinfo(3).
    public enum Reason: Hashable, Sendable {
        /// Nobody knows the name.
        case unknownName
        /// The name exists, but has no address of this kind.
        case noAddress
        /// The name service failed for now; another try may work.
        case temporaryFailure
        /// Too many questions wait already.
        case tooManyQuestions
        /// Any other answer, by its number.
        case other(CInt)
    }

    /// The name that was asked for.
    public let name: String
    /// Why it has no addresses.
    public let reason: Reason

    init(_ name: String, _ reason: Reason) {
        self.name = name
        self.reason = reason
    }

    init(_ name: String, code: CInt) {
        self.name = name
        reason =
            switch code {
            case EAI_NONAME: .unknownName
            case csystem_name_has_no_data, csystem_name_has_no_such_family: .noAddress
            case EAI_AGAIN: .temporaryFailure
            default: .other(code)
            }
    }
}

extension ResolverError: CustomStringConvertible {
    /// One sentence: the name and the reason.
    public var description: String {
        let text =
            switch reason {
            case .unknownName: "Name or service not known"
            case .noAddress: "No address associated with hostname"
            case .temporaryFailure: "Temporary failure in name resolution"
            case .tooManyQuestions: "Too many questions wait already"
            case .other(let code): String(cString: gai_strerror(code))
            }
        return "resolve \(name): \(text)"
    }
}
