// SPDX-License-Identifier: Apache-2.0
//
// `sluice receive`: a file from a partner, which is connected to or waited for.

import ArgumentParser
import Sluice

/// `sluice receive`.
struct ReceiveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "receive",
        abstract: "Receive a file from `sluice send`, or from any program that writes one.",
        discussion: """
            Either end may connect, and the other one waits with --listen; it prints `listening on \
            ADDRESS:PORT` when it does. It takes the first partner that comes, and nobody proves \
            who that is: listen where only friends can connect.

            A file that exists is not touched without --resume or --force. What has come stays \
            when the connection is cut, and --resume at both ends goes on behind it. Without \
            --resume the end of the connection is the end of the file: only a reset shows that it \
            was cut, or --size, without which nobody knows how much is missing, and the progress \
            has no bar.

            At the end the SHA-256 of what has come is printed as sha256sum does, to be compared \
            with the other end's; with --resume it is the whole file's. Where the file is standard \
            output, all that is printed goes to standard error.

            Exit status: 0 well, 64 wrong usage, 65 the partner has another file or does not \
            resume, or the file was changed meanwhile, 69 no partner, 70 cut short, 73 the file \
            exists or can't be made, 130 interrupted, after the report. With --json there is a \
            report whatever the status, with what went wrong as its `error`.
            """)

    @Argument(help: "The file; - is standard output.")
    var file: String

    @OptionGroup var arguments: TransferArguments

    @Flag(help: "Replace a file that exists.")
    var force = false

    @Option(
        help: ArgumentHelp(
            "How many bytes are to come; any other number is an error.", valueName: "bytes"))
    var size: Int?

    func validate() throws {
        if let size, size < 0 { throw ValidationError("--size is 0 or more") }
        if arguments.resume, size != nil {
            throw ValidationError("with --resume the partner says how much is to come, not --size")
        }
        if arguments.resume, force {
            throw ValidationError("--resume keeps what --force replaces")
        }
        if file == TransferFile.standardStream, arguments.resume || force {
            throw ValidationError("--resume and --force are for files")
        }
    }

    func run() throws {
        try reportingFaults {
            var figures = TransferFigures(direction: .receiving, file: file)
            figures.size = size
            let session = try TransferSession(arguments, figures)
            try session.run { try transfer(in: session) }
        }
    }

    private func transfer(in session: TransferSession) throws -> any Transfer {
        if file == TransferFile.standardStream { return try OutputReceiver(in: session) }
        return try FileReceiver(
            file, resumes: arguments.resume, replaces: force, in: session)
    }
}
