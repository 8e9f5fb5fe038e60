// SPDX-License-Identifier: Apache-2.0
//
// What a supervisor hears: of its workers, and of strangers who send what workers would.

import Glibc
import Sluice
import TestSupport
import Testing

@Suite(.countingDescriptors, .serialized)
struct HearingWorkers {
    private let reactor: Reactor

    init() throws { reactor = try Reactor() }

    /// A supervisor whose worker says nothing, and the path at which it is heard.
    private func startedWithPath() throws -> (Supervisor, path: String) {
        let folder = try TemporaryFolder()
        let line = #"echo "$NOTIFY_SOCKET" > "$0"; exec sleep 60"#
        let launch = ProcessLaunch(program: "/bin/sh", arguments: ["-c", line, folder["file"]])
        let supervisor = try reactor.supervisor(1, launch: { _ in launch })
        supervisor.start()
        reactor.expectElsewhere("the worker is there") { folder.read()?.last == UInt8(ascii: "\n") }
        return (supervisor, String(decoding: (folder.read() ?? []).dropLast(), as: UTF8.self))
    }

    @Test func `messages of strangers are passed over, whatever they say`() throws {
        let (supervisor, path) = try startedWithPath()
        let address = SocketAddress.unix(path: path)
        let stranger = try Socket(family: .unix, kind: .datagram)
        let before = openDescriptorCount()
        var sent: UInt64 = 0
        for text in ["READY=1", "", "garbage", "\u{0}", String(repeating: "x", count: 5_000)] {
            _ = try stranger.send(Array(text.utf8), to: address)
            sent += 1
            reactor.expect("it is passed over") { supervisor.ignoredMessageCount == sent }
        }
        // One with a descriptor in it.
        let file = try stranger.duplicate().release()
        _ = try stranger.send(Array("READY=1".utf8).span.bytes, passing: file, to: address)
        reactor.expect("it is passed over") { supervisor.ignoredMessageCount == sent + 1 }
        #expect(openDescriptorCount() == before + 1)
        // And many, which the reactor takes in turns.
        let (taken, isOver) = (Tally(), Flag())
        let flood = OtherThread {
            let client = ServiceNotifier(to: address)
            for _ in 0..<1_000 {
                // A message that finds no room is none.
                if (try? client.notify(.ready)) != nil { taken.add(1) }
            }
            isOver.set()
        }
        reactor.expectElsewhere("all are passed over") {
            isOver.isSet && supervisor.ignoredMessageCount == sent + 1 + UInt64(taken.value)
        }
        flood.join()
        #expect(supervisor.workers.map(\.state) == [.starting])
        supervisor.endAtOnce()
        reactor.expect("it ends") { supervisor.result != nil }
        _ = file.number
    }

    @Test func `nobody else of this machine can send to it, and no file is left`() throws {
        let (supervisor, file) = try startedWithPath()
        let end = try #require(file.lastIndex(of: "/"))
        var found = stat()
        #expect(stat(String(file[..<end]), &found) == 0)
        #expect(found.st_mode & 0o7777 == 0o700)
        supervisor.endAtOnce()
        reactor.expect("it ends") { supervisor.result != nil }
        #expect(stat(String(file[..<end]), &found) != 0)
    }

    @Test func `workers are not silent where the supervisor did not listen`() throws {
        let supervisor = try reactor.supervisor(
            2, { $0.watchdog = .milliseconds(800) },
            launch: { _ in PythonWorker.launch("one", "feed") })
        let record = SupervisorRecord(of: supervisor)
        reactor.start(supervisor)
        // Longer than the watchdog: the reactor's thread stands still.
        reactor.haveTurn { usleep(2_000_000) }
        reactor.settle()
        #expect(record.ends.isEmpty)
        #expect(supervisor.isWhole(2))
        supervisor.drain()
        reactor.expect("all workers have ended") { supervisor.result?.exitStatus == 0 }
    }

    @Test func `workers are heard while others are started`() throws {
        let folder = try TemporaryFolder()
        // More than the kernel keeps for the supervisor, each noted in a file when it has gone.
        let script = """
            import os, socket, sys, time
            inbox = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            inbox.connect(os.environ["NOTIFY_SOCKET"])
            with open(sys.argv[1], "wb", buffering=0) as notes:
                for _ in range(20):
                    inbox.send(b"STATUS=one of many")
                    notes.write(b".")
            time.sleep(60)
            """
        let talker = ProcessLaunch(
            program: "/usr/bin/env", arguments: ["python3", "-S", "-c", script, folder["file"]])
        let supervisor = try reactor.supervisor(
            3,
            launch: { slot in
                if slot == 0 { return talker }
                let deadline = ContinuousClock.now + .seconds(20)
                while (folder.read()?.count ?? 0) < 10 * slot, ContinuousClock.now < deadline {
                    letTimePass(.milliseconds(1))
                }
                #expect(folder.read()?.count ?? 0 >= 10 * slot, "\(slot)")
                return PythonWorker.launch()
            })
        supervisor.start()
        supervisor.endAtOnce()
        reactor.expect("it ends") { supervisor.result != nil }
    }

    @Test func `the last words of a worker are heard, also behind its end`() throws {
        // Both are there before the reactor looks.
        let supervisor = try reactor.supervisor(
            1, launch: { _ in PythonWorker.launch("one", "telling") })
        let record = SupervisorRecord(of: supervisor)
        reactor.start(supervisor, 1)
        let process = try #require(supervisor.workers[0].processID)
        reactor.haveTurn {
            kill(process, SIGTERM)
            var end = siginfo_t()
            waitid(P_PID, id_t(process), &end, WEXITED | WNOWAIT)
        }
        reactor.expect("its end is told") { record.ends.contains { $0.process == process } }
        #expect(supervisor.figures.accepted == 77)
        supervisor.drain()
        reactor.expect("all workers have ended") { supervisor.result?.exitStatus == 0 }
    }

    @Test func `figures are added up, and those of ended workers stay`() throws {
        let supervisor = try reactor.supervisor(
            2, launch: { _ in PythonWorker.launch("one", "figures") })
        reactor.start(supervisor)
        var figures = WorkerFigures()
        figures.connections = 2
        figures.accepted = 20
        figures.refused = 4
        figures.bytesReceived = 600
        figures.bytesSent = 800
        reactor.expect("they are told") { supervisor.figures == figures }
        #expect(supervisor.workers.allSatisfy { $0.figures.accepted == 10 })
        supervisor.drain()
        reactor.expect("all workers have ended") { supervisor.result?.exitStatus == 0 }
        figures.connections = 0
        #expect(supervisor.figures == figures)
    }
}
