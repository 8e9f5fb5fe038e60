// SPDX-License-Identifier: Apache-2.0
//
// What c-ares calls in place of the system: sockets are opened, watched and closed here, and each
// answer is checked before it is handed on.

import CCares
import CSystemCalls
import Glibc
import Sluice

/// What a call in the system's place comes to: a number as the system's call returns it, and the
/// code that goes into `errno` beside -1.
private typealias CallResult = (count: Int, code: ErrorCode)

extension ServerChannel {
    fileprivate func open(_ family: CInt, _ kind: CInt) -> CallResult {
        lastSerial += 1
        do throws(SocketError) {
            let socket = try QuestionSocket(
                AddressFamily(rawValue: family), SocketKind(rawValue: kind), serial: lastSerial)
            let number = socket.socket.number
            sockets[number] = socket
            if socket.isStream { counters.connectionsOpened += 1 }
            return (Int(number), .success)
        } catch {
            socketFailure = error.code
            return (-1, error.code)
        }
    }

    fileprivate func close(_ number: CInt) -> CallResult {
        // The watch first: the number may be another file's at once.
        sockets[number]?.stopWatching()
        return sockets.removeValue(forKey: number) == nil ? (-1, .badDescriptor) : (0, .success)
    }

    fileprivate func connect(_ number: CInt, to address: SocketAddress) -> CallResult {
        guard let socket = sockets[number] else { return (-1, .badDescriptor) }
        let server = servers.first { $0.isSamePlace(as: address) } ?? address
        socket.server = server
        switch socket.socket.connectCode(to: server) {
        case .success: return (0, .success)
        // An interrupted connect goes on in the background, like one in progress.
        case .interrupted: return (-1, .inProgress)
        case let code: return (-1, code)
        }
    }

    fileprivate func watch(_ number: CInt, for interest: Interest) {
        // Also at the end of the reactor, which is not asked for anything then.
        if interest.isEmpty {
            sockets[number]?.stopWatching()
            return
        }
        do throws(SocketError) {
            try sockets[number]?.watch(for: interest, on: reactor) { [weak self] ready in
                self?.isReady(number, ready)
            }
        } catch {
            // No answer is seen there: the time of whatever is sent over it runs out.
            socketFailure = error.code
        }
    }
}

// MARK: - Sending

extension ServerChannel {
    fileprivate func send(_ pieces: UnsafeBufferPointer<iovec>, on number: CInt) -> CallResult {
        guard let socket = sockets[number] else { return (-1, .badDescriptor) }
        let bytes = pieces.flatMap { piece in
            UnsafeRawBufferPointer(start: piece.iov_base, count: piece.iov_len)
        }
        if socket.isStream {
            // A connection that is dead without a word would cost each question its time.
            if socket.isSilent(for: firstTimeout) { return (-1, .connectionReset) }
            socket.noteSending()
        } else {
            noteQuestion(bytes, on: socket)
        }
        let result = send(bytes, on: socket)
        guard result.code == .connectionRefused, !socket.isStream else { return result }
        // The kernel tells of an earlier datagram, and only once: whose question that was would wait
        // in vain. This one's own refusal is told to who reads, and to all that are asked there.
        return send(bytes, on: socket)
    }

    private func send(_ bytes: [UInt8], on socket: QuestionSocket) -> CallResult {
        do throws(SocketError) {
            switch try socket.socket.send(bytes) {
            case .bytes(let count): return (count, .success)
            case .wouldBlock where socket.isStream: return (-1, .wouldBlock)
            // As good as lost, and sent again in time; c-ares would take the server for dead.
            case .wouldBlock: return (bytes.count, .success)
            }
        } catch {
            let isFull = error.code == .noBufferSpace && !socket.isStream
            return isFull ? (bytes.count, .success) : (-1, error.code)
        }
    }

    /// Notes which question leaves over which socket: an answer counts only there.
    private func noteQuestion(_ bytes: [UInt8], on socket: QuestionSocket) {
        counters.datagramsSent += 1
        guard bytes.count >= 2 else { return }
        let question = questions[UInt16(bytes[0]) << 8 | UInt16(bytes[1])]
        if question?.sockets.contains(socket.serial) == false {
            question?.sockets.append(socket.serial)
        }
    }
}

// MARK: - Receiving

extension ServerChannel {
    fileprivate func receive(
        _ room: UnsafeMutableRawBufferPointer, on number: CInt
    ) -> (count: Int, code: ErrorCode, server: SocketAddress?) {
        guard let socket = sockets[number] else { return (-1, .badDescriptor, nil) }
        do throws(SocketError) {
            let count =
                if socket.isStream {
                    try socket.read(into: room) { verdict(onFrame: $0, on: socket) }
                } else {
                    try receiveDatagram(room, on: socket)
                }
            if let count { return (count, .success, socket.server) }
            // Byte by byte a frame may never become whole.
            let isSilent = socket.isStream && socket.isSilent(for: firstTimeout)
            return (-1, isSilent ? .connectionReset : .wouldBlock, nil)
        } catch {
            return (-1, error.code, nil)
        }
    }

    /// Takes datagrams until one is an answer; the others are left out.
    ///
    /// - Returns: `nil` where none is there, or enough were looked at for this turn.
    private func receiveDatagram(
        _ room: UnsafeMutableRawBufferPointer, on socket: QuestionSocket
    ) throws(SocketError) -> Int? {
        while socket.budget > 0 {
            var span = room.mutableBytes
            // Its length is told whole, also where it is cut.
            switch try socket.socket.receive(into: &span, flags: .truncated) {
            case .wouldBlock: return nil
            case .endOfStream:
                // A datagram of no bytes.
                socket.charge(0)
                counters.malformed += 1
            case .bytes(let count):
                socket.charge(count)
                let bytes = Array(room.prefix(count))
                let verdict = verdict(on: bytes, byteCount: count, from: socket)
                guard case .answer(let message) = verdict else { continue }
                let answer = message.bytesForAres
                guard answer.count <= room.count else { continue }
                room.copyBytes(from: answer)
                return answer.count
            }
        }
        return nil
    }

    /// Whoever sends a frame that is no message won't have others behind it.
    private func verdict(
        onFrame bytes: [UInt8], on socket: QuestionSocket
    ) -> QuestionSocket.FrameVerdict {
        switch verdict(on: bytes, byteCount: bytes.count, from: socket) {
        case .answer(let message): .pass(message.bytesForAres)
        case .refused(.malformed, _): .endStream
        case .refused: .leaveOut
        }
    }

    /// Whether bytes answer a question that was asked there; what they say is noted beside it.
    private func verdict(
        on bytes: [UInt8], byteCount: Int, from socket: QuestionSocket
    ) -> AnswerCheck.Verdict {
        let verdict = AnswerCheck.verdict(
            on: bytes, byteCount: byteCount, isDatagram: !socket.isStream
        ) { id in
            guard let asked = questions[id] else { return nil }
            // c-ares keeps what it sends over a stream; nobody else speaks there.
            if socket.isStream { return (asked.question, 65_535) }
            guard asked.sockets.contains(socket.serial) else { return nil }
            return (asked.question, asked.byteLimit)
        }
        switch verdict {
        case .refused(let fault, let id):
            counters.count(fault)
            if let id { questions[id]?.hasBadAnswer = true }
        case .answer(let message):
            counters.answers += 1
            if message.isTruncated, !socket.isStream { counters.truncated += 1 }
            if message.code == .notUnderstood, !message.hasOptions,
                questions[message.id]?.hasOptions == true
            {
                plainUntil = .now + Self.plainTime
            }
            questions[message.id]?.message = message
            questions[message.id]?.server = socket.server
            if socket.server == servers.first { questions[message.id]?.hasHeardFirst = true }
        }
        return verdict
    }
}

extension NameServerCounters {
    fileprivate mutating func count(_ fault: AnswerCheck.Fault) {
        switch fault {
        case .wrongID: wrongIDs += 1
        case .wrongQuestion: wrongQuestions += 1
        case .malformed: malformed += 1
        case .oversized: oversized += 1
        }
    }
}

// MARK: - C's side

/// The functions that c-ares calls.
///
/// Each gets the channel as its context: it is whole for as long as c-ares is, see
/// ``ServerChannel/end()``. `errno` is set last of all, so that nothing writes over it.
enum SocketHooks {
    static var functions: ares_socket_functions {
        ares_socket_functions(
            asocket: { family, kind, _, context in
                CInt(told(channel(context)?.open(family, kind)))
            },
            aclose: { number, context in CInt(told(channel(context)?.close(number))) },
            aconnect: { number, address, length, context in
                guard let address else { return CInt(told(nil)) }
                let bytes = Array(UnsafeRawBufferPointer(start: address, count: Int(length)))
                let place = SocketAddress(kernelBytes: bytes)
                return CInt(told(channel(context)?.connect(number, to: place)))
            },
            arecvfrom: { number, room, count, _, sender, length, context in
                let room = UnsafeMutableRawBufferPointer(start: room, count: count)
                let result = channel(context)?.receive(room, on: number)
                if let sender, let length, let bytes = result?.server?.kernelBytes {
                    let count = min(Int(length.pointee), bytes.count)
                    UnsafeMutableRawPointer(sender).copyMemory(from: bytes, byteCount: count)
                    length.pointee = ares_socklen_t(count)
                }
                return told(result.map { ($0.count, $0.code) })
            },
            asendv: { number, pieces, count, context in
                let pieces = UnsafeBufferPointer(start: pieces, count: Int(count))
                return told(channel(context)?.send(pieces, on: number))
            })
    }

    static let watch: ares_sock_state_cb = { context, number, readable, writable in
        var interest = Interest()
        if readable != 0 { interest.insert(.readable) }
        if writable != 0 { interest.insert(.writable) }
        channel(context)?.watch(number, for: interest)
    }
}

// Free functions, since C calls what captures nothing, not even a type.

private func channel(_ context: UnsafeMutableRawPointer?) -> ServerChannel? {
    context.map { Unmanaged<ServerChannel>.fromOpaque($0).takeUnretainedValue() }
}

private func told(_ result: CallResult?) -> Int {
    guard let result else {
        errno = EINVAL
        return -1
    }
    if result.count < 0 { errno = result.code.rawValue }
    return result.count
}

extension SocketAddress {
    /// Whether it is the same IP address and port; c-ares knows nothing of the interface of a
    /// link-local address.
    fileprivate func isSamePlace(as other: SocketAddress) -> Bool {
        guard let mine = ipAddress, let theirs = other.ipAddress else { return false }
        return mine.packed == theirs.packed && port == other.port
    }
}
