// SPDX-License-Identifier: Apache-2.0
//
// One scenario with every system call failing in turn, in every way that is plausible for it:
// nothing traps, nothing hangs, nothing leaks, and what went wrong is told.

import TestSupport
import Testing

@testable import Sluice

/// Connects, echoes 100 KB, half-closes and drains; everything on one reactor.
private final class Scenario {
    static let byteCount = 100_000

    /// What was told of failures: thrown, given as a verdict, or noticed by the reactor.
    private(set) var told: [String] = []
    /// How each channel ended, each in its own list.
    private(set) var clientEnds: [EndReason] = []
    private(set) var serverEnds: [[EndReason]] = []
    private(set) var verdictCount = 0
    private(set) var received = 0
    private(set) var drained: [Int] = []
    private(set) var hangs = false
    private(set) weak var reactor: Reactor?

    var isComplete: Bool {
        received == Self.byteCount && clientEnds == [.finished] && drained == [0]
    }

    /// The ends that say that something went wrong.
    var badEnds: [EndReason] {
        (clientEnds + serverEnds.joined()).filter { $0 != .local && $0 != .finished }
    }

    func play() {
        do { try perform() } catch { told.append("thrown: \(error)") }
    }

    private func perform() throws {
        let reactor = try Reactor()
        self.reactor = reactor
        reactor.onError = { [unowned self] error, _ in told.append("notice: \(error)") }
        let server = try Server(on: reactor, at: [.loopback(port: 0)]) { [unowned self] in
            serve($0, $1)
        }
        defer { server.close() }
        try Client(on: reactor).connect(to: server.addresses[0]) { [unowned self] verdict in
            verdictCount += 1
            switch verdict {
            case .success(let channel): use(channel, server)
            case .failure(let error):
                told.append("verdict: \(error)")
                drain(server)
            }
        }
        let guardian = reactor.after(.seconds(5)) { [unowned self, unowned reactor] in
            hangs = true
            reactor.stop()
        }
        reactor.run(until: { !drained.isEmpty && serverEnds.allSatisfy { !$0.isEmpty } })
        guardian.cancel()
        reactor.settle(passes: 3)
    }

    private func serve(_ channel: Channel, _: SocketAddress) {
        let number = serverEnds.count
        serverEnds.append([])
        channel.onClose { [unowned self] _, reason in serverEnds[number].append(reason) }
        channel.onBytes { channel, bytes in try channel.write(bytes) }
        channel.onInputEnd { $0.close() }
    }

    private func use(_ channel: Channel, _ server: Server) {
        channel.onClose { [unowned self] _, reason in
            clientEnds.append(reason)
            drain(server)
        }
        channel.onBytes { [unowned self] _, bytes in received += bytes.byteCount }
        do {
            try channel.write(pattern(Self.byteCount))
            try channel.closeWriting()
        } catch {
            told.append("write: \(error)")
            channel.close()
        }
    }

    private func drain(_ server: Server) {
        server.drain(within: .seconds(60)) { [unowned self] in drained.append($0) }
    }
}

extension SystemCall {
    /// How this call may fail on a healthy machine; `wouldBlock` only where waiting is an answer.
    fileprivate var plausibleFailures: [ErrorCode] {
        switch self {
        case .createSocket, .createEvent, .createTimer:
            [.tooManyOpenFiles, .tooManyOpenFilesInSystem, .noMemory, .interrupted]
        case .accept:
            [
                .tooManyOpenFiles, .tooManyOpenFilesInSystem, .noMemory, .noBufferSpace,
                .connectionAborted, .interrupted, .wouldBlock,
            ]
        case .bind: [.addressInUse, .noMemory]
        case .listen: [.addressInUse]
        case .connect: [.connectionRefused, .networkUnreachable, .addressNotAvailable, .timedOut]
        case .localName, .setOption, .getOption: [.noBufferSpace, .noMemory]
        case .open: [.tooManyOpenFiles, .noEntry]
        case .send, .sendVector:
            [
                .connectionReset, .brokenPipe, .noMemory, .noBufferSpace, .timedOut, .interrupted,
                .wouldBlock,
            ]
        case .receive: [.connectionReset, .timedOut, .noMemory, .interrupted, .wouldBlock]
        default: []
        }
    }
}

@Suite(.countingDescriptors)
struct Torture {
    /// The calls of the scenario when nothing fails.
    private func calls() -> [SystemCall] {
        var calls: [SystemCall] = []
        let note = { (call: SystemCall) -> SystemCall.Answer? in
            if call != .close { calls.append(call) }
            return nil
        }
        SystemCall.intercepting(note) { Scenario().play() }
        return calls
    }

    /// Plays with one call failing, if it is of the kind that is expected.
    ///
    /// - Returns: whether it was.
    private func play(
        _ scenario: Scenario, failing number: Int, _ kind: SystemCall, with code: ErrorCode
    ) -> Bool {
        var count = 0
        var hasFailed = false
        let fail = { (call: SystemCall) -> SystemCall.Answer? in
            if call != .close { count += 1 }
            guard count == number, call == kind else { return nil }
            hasFailed = true
            return .failure(code)
        }
        SystemCall.intercepting(fail) { scenario.play() }
        return hasFailed
    }

    @Test func `the scenario completes when nothing fails`() {
        let scenario = Scenario()
        scenario.play()
        #expect(scenario.isComplete)
        #expect(scenario.told.isEmpty)
        #expect(scenario.badEnds.isEmpty)
        #expect(scenario.serverEnds == [[.finished]])
        #expect(scenario.reactor == nil)
    }

    @Test func `whichever call fails, nothing hangs or leaks and the failure is told`() {
        let calls = calls()
        #expect(calls.count > 20)
        var failures = 0
        for (index, call) in calls.enumerated() {
            for code in call.plausibleFailures {
                let before = openDescriptorCount()
                let scenario = Scenario()
                // Where the kernel cuts the stream otherwise, another call may have this number.
                guard play(scenario, failing: index + 1, call, with: code) else { continue }
                failures += 1
                let what = Comment("call \(index + 1), \(call), \(code): \(scenario.summary)")
                #expect(!scenario.hangs, what)
                #expect(openDescriptorCount() == before, what)
                #expect(scenario.reactor == nil, what)
                #expect(scenario.verdictCount <= 1, what)
                #expect(scenario.clientEnds.count <= 1, what)
                #expect(scenario.serverEnds.allSatisfy { $0.count == 1 }, what)
                #expect(scenario.told.count <= 1, what)
                if !scenario.isComplete {
                    #expect(scenario.told.count + scenario.badEnds.count >= 1, what)
                }
            }
        }
        #expect(failures > 30)
    }
}

extension Scenario {
    var summary: String {
        "told \(told), client \(clientEnds), server \(serverEnds), received \(received), "
            + "drained \(drained)"
    }
}
