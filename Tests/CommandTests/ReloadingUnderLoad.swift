// SPDX-License-Identifier: Apache-2.0
//
// The reload benchmark, small: workers are replaced and killed under load, and its end on a signal.

import Foundation
import Glibc
import Sluice
import TestSupport
import Testing

extension CommandSuite {
    struct ReloadingUnderLoad {
        private func start(seconds: String) throws -> CommandProcess {
            let folder = CommandProcess.sluice.dropLast("sluice".count)
            let size = ["--workers", "2", "--kept", "40", "--rate", "100"]
            let length = ["--reloads", "4", "--kills", "2", "--seconds", seconds, "--json"]
            return try CommandProcess("\(folder)ReloadBenchmark", size + length)
        }

        @Test func `reloads lose nothing, and a kill only what the killed worker had`() throws {
            let benchmark = try start(seconds: "0.5")
            let (end, output) = try benchmark.finish()
            // How long a restart takes on a machine that others use, too, is no matter here.
            #expect(end == .exited(0) || end == .exited(99), "\(benchmark.errors.text)")
            let report = try JSONDecoder().decode(Report.self, from: Data(output.utf8))
            #expect(report.phases.map(\.name) == ["quiet", "reloads", "kills"])
            for phase in report.phases {
                let name = Comment(rawValue: phase.name)
                #expect(phase.made >= 40, name)
                #expect(phase.messages == phase.answered + phase.lost, name)
                #expect(phase.refused == 0 && phase.foreign == 0, name)
                #expect(phase.wrong == 0 && phase.unbegun == 0, name)
            }
            for phase in report.phases.prefix(2) {
                #expect(phase.reset == 0 && phase.ended == 0 && phase.lost == 0, "\(phase.name)")
            }
            let reloads = try #require(report.phases.dropFirst().first)
            #expect(reloads.reconnected >= 4 * 40)
            let killing = try #require(report.phases.last)
            #expect(report.kills.count == 2)
            #expect(killing.keptCut >= report.kills.reduce(0) { $0 + $1.kept })
            #expect(report.kills.allSatisfy { $0.milliseconds > 0 })
        }

        @Test func `a signal ends it with status 130, and all its processes`() throws {
            let benchmark = try start(seconds: "3600")
            _ = try benchmark.line(with: "quiet")
            let list = try CommandProcess(
                shell: "cat /proc/\(benchmark.pid)/task/\(benchmark.pid)/children")
            let children = try list.finish().output.split(whereSeparator: \.isWhitespace)
                .compactMap { pid_t($0) }
            #expect(children.count == 3)
            benchmark.send(SIGTERM)
            #expect(try benchmark.finish().end == .exited(130))
            #expect(children.allSatisfy { kill($0, 0) != 0 })
        }
    }
}

/// What the benchmark prints.
private struct Report: Decodable {
    let phases: [Phase]
    let kills: [Kill]

    struct Phase: Decodable {
        let name: String
        let made, reconnected, messages, answered: Int
        let refused, reset, ended, lost, wrong, unbegun, foreign, keptCut: Int

        enum CodingKeys: String, CodingKey {
            case name, made, reconnected, messages, answered
            case refused, reset, ended, lost, wrong, unbegun, foreign
            case keptCut = "kept_cut"
        }
    }

    struct Kill: Decodable {
        let kept: Int
        let milliseconds: Double
    }
}
