// SPDX-License-Identifier: Apache-2.0
//
// The words and variables of a program to be started, laid out for C before the fork: a child of a
// process with threads may allocate nothing.

internal import CSystemCalls
import Glibc

/// The arguments and the environment of a program to be started, as C has them.
struct LaunchWords: ~Copyable {
    private let program: UnsafeMutablePointer<CChar>?
    /// Each ends with `nil`.
    private var arguments: [UnsafeMutablePointer<CChar>?]
    private var environment: [UnsafeMutablePointer<CChar>?]
    /// Where the child writes its number, into one of the variables.
    private var ownNumber: UnsafeMutablePointer<CChar>?
    private let launch: ProcessLaunch

    /// - Parameters:
    ///   - names: those of the sockets that are passed.
    ///   - variables: what the environment has besides, where `nil` takes a variable away.
    /// - Throws: ``SocketError`` with operation `.launch` and `.invalidArgument` for what C's
    ///   strings can't hold.
    init(
        _ launch: ProcessLaunch, _ names: [String], _ variables: [String: String?]
    ) throws(SocketError) {
        var changes: [String: String?] = launch.environment
        for (name, value) in variables { changes.updateValue(value, forKey: name) }
        let count = names.count
        let list = names.map { $0.isEmpty ? "unknown" : $0 }.joined(separator: ":")
        changes.updateValue(nil, forKey: Self.ownNumberName)
        changes.updateValue(count == 0 ? nil : "\(count)", forKey: "LISTEN_FDS")
        changes.updateValue(count == 0 ? nil : list, forKey: "LISTEN_FDNAMES")
        try Self.check(launch, changes)
        self.launch = launch
        program = strdup(launch.program)
        let isThisProgram = launch.program == ProcessLaunch().program
        let name = isThisProgram ? CommandLine.arguments.first : nil
        arguments = ([name ?? launch.program] + launch.arguments).map { strdup($0) } + [nil]
        environment = Self.inherited(without: changes)
        for (name, value) in changes.sorted(by: { $0.key < $1.key }) {
            if let value { environment.append(strdup("\(name)=\(value)")) }
        }
        if count > 0 {
            // Room for every number, and a zero.
            let variable = strdup(Self.ownNumberName + "=" + String(repeating: " ", count: 12))
            environment.append(variable)
            ownNumber = variable.map { $0 + Self.ownNumberName.utf8.count + 1 }
        }
        environment.append(nil)
    }

    deinit {
        free(program)
        for word in arguments { free(word) }
        for variable in environment { free(variable) }
    }

    private static let ownNumberName = "LISTEN_PID"

    private static func check(
        _ launch: ProcessLaunch, _ changes: [String: String?]
    ) throws(SocketError) {
        let words = [launch.program] + launch.arguments + changes.values.compactMap(\.self)
        let areNames = changes.keys.allSatisfy { name in
            !name.isEmpty && !name.utf8.contains { $0 == 0 || $0 == UInt8(ascii: "=") }
        }
        guard areNames, words.allSatisfy({ !$0.utf8.contains(0) }) else {
            throw SocketError(.launch, .invalidArgument)
        }
    }

    /// The variables of this process that are not changed, whatever their bytes are.
    private static func inherited(
        without changes: [String: String?]
    ) -> [UnsafeMutablePointer<CChar>?] {
        var kept: [UnsafeMutablePointer<CChar>?] = []
        guard var place = csystem_environment() else { return kept }
        while let variable = place.pointee {
            let name = String(cString: variable).prefix { $0 != "=" }
            if changes[String(name)] == nil { kept.append(strdup(variable)) }
            place += 1
        }
        return kept
    }

    /// Starts the program.
    ///
    /// - Returns: the number of its process, which nobody has waited for.
    /// - Throws: ``SocketError`` with operation `.launch`.
    consuming func spawn(passing numbers: [CInt]) throws(SocketError) -> Int32 {
        var numbers = numbers
        let result = numbers.withUnsafeMutableBufferPointer { numbers in
            arguments.withUnsafeBufferPointer { arguments in
                environment.withUnsafeBufferPointer { environment in
                    var order = csystem_launch()
                    order.program = UnsafePointer(program)
                    order.arguments = arguments.baseAddress
                    order.environment = environment.baseAddress
                    order.own_number = ownNumber
                    order.files = numbers.baseAddress
                    order.file_count = CInt(numbers.count)
                    order.ends_with_parent = launch.endsWithParent ? 1 : 0
                    order.has_own_group = launch.hasOwnGroup ? 1 : 0
                    return SystemCall.spawn.made { csystem_spawn(&order) }
                }
            }
        }
        if result < 0 { throw SocketError(.launch, ErrorCode.last) }
        return result
    }
}
