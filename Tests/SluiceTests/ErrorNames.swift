// SPDX-License-Identifier: Apache-2.0
//
// What an error says: the operation, the address and the system's answer.
// Every call is interrupted and failed on purpose, so each says which one it was.

import Glibc
import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct ErrorNames {
    // MARK: Text

    // P6
    @Test func `an error with an address prints as one sentence`() {
        let error = SocketError(.connect, .connectionRefused, at: .loopback(port: 9))
        #expect("\(error)" == "connect 127.0.0.1:9: Connection refused")
    }

    @Test func `an error without an address prints as one sentence`() {
        #expect("\(SocketError(.read, .connectionReset))" == "read: Connection reset by peer")
    }

    @Test(arguments: [
        (SocketError.Operation.accept, "accept"), (.bind, "bind"), (.close, "close"),
        (.connect, "connect"), (.create, "create"),
        (.getOption, "get option"), (.setOption, "set option"), (.listen, "listen"),
        (.name, "name"), (.perform, "perform"), (.read, "read"),
        (.shutDown, "shut down"), (.watch, "watch"), (.write, "write"),
    ])
    func `every operation has its words`(operation: SocketError.Operation, words: String) {
        let error = SocketError(operation, .timedOut)
        #expect("\(error)" == "\(words): Connection timed out")
    }

    @Test func `a number without a name still prints`() {
        #expect("\(ErrorCode(rawValue: 4_711))" == "Error 4711")
    }

    @Test func `errors are equal when operation, code and address are`() {
        let error = SocketError(.bind, .addressInUse, at: .loopback(port: 1))
        #expect(error == SocketError(.bind, .addressInUse, at: .loopback(port: 1)))
        #expect(error != SocketError(.listen, .addressInUse, at: .loopback(port: 1)))
        #expect(error != SocketError(.bind, .permissionDenied, at: .loopback(port: 1)))
        #expect(error != SocketError(.bind, .addressInUse, at: .loopback(port: 2)))
        #expect(error != SocketError(.bind, .addressInUse))
    }

    // P6, N35
    @Test(arguments: [
        (ErrorCode.addressInUse, EADDRINUSE), (.addressNotAvailable, EADDRNOTAVAIL),
        (.addressFamilyNotSupported, EAFNOSUPPORT), (.alreadyInProgress, EALREADY),
        (.badDescriptor, EBADF), (.brokenPipe, EPIPE), (.busy, EBUSY), (.cancelled, ECANCELED),
        (.connectionAborted, ECONNABORTED), (.connectionRefused, ECONNREFUSED),
        (.connectionReset, ECONNRESET), (.exists, EEXIST), (.hostUnreachable, EHOSTUNREACH),
        (.inProgress, EINPROGRESS), (.interrupted, EINTR), (.invalidArgument, EINVAL),
        (.isConnected, EISCONN), (.messageTooLong, EMSGSIZE), (.nameTooLong, ENAMETOOLONG),
        (.networkUnreachable, ENETUNREACH), (.noBufferSpace, ENOBUFS), (.noEntry, ENOENT),
        (.noMemory, ENOMEM), (.noProtocolOption, ENOPROTOOPT), (.notConnected, ENOTCONN),
        (.notSocket, ENOTSOCK), (.notSupported, EOPNOTSUPP), (.notPermitted, EPERM),
        (.permissionDenied, EACCES), (.shutDown, ESHUTDOWN), (.timedOut, ETIMEDOUT),
        (.tooManyOpenFiles, EMFILE), (.tooManyOpenFilesInSystem, ENFILE), (.wouldBlock, EAGAIN),
        (.wouldBlock, EWOULDBLOCK),
    ])
    func `every named code stands for its number`(code: ErrorCode, number: CInt) {
        #expect(code.rawValue == number)
    }

    // MARK: Interruptions

    // N35
    @Test(arguments: [
        SystemCall.createSocket, .setOption, .getOption, .bind, .listen, .accept, .send, .receive,
        .unreadCount, .shutdown, .pair, .createEvent, .createTimer,
    ])
    func `a call that a signal interrupts is made again`(call: SystemCall) throws {
        let calls = Box(0)
        let interceptor: SystemCall.Interceptor = { made in
            guard made == call else { return nil }
            calls.value += 1
            return calls.value <= 3 ? .failure(.interrupted) : nil
        }
        try SystemCall.intercepting(interceptor, exchange)
        #expect(calls.value > 3)
    }

    @Test func `an interrupted connect goes on in the background`() throws {
        let listener = try Socket.listening()
        let address = try listener.localAddress
        let client = try Socket(for: address)
        let calls = Box(0)
        let interceptor: SystemCall.Interceptor = { call in
            guard call == .connect else { return nil }
            calls.value += 1
            return .failure(.interrupted)
        }
        let result = try SystemCall.intercepting(interceptor) { try client.connect(to: address) }
        #expect(result == .inProgress)
        #expect(calls.value == 1)
    }

    // MARK: Failures

    @Test(arguments: [
        (SystemCall.createSocket, SocketError.Operation.create), (.setOption, .setOption),
        (.getOption, .getOption), (.bind, .bind), (.listen, .listen), (.localName, .name),
        (.peerName, .name), (.connect, .connect), (.accept, .accept), (.send, .write),
        (.receive, .read), (.unreadCount, .read), (.shutdown, .shutDown), (.pair, .create),
        (.createEvent, .create), (.createTimer, .create),
    ])
    func `a call that fails is told by its operation`(
        call: SystemCall, operation: SocketError.Operation
    ) {
        let error = #expect(throws: SocketError.self) {
            let interceptor: SystemCall.Interceptor = { $0 == call ? .failure(.noMemory) : nil }
            try SystemCall.intercepting(interceptor, exchange)
        }
        #expect(error?.operation == operation)
        #expect(error?.code == .noMemory)
    }

    @Test func `a failed bind names the local address`() throws {
        let listener = try Socket.listening()
        let address = try listener.localAddress
        let second = try Socket(for: address)
        #expect(throws: SocketError(.bind, .addressInUse, at: address)) {
            try second.bind(to: address)
        }
    }

    @Test func `a refused connect names the address`() throws {
        let name = SocketAddress.abstract(name: Array("sluice: nobody listens here".utf8))
        let client = try Socket(for: name)
        #expect(throws: SocketError(.connect, .connectionRefused, at: name)) {
            _ = try client.connect(to: name)
        }
    }

    @Test func `a socket that can't be had names the address it was for`() {
        let address = SocketAddress.loopback(port: 7)
        #expect(throws: SocketError(.create, .tooManyOpenFiles, at: address)) {
            let interceptor: SystemCall.Interceptor = { call in
                call == .createSocket ? .failure(.tooManyOpenFiles) : nil
            }
            try SystemCall.intercepting(interceptor) { _ = try Socket(for: address) }
        }
    }

    @Test func `the system's answer is read before anything can overwrite it`() {
        #expect(throws: SocketError(.listen, .addressInUse, at: .unnamed)) {
            _ = try retrying(.listen, at: addressThatDisturbs()) { () -> CInt in
                errno = EADDRINUSE
                return -1
            }
        }
    }
}

/// An address whose making leaves another number in `errno`.
private func addressThatDisturbs() -> SocketAddress {
    errno = EPERM
    return .unnamed
}

/// Makes every call of the socket layer at least once.
private func exchange() throws {
    let listener = try Socket.listening()
    try listener.set(.reuseAddress, to: true)
    _ = try listener.get(.isListening)
    let address = try listener.localAddress
    let client = try Socket(for: address)
    _ = try client.connect(to: address)
    _ = try client.peerAddress
    guard let accepted = try listener.accept() else {
        Issue.record("nobody waits to be accepted")
        return
    }
    let bytes: [UInt8] = [1, 2, 3]
    _ = try client.send(bytes.span.bytes)
    _ = try accepted.socket.unreadByteCount
    var storage = [UInt8](repeating: 0, count: 8)
    var span = storage.mutableSpan
    var free = span.mutableBytes
    let read = try accepted.socket.receive(into: &free)
    #expect(read == .bytes(3))
    try client.shutDown(.writing)
    _ = try Socket.makePair()
    _ = try Reactor()
}
