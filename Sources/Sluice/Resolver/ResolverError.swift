// SPDX-License-Identifier: Apache-2.0
//
// Why a name, an address or a service was not resolved.
// Names fail in other ways than sockets do, so they have an error of their own.

import CSystemCalls
import Glibc

/// Why a name did not resolve; prints as `resolve example.invalid: Name or service not known`.
public struct ResolverError: Error, Hashable, Sendable {
    /// The kinds of failure.
    ///
    /// Source: getaddrinfo(3), getnameinfo(3), gethostbyname(3); for name servers RFC 1035, 4.1.1.
    public enum Reason: Hashable, Sendable {
        /// Nobody knows the name, or it is none; for an address, it has no name (`EAI_NONAME`,
        /// `HOST_NOT_FOUND`).
        case unknownName
        /// The name exists, but has no address (`EAI_NODATA`, `NO_DATA`).
        case noAddress
        /// The name has no address of the family that was asked for (`EAI_ADDRFAMILY`).
        case noAddressOfFamily
        /// The name service failed for now; another try may work (`EAI_AGAIN`, `TRY_AGAIN`).
        case temporaryFailure
        /// The name service failed, and will again (`EAI_FAIL`, `NO_RECOVERY`).
        case permanentFailure
        /// Nobody knows the service, or not for this kind of socket; or it is no port
        /// (`EAI_SERVICE`).
        case unknownService
        /// Flags that contradict each other, or that the system does not have (`EAI_BADFLAGS`).
        case invalidFlags
        /// Names have no addresses of this family (`EAI_FAMILY`).
        case unsupportedFamily
        /// The kind of socket is unknown, or does not fit the protocol (`EAI_SOCKTYPE`).
        case unsupportedKind
        /// The name can't be written in ASCII, or the system has not learnt how
        /// (`EAI_IDN_ENCODE`). Source: RFC 5891.
        case invalidInternationalName
        /// The answer is longer than 1 MiB, or a name in it than its limit (`EAI_OVERFLOW`).
        case answerTooLong
        /// Out of memory (`EAI_MEMORY`).
        case noMemory
        /// A system call failed (`EAI_SYSTEM`, `NETDB_INTERNAL`).
        case system(ErrorCode)
        /// Too many questions wait already.
        case tooManyQuestions
        /// There was no answer within the time that the question had, or that name servers have.
        case timedOut
        /// The name server could not find the answer out (`SERVFAIL`).
        case serverFailed
        /// The name server does not answer such questions, or not to us (`REFUSED`).
        case refused
        /// The name server does not understand such questions (`NOTIMP`).
        case notImplemented
        /// What was answered can't be right: another question's answer, or none at all.
        case badAnswer
        /// No name server can be reached: nobody listens there, or no way leads there.
        case unreachable
        /// Nobody has said which name servers to ask.
        case noServers
        /// Who is asked has no such records, as the system's name service has no texts.
        case notSupported
        /// The question was given up, or its reactor has ended.
        case cancelled
        /// Any other answer, by its number.
        case other(CInt)
    }

    /// What was asked for: a name, an address or a service.
    public let name: String
    /// Why it did not resolve.
    public let reason: Reason

    /// A failure, with what was asked for.
    public init(_ name: String, _ reason: Reason) {
        self.name = name
        self.reason = reason
    }
}

extension ResolverError: CustomStringConvertible {
    /// One sentence: the name and the reason.
    public var description: String { "resolve \(name): \(reason.text)" }
}

// MARK: - C's numbers

/// Declared by the headers only for GNU programs: `EAI_IDN_ENCODE`.
private let nameIsNotEncoded: CInt = -105

extension ResolverError.Reason {
    /// What getaddrinfo(3) or getnameinfo(3) answered.
    ///
    /// - Parameter system: what it left in `errno`.
    init(code: CInt, system: ErrorCode) {
        self =
            switch code {
            case EAI_NONAME: .unknownName
            case csystem_name_has_no_data: .noAddress
            case csystem_name_has_no_such_family: .noAddressOfFamily
            case EAI_AGAIN: .temporaryFailure
            case EAI_FAIL: .permanentFailure
            case EAI_SERVICE: .unknownService
            case EAI_BADFLAGS: .invalidFlags
            case EAI_FAMILY: .unsupportedFamily
            case EAI_SOCKTYPE: .unsupportedKind
            case nameIsNotEncoded: .invalidInternationalName
            case EAI_OVERFLOW: .answerTooLong
            case EAI_MEMORY: .noMemory
            case EAI_SYSTEM: .system(system)
            default: .other(code)
            }
    }

    /// What gethostbyname(3) or gethostbyaddr(3) left in `h_errno`.
    ///
    /// - Parameter system: the number that the call returned.
    init(hostCode: CInt, system: ErrorCode) {
        self =
            switch hostCode {
            case TRY_AGAIN: .temporaryFailure
            case NO_RECOVERY: .permanentFailure
            case NO_DATA: .noAddress
            case NETDB_INTERNAL where system.rawValue == ENOMEM: .noMemory
            case NETDB_INTERNAL: .system(system)
            // `HOST_NOT_FOUND`, and a database that gives neither an entry nor a reason.
            default: .unknownName
            }
    }

    fileprivate var text: String {
        switch self {
        case .system(let code): "\(code)"
        case .answerTooLong: "The answer is too long"
        case .tooManyQuestions: "Too many questions wait already"
        case .timedOut: "No answer came in time"
        case .serverFailed: "The name server failed"
        case .refused: "The name server refuses to answer"
        case .notImplemented: "The name server does not know such questions"
        case .badAnswer: "The answer can't be right"
        case .unreachable: "No name server can be reached"
        case .noServers: "No name server is known"
        case .notSupported: "Such records can't be asked for here"
        case .cancelled: "The question was given up"
        case .other(let code): "\(String(cString: gai_strerror(code))) (\(code))"
        default: String(cString: gai_strerror(code))
        }
    }

    /// The number by which getaddrinfo(3) tells the reason; 0 for one that is ours.
    private var code: CInt {
        switch self {
        case .unknownName: EAI_NONAME
        case .noAddress: csystem_name_has_no_data
        case .noAddressOfFamily: csystem_name_has_no_such_family
        case .temporaryFailure: EAI_AGAIN
        case .permanentFailure: EAI_FAIL
        case .unknownService: EAI_SERVICE
        case .invalidFlags: EAI_BADFLAGS
        case .unsupportedFamily: EAI_FAMILY
        case .unsupportedKind: EAI_SOCKTYPE
        case .invalidInternationalName: nameIsNotEncoded
        case .answerTooLong: EAI_OVERFLOW
        case .noMemory: EAI_MEMORY
        case .system: EAI_SYSTEM
        case .other(let code): code
        case .tooManyQuestions, .timedOut, .serverFailed, .refused, .notImplemented, .badAnswer,
            .unreachable, .noServers, .notSupported, .cancelled:
            0
        }
    }
}
