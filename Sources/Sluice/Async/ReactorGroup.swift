// SPDX-License-Identifier: Apache-2.0
//
// Reactors on several threads, and the choice among them.

internal import CSystemCalls
import Glibc
import SluiceText

/// A reactor on each of several threads.
///
/// What is made on one of them stays there: a connection, and the actors of the program's own that
/// name its executor. The threads run from the beginning to ``stop()``, or until nobody has the
/// group any more.
public final class ReactorGroup: Sendable {
    /// The executor of each reactor.
    public let executors: [Reactor.Executor]
    /// The handle of each reactor, in the same order.
    public let handles: [Reactor.Handle]
    private let threads: Locked<[ReactorThread]>

    /// How many cores this process may use.
    ///
    /// Source: sched_getaffinity(2).
    public static var coreCount: Int { Int(csystem_core_count()) }

    /// Starts `count` reactors, each on a thread of its own: the system shows them as `reactor-0`,
    /// `reactor-1` and so on.
    ///
    /// - Parameters:
    ///   - count: 1 to 1,024; initially one for each core.
    ///   - isPinned: keeps each thread on one core, in turn.
    /// - Throws: ``SocketError`` with operation `.create`: `.invalidArgument` for another count, or
    ///   why a thread or a reactor can't be had, such as `.tooManyOpenFiles`. Nothing is left then.
    public init(
        count: Int = ReactorGroup.coreCount, isPinned: Bool = false
    ) throws(SocketError) {
        guard (1...1_024).contains(count) else { throw SocketError(.create, .invalidArgument) }
        var threads: [ReactorThread] = []
        for index in 0..<count {
            do throws(SocketError) {
                threads.append(try ReactorThread(index, isPinned: isPinned))
            } catch {
                for thread in threads { thread.end() }
                throw error
            }
        }
        executors = threads.map(\.parts.executor)
        handles = threads.map(\.parts.handle)
        self.threads = Locked(threads)
    }

    deinit { endThreads() }

    /// How many reactors there are.
    public var count: Int { executors.count }

    /// The executor with the fewest connections, of those whose reactor has not ended.
    public var leastLoaded: Reactor.Executor {
        executors.min { $0.placeRank < $1.placeRank } ?? executors[0]
    }

    /// Ends all reactors, with everything on them, and waits for their threads without blocking one.
    ///
    /// A task of one of the reactors goes on when they have ended. Of several calls the
    /// first one waits.
    public func stop() async {
        await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
            let end: @Sendable () -> Void = { [self] in
                endThreads()
                continuation.resume()
            }
            do throws(SocketError) {
                pthread_detach(try startThread(end))
            } catch {
                end()  // No thread can be had: this one waits.
            }
        }
    }

    /// Ends all reactors, with everything on them, and blocks until their threads have ended.
    ///
    /// Called by one of the threads, it does not wait for that one. Of several calls the first
    /// one waits.
    @available(*, noasync, message: "it blocks the thread: 'await group.stop()'")
    public func stopAndWait() { endThreads() }

    private func endThreads() {
        var ending: [ReactorThread] = []
        threads.withLock { swap(&ending, &$0) }
        for thread in ending { thread.parts.handle.stop() }
        for thread in ending { thread.join() }
    }
}

/// Runs `body` on a thread of its own, which somebody has to join or detach.
private func startThread(_ body: @escaping @Sendable () -> Void) throws(SocketError) -> pthread_t {
    final class Context {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    var thread = pthread_t()
    // The new thread takes the reference over.
    let context = Unmanaged.passRetained(Context(body))
    let code = pthread_create(
        &thread, nil,
        { context in
            guard let context else { return nil }
            Unmanaged<Context>.fromOpaque(context).takeRetainedValue().body()
            return nil
        }, context.toOpaque())
    if code == 0 { return thread }
    context.release()
    throw SocketError(.create, ErrorCode(rawValue: code))
}

/// A thread with a reactor on it.
private final class ReactorThread: @unchecked Sendable {
    // Unchecked: `thread` is set before anybody else has the object, and joined once.

    /// What other threads may have of the reactor.
    struct Parts: Sendable {
        let handle: Reactor.Handle
        let executor: Reactor.Executor
    }

    let parts: Parts
    private let thread: pthread_t

    /// Starts the thread, and waits until its reactor is there.
    init(_ index: Int, isPinned: Bool) throws(SocketError) {
        let start = Start(index, isPinned)
        let thread = try startThread { start.run() }
        do throws(SocketError) {
            parts = try start.wait().get()
        } catch {
            pthread_join(thread, nil)
            throw error
        }
        self.thread = thread
    }

    /// Stops the reactor and waits for the thread.
    func end() {
        parts.handle.stop()
        join()
    }

    func join() {
        if pthread_equal(thread, pthread_self()) != 0 {
            pthread_detach(thread)
        } else {
            pthread_join(thread, nil)
        }
    }
}

/// The beginning of a thread: what it does, and what it says when its reactor is there.
private final class Start: @unchecked Sendable {
    // Unchecked: `result` is written before the semaphore is raised and read after it has been.

    private let index: Int
    private let isPinned: Bool
    private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)
    private var result: Result<ReactorThread.Parts, SocketError>?

    init(_ index: Int, _ isPinned: Bool) {
        self.index = index
        self.isPinned = isPinned
        sem_init(semaphore, 0, 0)
    }

    deinit {
        sem_destroy(semaphore)
        semaphore.deallocate()
    }

    func run() {
        do throws(SocketError) {
            csystem_name_thread("reactor-\(index)")
            if isPinned { csystem_pin(CInt(index)) }
            let reactor = try Reactor()
            say(.success(.init(handle: reactor.handle, executor: reactor.executor)))
            reactor.run()
        } catch {
            say(.failure(error))
        }
    }

    private func say(_ result: Result<ReactorThread.Parts, SocketError>) {
        self.result = result
        sem_post(semaphore)
    }

    func wait() -> Result<ReactorThread.Parts, SocketError> {
        while sem_wait(semaphore) != 0 {}
        return result ?? .failure(SocketError(.create, .invalidArgument))
    }
}
