// SPDX-License-Identifier: Apache-2.0
//
// How many bytes hang on a reactor, and when that is too many.
// It adds up and compares; what is done about too many is for whoever is its relief.

/// Makes room where a reactor's limit on memory is exceeded.
protocol BufferRelief: AnyObject {
    /// The turn in which an account rose above its limit or fell to its low mark has ended, and
    /// what was written in it has gone out as far as the kernel takes it.
    func turnEnded(on reactor: Reactor)
    /// A write has brought an account above its limit, in the middle of a turn.
    func makeRoom(on reactor: Reactor, sparing writer: AnyObject)
}

/// How many bytes are held for all that is open on a reactor, what several share once.
final class BufferAccount {
    private let link: ReactorLink
    private(set) var byteCount = 0
    /// More than this is too much.
    private(set) var limit = Int.max
    /// At this much all is well again: seven eighths of the limit.
    ///
    /// So much has to come anew before anybody looks for room again.
    var lowMark: Int { limit - limit / 8 }
    /// At this much, where reading is to pause, nothing more is kept.
    private(set) var stopMark = Int.max
    /// Reading is to pause above the limit.
    private var stops = false
    /// Above the limit, and not down to the low mark since.
    private(set) var isOver = false
    /// Reading is to pause now.
    var isPausing: Bool { isOver && stops }
    /// Somebody waits for the low mark, and is to be told.
    var isHolding = false
    /// Room is to be made before more is taken.
    private(set) var isUrgent = false
    /// The relief is told at the end of the turn.
    private(set) var isTold = false
    private(set) var relief: (any BufferRelief)?
    private var floor = Int.min
    private var ceiling = Int.max

    init(_ link: ReactorLink) { self.link = link }

    /// Begins anew with a limit, and tells the relief at the end of the turn.
    ///
    /// - Parameter stops: whether nothing more is to be kept at an eighth above the limit.
    func set(limit: Int, stops: Bool, relief: any BufferRelief) {
        self.limit = max(0, limit)
        self.stops = stops
        let (mark, isBeyond) = self.limit.addingReportingOverflow(self.limit / 8)
        stopMark = stops && !isBeyond ? mark : .max
        self.relief = relief
        recover()
        tell()
        add(0)
    }

    /// More is held than before, or less.
    func add(_ change: Int) {
        byteCount += change
        if byteCount > ceiling || byteCount <= floor { cross() }
    }

    /// Whether nothing more is to be kept.
    var isStopped: Bool { isOver && byteCount > stopMark }

    /// How much is let come at least before room is looked for again: each look goes through all
    /// that is open.
    private static let smallestStep = 65_536

    /// All that can be done was done: an eighth more is let come.
    func relieved() {
        isUrgent = false
        // Of what is held, where that is far above the limit: the looks stay few.
        if isOver { ceiling = byteCount + max(limit / 8, byteCount / 8, Self.smallestStep) }
    }

    /// There is not too much.
    func recover() {
        isOver = false
        isUrgent = false
        floor = .min
        ceiling = limit
    }

    /// The turn has ended, and what it has written was sent.
    func turnEnded(_ reactor: Reactor) {
        isTold = false
        relief?.turnEnded(on: reactor)
    }

    private func cross() {
        if byteCount > ceiling {
            isOver = true
            isUrgent = true
            floor = lowMark
            ceiling = .max
        } else {
            recover()
        }
        tell()
    }

    /// The end of the turn comes by here.
    private func tell() {
        guard !isTold, let reactor = link.reactor else { return }
        isTold = true
        reactor.unflushed.append(self)
    }
}

/// It writes nothing: on the list of writers it stands for the relief, whose turn comes behind
/// theirs.
extension BufferAccount: TurnWriter {
    func flushTurn(_ reactor: Reactor) {}
    func flushQueue() {}
}
