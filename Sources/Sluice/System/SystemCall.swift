// SPDX-License-Identifier: Apache-2.0
//
// The table of the system calls that the library makes: each goes through one place here.
// A test may answer for the system, on its own thread, so that every failure can be forced.

import CSystemCalls
import Glibc
import Synchronization

/// One of the system calls that the library makes.
package enum SystemCall: String, CaseIterable, Sendable {
    case accept, bind, changeMode, close, connect, createEvent, createSocket, createTimer, duplicate
    case getDescriptorFlags, getOption, listen, localName, open, openProcess, pair, peerName
    case poll, read, readAt, receive, receiveMessage, receiveMessages, send, sendFile, sendMessage
    case sendMessages, sendVector, setDescriptorFlags, setHostName, setOption, setTimer, shutdown
    case spawn, stopBlocking, unlink, unreadCount, watch, write

    /// What a test lets the system answer.
    package enum Answer: Sendable {
        /// The call fails with this code and is not made.
        case failure(ErrorCode)
        /// The call is made with at most this many bytes.
        case atMost(Int)
    }

    /// Asked before each call; `nil` lets it through.
    package typealias Interceptor = (SystemCall) -> Answer?

    /// Lets `interceptor` answer for the system while `body` runs, for calls of this thread only.
    package static func intercepting<Result, Failure: Error>(
        _ interceptor: @escaping Interceptor, _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let box = InterceptorBox(interceptor)
        let outer = pthread_getspecific(interceptorKey)
        pthread_setspecific(interceptorKey, Unmanaged.passUnretained(box).toOpaque())
        interceptorCount.add(1, ordering: .relaxed)
        defer {
            interceptorCount.subtract(1, ordering: .relaxed)
            pthread_setspecific(interceptorKey, outer)
            withExtendedLifetime(box) {}
        }
        return try body()
    }

    /// Makes the call, unless a test answers for it.
    @inline(__always)
    func made<Number: SignedInteger>(_ call: () -> Number) -> Number {
        if interceptorCount.load(ordering: .relaxed) == 0 { return call() }
        if case .failure(let code) = askInterceptor() {
            errno = code.rawValue
            return -1
        }
        return call()
    }

    /// Makes a call that moves bytes, unless a test answers for it or makes it smaller.
    @inline(__always)
    func made(upTo count: Int, _ call: (Int) -> Int) -> Int {
        if interceptorCount.load(ordering: .relaxed) == 0 { return call(count) }
        switch askInterceptor() {
        case .failure(let code):
            errno = code.rawValue
            return -1
        case .atMost(let limit): return call(min(limit, count))
        case nil: return call(count)
        }
    }

    private func askInterceptor() -> Answer? {
        guard let pointer = pthread_getspecific(interceptorKey) else { return nil }
        // The box lives until `intercepting` has put the outer pointer back on this same thread.
        return Unmanaged<InterceptorBox>.fromOpaque(pointer).takeUnretainedValue().interceptor(self)
    }
}

/// How many interceptors there are on all threads: none, but in tests.
private let interceptorCount = Atomic<Int>(0)

private let interceptorKey: pthread_key_t = {
    var key = pthread_key_t()
    let code = pthread_key_create(&key, nil)
    precondition(code == 0, "no key for thread-specific data is left")
    return key
}()

private final class InterceptorBox {
    let interceptor: SystemCall.Interceptor
    init(_ interceptor: @escaping SystemCall.Interceptor) { self.interceptor = interceptor }
}

/// Repeats a system call for as long as a signal interrupts it; not for close(2) or connect(2).
@inline(__always)
func retrying<Number: SignedInteger>(_ call: () -> Number) throws(ErrorCode) -> Number {
    while true {
        let number = call()
        if number >= 0 { return number }
        let code = ErrorCode.last  // `errno`, read once: the next call may overwrite it.
        guard code == .interrupted else { throw code }
    }
}
