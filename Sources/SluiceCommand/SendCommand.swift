// SPDX-License-Identifier: Apache-2.0
//
// `sluice send`: a file to a partner, which is connected to or waited for.

import ArgumentParser
import Sluice

/// `sluice send`.
struct SendCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "send",
        abstract: "Send a file to `sluice receive`, or to any program that reads a connection.",
        discussion: """
            Either end may connect, and the other one waits with --listen; it prints `listening on \
            ADDRESS:PORT` when it does. The bytes of the file are all that is sent, so netcat or \
            Tcl's transfer::receiver may be at the other end. It takes the first partner that \
            comes, and nobody proves who that is: listen where only friends can connect.

            At the end the SHA-256 of what was sent is printed as sha256sum does, to be compared \
            with the other end's.

            With --resume at both ends the partner first says how many bytes it has, and their \
            SHA-256; where those are the file's own first bytes the rest is sent, and the checksum \
            is the whole file's.

            Exit status: 0 well, 64 wrong usage, 65 the partner has another file or does not \
            resume, or the file was changed meanwhile, 66 the file can't be read, 69 no partner, \
            70 cut short, 130 interrupted, after the report. With --json there is a report \
            whatever the status, with what went wrong as its `error`.
            """)

    @Argument(help: "The file; - is standard input.")
    var file: String

    @OptionGroup var arguments: TransferArguments

    @Option(help: ArgumentHelp("Begin behind so many bytes of the file.", valueName: "bytes"))
    var offset: Int?

    func validate() throws {
        if let offset, offset < 0 { throw ValidationError("--offset is 0 or more") }
        if arguments.resume, offset != nil {
            throw ValidationError("with --resume the partner says where to begin, not --offset")
        }
        if file == TransferFile.standardStream, arguments.resume || offset != nil {
            throw ValidationError("--resume and --offset are for files")
        }
    }

    func run() throws {
        try reportingFaults {
            let session = try TransferSession(
                arguments, TransferFigures(direction: .sending, file: file))
            try session.run { try transfer(in: session) }
        }
    }

    private func transfer(in session: TransferSession) throws -> any Transfer {
        if file == TransferFile.standardStream { return try InputSender(in: session) }
        return try FileSender(file, from: offset ?? 0, resumes: arguments.resume, in: session)
    }
}
