// SPDX-License-Identifier: Apache-2.0
//
// What a person writes on the command line: times, targets, shares.

import ArgumentParser
import SluiceLoad
import Testing

@testable import SluiceCommand

extension CommandSuite {
    struct ReadingOptions {
        @Test(arguments: [
            ("500ms", Duration.milliseconds(500)), ("10s", .seconds(10)), ("2m", .seconds(120)),
            ("1.5", .milliseconds(1_500)), ("250us", .microseconds(250)), ("0", .zero),
            ("1h", .seconds(3_600)),
        ])
        func `a time is a number and a unit, or seconds`(text: String, duration: Duration) {
            #expect(DurationArgument(argument: text)?.duration == duration)
        }

        @Test(arguments: ["", "s", "-1s", "1.2.3", "10 s", "5d", "1e3", ".5s", "5.", "99999999999"])
        func `anything else is not a time`(text: String) {
            #expect(DurationArgument(argument: text) == nil)
        }

        @Test(arguments: [
            (Duration.zero, "0s"), (.milliseconds(1_500), "1500ms"), (.seconds(10), "10s"),
            (.seconds(120), "2m"), (.microseconds(250), "250us"),
        ])
        func `a time is shown in its largest whole unit`(duration: Duration, text: String) {
            #expect(DurationArgument.text(of: duration) == text)
        }

        @Test(arguments: [
            "tcp://127.0.0.1:80", "tcp://[::1]:80", "tcp://example.org:65535", "unix:/run/a b",
            "udp://127.0.0.1:80", "udp://[::1]:80", "udp://example.org:65535",
        ])
        func `a target reads back as it was written`(text: String) {
            #expect(LoadTarget(text)?.description == text)
            #expect(LoadTarget(text)?.usesDatagrams == text.hasPrefix("udp"))
        }

        @Test(arguments: [
            "", "127.0.0.1:80", "tcp://", "tcp://:80", "tcp://host", "tcp://host:0",
            "tcp://host:65536", "tcp://host:+80", "tcp://::1:80", "tcp://[host]:80", "tcp://[::1]",
            "tcp://a/b:80", "tcp://host:klingon", "unix:", "udp://", "udp://host", "udp://host:0",
            "sctp://host:80",
        ])
        func `anything else is not a target`(text: String) {
            #expect(LoadTarget(text) == nil)
        }

        @Test(arguments: ["", "1", "2/2", "-1/2", "0/0", "a/b", "0/2/3"])
        func `a share is one of its count`(text: String) {
            #expect(Share(argument: text) == nil)
            #expect(Share(argument: "1/2") == Share(index: 1, count: 2))
        }

        @Test(arguments: [
            ["load"], ["load", "nowhere"], ["load", "tcp://h:1", "--connections", "0"],
            ["load", "tcp://h:1", "--duration", "soon"], ["load", "tcp://h:1", "--rate", "0"],
            ["load", "tcp://h:1", "--hold", "--churn"],
            ["load", "tcp://h:1", "--max-error-rate", "2"],
            ["load", "tcp://h:1", "--processes", "101"], ["load", "tcp://h:1", "--workers", "0"],
            ["load", "tcp://h:1", "--processes", "2", "--workers", "2"],
            ["load", "tcp://h:1", "--observe", "-1"],
            ["serve"], ["serve", "gopher"], ["serve", "echo", "--port", "65536"],
            ["serve", "echo", "--backlog", "0"], ["serve", "echo", "--style", "loud"],
            ["serve", "echo", "--workers", "0"], ["serve", "time", "--style", "lines"],
            ["serve", "echo", "--encoding", "utf-8"],
            ["serve", "echo", "--style", "lines", "--encoding", "klingon"],
            ["connect", "h", "1", "--translation", "cr lf crlf"],
            ["connect", "h", "1", "--encoding", "klingon"],
            ["connect", "h", "1", "--end-mark", "ab"],
            ["load", "udp://h:1", "--size", "7"], ["load", "udp://h:1", "--size", "65508"],
            ["load", "udp://h:1", "--hold"], ["load", "udp://h:1", "--churn"],
            ["load", "udp://h:1", "--receive"], ["load", "udp://h:1", "--datagram-timeout", "0"],
            ["load", "tcp://h:1", "--datagram-timeout", "1s"],
            ["serve", "echo", "--udp", "--style", "async"],
            ["serve", "echo", "--udp", "--style", "lines"],
            ["serve", "echo", "--udp", "--max-connections", "1"],
            ["serve", "echo", "--udp", "--idle-timeout", "1s"],
            ["serve", "echo", "--udp", "--backlog", "1"],
            ["serve", "echo", "--udp", "--drain", "1s"],
            ["serve", "echo", "--udp", "--encoding", "utf-8"],
            ["connect", "--udp"], ["connect", "--udp", "h", "1", "--keep-open"],
            ["connect", "--udp", "h", "1", "--encoding", "utf-8"],
            ["connect", "h", "1", "--wait", "1s"],
            ["connect"], ["connect", "host"], ["connect", "host", "0"], ["dance"],
        ])
        func `wrong usage is refused with status 64`(arguments: [String]) {
            #expect {
                _ = try RootCommand.parseAsRoot(arguments)
            } throws: {
                RootCommand.exitCode(for: $0).rawValue == 64
            }
        }
    }
}
