// SPDX-License-Identifier: Apache-2.0
//
// The passes of a reactor: ask the kernel, deliver mail, fire timers, give everyone ready a turn.
// What becomes ready meanwhile waits for the next pass, so every pass is bounded.

internal import CLibevent
internal import CSystemCalls

extension Reactor {
    /// Handles events until ``stop()``.
    ///
    /// May be called inside a handler: the inner run handles everything, and ``stop()`` ends both.
    @available(
        *, noasync, message: "it blocks the thread: tasks run on a reactor that runs elsewhere"
    )
    public func run() {
        enter()
        while !isStopping { pass(waiting: true) { false } }
        leave()
    }

    /// Handles events until `condition` holds, as Tcl's `vwait`; it is asked after each handler.
    ///
    /// - Returns: true if the condition holds, false if the reactor was stopped before.
    @discardableResult
    @available(
        *, noasync, message: "it blocks the thread: tasks run on a reactor that runs elsewhere"
    )
    public func run(until condition: () -> Bool) -> Bool {
        enter()
        var holds = condition()
        while !holds && !isStopping {
            pass(waiting: true) {
                holds = condition()
                return holds
            }
        }
        leave()
        return holds
    }

    /// Waits for one event at least, and handles what is ready then.
    ///
    /// - Returns: false if the reactor was stopped.
    @available(
        *, noasync, message: "it blocks the thread: tasks run on a reactor that runs elsewhere"
    )
    @discardableResult
    public func runOnce() -> Bool {
        enter()
        // The wheel may wake the loop only to move deadlines closer.
        while !isStopping, !pass(waiting: true, endingIf: { false }) {}
        let goesOn = !isStopping
        leave()
        return goesOn
    }

    /// Handles what is ready now and waits for nothing, as one pass of Tcl's `update`.
    ///
    /// Where very many timers are due, the rest of them come in the next pass; a pass takes 32, or
    /// as many as there is else to handle.
    ///
    /// - Returns: false if the reactor was stopped.
    @discardableResult
    public func runPending() -> Bool {
        enter()
        if !isStopping { pass(waiting: false) { false } }
        let goesOn = !isStopping
        leave()
        return goesOn
    }

    /// Ends every run of this reactor after the handler that runs now.
    ///
    /// Outside a run it does nothing.
    public func stop() {
        if depth > 0 { isStopping = true }
    }

    private func enter() {
        depth += 1
        executor.becomeCurrent()
        clockIsStale = true
        // What the caller of a nested run has written must not wait for its handler's end.
        endTurn()
    }

    private func leave() {
        endTurn()
        depth -= 1
        clockIsStale = true
        if depth == 0 { isStopping = false }
    }

    /// - Returns: whether there was anything to handle.
    @inline(__always)
    @discardableResult
    private func pass(waiting: Bool, endingIf isDone: () -> Bool) -> Bool {
        // What a handler wrote while its turn was ended has no other end of a turn, and jobs may be
        // left of the last one.
        let hadJobs = executor.hasJobsToRun
        endTurn()
        if isStopping || (hadJobs && isDone()) { return true }
        let isIdle =
            nextReady == readyCount && letters.isEmpty && !deadlines.isDue
            && turnOutput.count == 0 && unflushed.isEmpty && !executor.hasJobsToRun
        base.poll(waiting: waiting && isIdle)
        clockIsStale = true
        if hasMail { collectMail() }
        if turnObserver != nil { return observedPass(endingIf: isDone) || hadJobs }
        return handleReady(endingIf: isDone) || hadJobs
    }

    /// Handles what is ready, and tells how long that took.
    @inline(never)
    private func observedPass(endingIf isDone: () -> Bool) -> Bool {
        let start = csystem_monotonic_nanoseconds()
        let letterCount = letters.count
        let hasHandled = handleReady(endingIf: isDone)
        turnObserver?.turned(
            nanoseconds: csystem_monotonic_nanoseconds() &- start, letters: letterCount)
        return hasHandled
    }

    /// - Returns: whether there was anything to handle.
    @inline(__always)
    private func handleReady(endingIf isDone: () -> Bool) -> Bool {
        var hasHandled = !letters.isEmpty
        if hasHandled, deliverMail(endingIf: isDone) { return true }
        if deadlines.isDue {
            let (count, isDone) = fireDeadlines(endingIf: isDone)
            if isDone { return true }
            hasHandled = hasHandled || count > 0
        }
        hasHandled = hasHandled || nextReady < readyCount
        var remaining = readyCount - nextReady
        let fetches = remaining > Self.objectDistance && executor.actorCount > 0
        while remaining > 0, nextReady < readyCount, !isStopping {
            var next: (any Resident)?
            swap(&next, &ready[nextReady])
            nextReady += 1
            remaining -= 1
            if fetches { fetchAhead() }
            next?.takeTurn(on: self)
            endTurn()
            if isDone() { break }
        }
        if nextReady < readyCount { moveReadyToFront() }
        readyCount -= nextReady
        nextReady = 0
        if ready.count > 8_192, readyCount == 0 { ready = [] }
        return hasHandled
    }

    /// How many turns ahead an object is fetched, and what it refers to.
    private static let objectDistance = 8
    private static let referencesDistance = 4

    /// Has the processor fetch what coming turns touch.
    ///
    /// A task that waits is many places in memory, and thousands of tasks are more than a cache
    /// holds: with 10,000 connections this takes a sixth off the user CPU time of a message.
    @inline(__always)
    private func fetchAhead() {
        let object = nextReady + Self.objectDistance
        if object < readyCount { ready[object]?.fetchObject() }
        let references = nextReady + Self.referencesDistance
        if references < readyCount { ready[references]?.fetchReferences() }
    }

    private func moveReadyToFront() {
        for place in nextReady..<readyCount { ready.swapAt(place - nextReady, place) }
    }

    private func collectMail() {
        hasMail = false
        letters += mailbox.takeAll()
    }

    /// - Returns: whether the run is done; the rest is then delivered first in the next pass.
    private func deliverMail(endingIf isDone: () -> Bool) -> Bool {
        var remaining = letters.count
        defer { if letters.isEmpty { forgetLetters() } }
        while remaining > 0, let letter = letters.popFirst() {
            remaining -= 1
            switch letter {
            case .stop: isStopping = true
            case .closure(let closure): _ = attempt { try closure(self) }
            case .drop(let key): referenced[key] = nil
            case .job(let job): executor.accept(job)
            case .ending(let end): end()
            }
            endTurn()
            if isStopping || isDone() { return true }
        }
        return false
    }

    /// A slice holds on to what was taken from it, and with that to all that closures have captured.
    private func forgetLetters() {
        // Let go of outside the access: what ends with it may come here again.
        var delivered: ArraySlice<Mailbox.Letter> = []
        swap(&delivered, &letters)
    }

    /// - Returns: how many deadlines had come, and whether the run is done.
    private func fireDeadlines(endingIf isDone: () -> Bool) -> (count: Int, isDone: Bool) {
        var count = 0
        // As many as others have turns, so that neither waits long for the other.
        let most = max(Self.deadlinesPerPass, readyCount - nextReady)
        deadlines.advance()
        while let owner = deadlines.popDue() {
            count += 1
            owner.deadlinePassed()
            endTurn()
            if isStopping || isDone() { return (count, true) }
            // The timer is still due: the others come in the next pass.
            if count == most { return (count, false) }
        }
        deadlines.rearm()
        return (count, false)
    }

    /// Thousands of connections may be over their time at once, and to close one takes the kernel
    /// some ten microseconds: those that have something to read don't wait for all of them.
    private static let deadlinesPerPass = 32
}

// MARK: - Turns

extension Reactor {
    /// Gives a resident a turn in this pass or the next.
    @inline(__always)
    func enqueue(_ resident: any Resident) {
        if readyCount == ready.count {
            ready.append(resident)
        } else {
            ready[readyCount] = resident
        }
        readyCount += 1
    }

    /// Sends what the handlers of this turn have written.
    @inline(__always)
    func endTurn() {
        executor.runJobs()
        if turnOutput.count > 0 { turnOutput.owner?.flushTurn(self) }
        if !unflushed.isEmpty { flushOthers() }
    }

    private func flushOthers() {
        var batch: [any TurnWriter] = []
        swap(&batch, &unflushed)
        for writer in batch { writer.flushQueue() }
        if buffers.isTold { buffers.turnEnded(self) }
    }
}
