// SPDX-License-Identifier: Apache-2.0
//
// One event of libevent's with one owner, and the event base that it belongs to.
// Its end removes it from the base, so libevent never calls for an owner that is gone.

internal import CLibevent
internal import CSystemCalls
import Glibc
import SluiceText

/// A C function that libevent calls with the descriptor, what happened, and the context.
typealias EventCallback = @convention(c) (CInt, Int16, UnsafeMutableRawPointer?) -> Void

/// The loop of libevent, without its locks: one thread makes it, runs it and ends it.
struct EventBase: ~Copyable {
    let pointer: OpaquePointer

    /// What libevent has to say comes back as results too, and standard error is the program's.
    private static let silenceLog: Void = event_set_log_callback { _, _ in }

    init() throws(SocketError) {
        Self.silenceLog
        guard let configuration = event_config_new() else {
            throw SocketError(.create, .noMemory)
        }
        defer { event_config_free(configuration) }
        event_config_set_flag(configuration, CInt(EVENT_BASE_FLAG_NOLOCK.rawValue))
        event_config_set_flag(configuration, CInt(EVENT_BASE_FLAG_IGNORE_ENV.rawValue))
        // Any other back end would do without what channels are built on.
        let features = EV_FEATURE_ET.rawValue | EV_FEATURE_EARLY_CLOSE.rawValue
        event_config_require_features(configuration, CInt(features))
        pointer = try Self.making.withLock { _ throws(SocketError) in
            try Self.makeSureOfDescriptors()
            guard let pointer = event_base_new_with_config(configuration) else {
                throw SocketError(.create, ErrorCode.last)
            }
            // A pointer to what one thread alone will use, on its way out of the lock.
            return Made(pointer: pointer)
        }.pointer
    }

    private struct Made: @unchecked Sendable {
        // Unchecked: nobody else has the pointer yet.
        let pointer: OpaquePointer
    }

    /// One thread at a time, so that the descriptors which are made sure of are there for it.
    private static let making = Locked(())

    /// libevent takes three descriptors, and ends the process where it can't have two of them.
    private static func makeSureOfDescriptors() throws(SocketError) {
        var numbers: [CInt] = []
        defer { for number in numbers { _ = Descriptor(adopting: number) } }
        for _ in 0..<4 {
            numbers.append(
                try retrying(.create) {
                    SystemCall.createEvent.made { eventfd(0, CInt(EFD_CLOEXEC)) }
                })
        }
    }

    deinit { event_base_free(pointer) }

    /// Asks the kernel once what is ready and has the callbacks note it.
    @inline(__always)
    func poll(waiting: Bool) {
        let flags = waiting ? EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY : EVLOOP_ONCE | EVLOOP_NONBLOCK
        let result = event_base_loop(pointer, flags)
        precondition(result >= 0, "the event loop is broken: \(ErrorCode.last)")
    }
}

/// A registration with libevent, removed when its life ends.
struct Event: ~Copyable {
    private let pointer: OpaquePointer
    private let base: OpaquePointer
    private let number: CInt
    private let callback: EventCallback
    private let context: UnsafeMutableRawPointer
    private(set) var flags: Int16 = 0

    /// A registration that waits for nothing yet.
    ///
    /// `context` must stay valid until the event ends: libevent hands it to `callback`.
    init(
        _ base: borrowing EventBase, _ number: CInt, _ callback: @escaping EventCallback,
        _ context: UnsafeMutableRawPointer
    ) throws(SocketError) {
        guard let pointer = event_new(base.pointer, number, 0, callback, context) else {
            throw SocketError(.watch, .noMemory)
        }
        self.pointer = pointer
        self.base = base.pointer
        self.number = number
        self.callback = callback
        self.context = context
    }

    // event_free(3) takes the event off the base and out of its queue first.
    deinit { event_free(pointer) }

    /// Waits from now on for exactly this; what was ready and is not called for yet is dropped.
    mutating func wait(for wanted: Int16) throws(SocketError) {
        if wanted == flags { return }
        if flags != 0 { event_del(pointer) }
        flags = 0
        if wanted == 0 { return }
        event_assign(pointer, base, number, wanted | Int16(EV_PERSIST), callback, context)
        guard SystemCall.watch.made({ event_add(pointer, nil) }) == 0 else {
            throw SocketError(.watch, ErrorCode.last)
        }
        flags = wanted
    }
}
