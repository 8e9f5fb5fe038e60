// SPDX-License-Identifier: Apache-2.0
//
// Swift's jobs on a reactor's thread: what a task or an actor does there runs in the turn that woke
// it, and a job from another thread comes by the mailbox.

import Glibc
internal import SluiceText
internal import Synchronization

extension Reactor {
    /// Runs the jobs of tasks and actors on the reactor's thread, in the order in which they become
    /// ready.
    ///
    /// It is a serial and a task executor at once: an actor that names it as its own and a task that
    /// prefers it run between the reactor's handlers, on the same thread, and reach one another
    /// without a change of threads. Jobs run while the reactor runs; priorities change nothing.
    ///
    /// When the reactor ends, every wait on it ends, with `.cancelled` or as on a closed connection,
    /// and what its tasks do then runs before the reactor is gone: a task that waits again and again,
    /// whatever error it gets, keeps it from ending. A job that comes later still runs, one at a time,
    /// on the thread that it comes from.
    public final class Executor: SerialExecutor, TaskExecutor, @unchecked Sendable {
        // Unchecked: `jobs`, `isRunning` and `pending` are touched only by the thread that `owner` names. That
        // is the reactor's; after its end it is whoever has set `late.isRunning`, under the lock.

        private let mailbox: Mailbox
        private let link: ReactorLink
        private let owner: Atomic<UInt>
        @exclusivity(unchecked) private var jobs = JobQueue()
        @exclusivity(unchecked) private var isRunning = false
        /// Waits that nothing else would end with the reactor.
        private var pending: [ObjectIdentifier: Waiter] = [:]
        private let channels = Atomic(0)
        private let actors = Atomic(0)
        private let hasEnded = Atomic(false)
        private let late = Locked(Late())

        /// How many connections are on this reactor, channels without tasks and clients that still
        /// connect among them.
        public var connectionCount: Int { max(0, channels.load(ordering: .relaxed)) }

        /// What a new connection's place is chosen by: nobody chooses a reactor that has ended.
        var placeRank: Int { hasEnded.load(ordering: .relaxed) ? .max : connectionCount }

        /// A channel was made or has gone, or a client begins or has ended its attempt to make one.
        func countChannels(_ change: Int) { channels.add(change, ordering: .relaxed) }

        /// How many ``Connection``s there are.
        package var actorCount: Int { actors.load(ordering: .relaxed) }

        /// A ``Connection`` was made, or has gone.
        func countActors(_ change: Int) { actors.add(change, ordering: .relaxed) }

        /// What comes when the reactor is ending or gone.
        private struct Late: ~Copyable {
            var jobs: [UnownedJob] = []
            /// Somebody runs the jobs: first of all the reactor.
            var isRunning = true
        }

        /// How many jobs run in one turn, before other channels have theirs.
        private static let jobsPerTurn = 1_024

        init(_ mailbox: Mailbox, _ link: ReactorLink) {
            self.mailbox = mailbox
            self.link = link
            owner = Atomic(pthread_self())
        }

        /// Whether this is the thread that runs its jobs.
        var isCurrent: Bool { owner.load(ordering: .relaxed) == pthread_self() }

        /// The thread that runs this is the reactor's.
        func becomeCurrent() { owner.store(pthread_self(), ordering: .relaxed) }

        /// The reactor, for jobs on its thread; `nil` once it has ended.
        var reactor: Reactor? { isCurrent ? link.reactor : nil }

        /// Has a job run on the reactor's thread.
        public func enqueue(_ job: consuming ExecutorJob) {
            let job = UnownedJob(job)
            if isCurrent { return jobs.append(job) }
            do throws(SocketError) { try mailbox.post(.job(job)) } catch { enqueueLate(job) }
        }

        /// Whether the caller is on the reactor's thread, in a job or in a handler.
        public func isIsolatingCurrentContext() -> Bool? { isCurrent }

        /// Ends the process where the caller is on another thread than the reactor's.
        public func checkIsolated() {
            precondition(isCurrent, "this is not the reactor's thread")
        }

        /// Runs what ends something on the reactor's thread: at once where this is it.
        ///
        /// Not at all once the reactor has ended, and everything with it.
        func performEnding(_ end: @escaping @Sendable () -> Void) {
            if isCurrent { return end() }
            try? mailbox.post(.ending(end))
        }

        // MARK: What the reactor does

        /// A job that came by the mailbox.
        func accept(_ job: UnownedJob) { jobs.append(job) }

        /// For how many jobs there is memory.
        var jobRoom: Int { jobs.room }

        /// Whether jobs wait.
        @inline(__always)
        var hasJobs: Bool { !jobs.isEmpty }

        /// Whether jobs wait that may run now: none does in the middle of another.
        var hasJobsToRun: Bool { hasJobs && !isRunning }

        /// Runs what is ready, with what that makes ready, up to the limit of a turn.
        ///
        /// Within a job it does nothing: another job of the same actor must not run in its middle.
        @inline(__always)
        func runJobs() { if hasJobs, !isRunning { runSome() } }

        @inline(never)
        private func runSome() {
            isRunning = true
            var budget = Self.jobsPerTurn
            let serial = asUnownedSerialExecutor()
            let preferred = asUnownedTaskExecutor()
            while budget > 0, let job = jobs.popFirst() {
                job.runSynchronously(isolatedTo: serial, taskExecutor: preferred)
                budget -= 1
            }
            isRunning = false
        }

        // MARK: The end

        /// The reactor has come to its end, and nothing more comes by the mailbox.
        func end() {
            becomeCurrent()
            isRunning = false
            channels.store(0, ordering: .relaxed)
            hasEnded.store(true, ordering: .relaxed)
            let waiters = pending.values
            pending = [:]
            for waiter in waiters { waiter.resume(.cancelled) }
            finishLate()
        }

        /// Waits for something that says nothing when the reactor ends.
        ///
        /// Must be called on the reactor's thread.
        func wait(
            _ waiter: Waiter, isolation: isolated (any Actor)? = #isolation, _ begin: () -> Bool
        ) async -> Waiter.Outcome {
            pending[ObjectIdentifier(waiter)] = waiter
            defer { forget(waiter) }
            return await waiter.wait {
                let isNeeded = begin()
                if link.reactor == nil { waiter.resume(.cancelled) }
                return isNeeded
            }
        }

        /// Waits as ``wait(_:_:)``, whatever becomes of the task.
        func waitUncancelled(
            _ waiter: Waiter, isolation: isolated (any Actor)? = #isolation, _ begin: () -> Bool
        ) async {
            pending[ObjectIdentifier(waiter)] = waiter
            defer { forget(waiter) }
            await waiter.waitUncancelled { link.reactor != nil && begin() }
        }

        /// A wait is over; the next one at the same place may have begun before its task came to that.
        private func forget(_ waiter: Waiter) {
            if !waiter.isWaiting { pending[ObjectIdentifier(waiter)] = nil }
        }

        private func enqueueLate(_ job: UnownedJob) {
            let isMine = late.withLock { late in
                late.jobs.append(job)
                if late.isRunning { return false }
                late.isRunning = true
                return true
            }
            guard isMine else { return }
            // The runtime lends the executor, and one of the jobs may let go of it last. The balance
            // is the release below: nothing throws in between.
            let held = Unmanaged.passRetained(self)
            becomeCurrent()
            finishLate()
            held.release()
        }

        /// Runs everything, until nobody brings more.
        private func finishLate() {
            while true {
                while hasJobs { runSome() }
                let more = late.withLock { late in
                    var more: [UnownedJob] = []
                    swap(&more, &late.jobs)
                    if more.isEmpty {
                        // Before anybody else may take over.
                        owner.store(0, ordering: .relaxed)
                        late.isRunning = false
                    }
                    return more
                }
                if more.isEmpty { return }
                for job in more { jobs.append(job) }
            }
        }
    }
}

/// Jobs in order.
private struct JobQueue {
    /// Jobs from `head` to before `tail`; the rest is room.
    private var storage: [UnownedJob] = []
    private var head = 0
    private var tail = 0

    var room: Int { storage.count }

    @inline(__always)
    var isEmpty: Bool { head == tail }

    @inline(__always)
    mutating func append(_ job: UnownedJob) {
        if tail == storage.count, head > tail / 2 { moveToFront() }
        if tail == storage.count { storage.append(job) } else { storage[tail] = job }
        tail += 1
    }

    /// Jobs that keep one another going never let the queue be empty.
    private mutating func moveToFront() {
        for place in head..<tail { storage[place - head] = storage[place] }
        tail -= head
        head = 0
    }

    @inline(__always)
    mutating func popFirst() -> UnownedJob? {
        if head == tail { return nil }
        let job = storage[head]
        head += 1
        if head == tail {
            head = 0
            tail = 0
            // Much at once is rare: what it took is given back.
            if storage.count > 1_024 { storage = [] }
        }
        return job
    }
}
