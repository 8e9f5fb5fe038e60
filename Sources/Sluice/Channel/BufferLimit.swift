// SPDX-License-Identifier: Apache-2.0
//
// How much all channels of a reactor may hold together, and what happens when it is more.
// Below the limit it costs a sum; above it those that hold most make room.

/// How many bytes the channels of a reactor may hold together.
public struct BufferLimit: Hashable, Sendable {
    /// What happens above the limit.
    public enum Policy: String, CaseIterable, Hashable, Sendable {
        /// The channels that hold most are read no more until seven eighths of the limit are
        /// reached: first those that keep most of what they have read, then those that have most
        /// to send, until all of that has gone. An eighth above the limit so is each other one that
        /// has to keep what it reads, until it keeps nothing: each may still add one read, at most
        /// 64 KiB. Who has closed its side is read to its end. What was read already is handed out
        /// all the same, for only that makes room: handlers of every kind, tasks and copies go on
        /// with the whole messages that are kept.
        ///
        /// Meanwhile the marks of all channels are 0: where the kernel does not take all that is
        /// written, the write answers ``WriteResult/aboveMark`` and ``Channel/onBytes(_:)`` and
        /// ``Channel/onLine(_:)`` rest, until all has gone or there is room; so does the
        /// ``Channel/onReadable(_:)`` of who is read no more. A further write is refused till then;
        /// that of a task waits. Nobody is ended: where what is held is incomplete messages, only
        /// the channels' own time limits make room.
        /// ``ChannelOptions/messageTimeout`` goes on for who is read no more, and
        /// ``ChannelOptions/idleTimeout`` spares whoever has sent what is not read yet.
        case pause
        /// The channels that hold most end with ``EndReason/Limit/reactorBuffers``, one after the
        /// other, until seven eighths of the limit are reached.
        ///
        /// What they held is lost, and their peers see a reset. Of a message that several wait for
        /// each holds its share. Before anybody ends, broadcasts that are under way skip those
        /// whose turn has not come. 256 end at once, and the next ones in turns that follow.
        case end
    }

    /// How many bytes they may hold.
    ///
    /// 0 or more: with 0 nobody may hold any. Initially no limit.
    public var byteCount = Int.max
    /// What happens above that.
    ///
    /// Initially ``Policy/end``.
    public var policy = Policy.end

    /// A limit; without a number none.
    public init(byteCount: Int = .max, policy: Policy = .end) {
        self.byteCount = byteCount
        self.policy = policy
    }
}

extension Reactor {
    /// How many bytes its channels may hold together, and what happens above that.
    ///
    /// It is looked at while bytes are queued and at the end of each turn, when all that the kernel
    /// takes has gone out. Above the limit, until room was made, a write may be refused with
    /// `.noBufferSpace`. With ``BufferLimit/Policy/end`` it is where the kernel has not taken all
    /// that was written before; else the others make room for it at once. With
    /// ``BufferLimit/Policy/pause`` it is where a write before it has answered
    /// ``WriteResult/aboveMark``, so each channel may add one to what is held: a handler that
    /// writes several times in a turn looks at the answers. Blocking channels wait in any case.
    /// Initially no limit.
    public var bufferLimit: BufferLimit {
        get { (buffers.relief as? BufferBound)?.limit ?? BufferLimit() }
        set {
            let bound = buffers.relief as? BufferBound ?? BufferBound(buffers)
            bound.limit = newValue
            buffers.set(
                limit: newValue.byteCount, stops: newValue.policy == .pause, relief: bound)
        }
    }

    /// How many bytes its channels hold: what was written and has not gone to the kernel, and what
    /// was read and not consumed.
    ///
    /// The bytes of a broadcast count once, and 40 more for each channel that they wait in. Files
    /// that wait to be sent take no memory, and datagrams have limits of their own. What was read
    /// may take up to four times its bytes, or 4 KiB a channel. Not counted is the text of a line
    /// that is not complete, in UTF-16, UTF-32 and charsets with characters of several bytes:
    /// 16 bytes a character, bounded by `TextOptions.lineLimit`.
    public var bufferedByteCount: Int {
        buffers.byteCount + ((turnOutput.owner as? Channel)?.turnByteCount ?? 0)
    }
}

/// Makes room on a reactor, as its limit says.
final class BufferBound: BufferRelief {
    /// What a channel holds.
    private struct Holding {
        let channel: Channel
        let input: Int
        let output: Int
        var byteCount: Int { input + output }
    }

    // The account keeps it, and lives as long as the reactor.
    private unowned let account: BufferAccount
    var limit = BufferLimit()
    /// Those who are still to end, the one with most first.
    private var ending: ArraySlice<Holding> = []
    /// A turn is to come in which the next ones end.
    private var isToGoOn = false

    /// How many channels end at once.
    private static let endsPerTurn = 256

    init(_ account: BufferAccount) { self.account = account }

    func turnEnded(on reactor: Reactor) {
        if account.isOver, !account.isHolding, ending.isEmpty, account.byteCount <= account.limit {
            // The kernel has taken enough of it.
            account.recover()
        }
        guard account.isOver else {
            ending = []
            return letGo(on: reactor)
        }
        switch limit.policy {
        case .end:
            letGo(on: reactor)
            endLargest(on: reactor, sparing: nil)
            if !ending.isEmpty {
                account.relieved()
                goOnLater(on: reactor)
            } else if account.byteCount <= account.limit {
                account.recover()
            } else {
                account.relieved()
            }
        case .pause:
            ending = []
            holdLargest(on: reactor)
            account.relieved()
        }
    }

    func makeRoom(on reactor: Reactor, sparing writer: AnyObject) {
        // What others have written in this turn may still go out.
        for case let channel as Channel in reactor.unflushed where !channel.isCopySink {
            channel.sendTurn()
        }
        if account.byteCount > account.limit, limit.policy == .end {
            endLargest(on: reactor, sparing: writer)
        }
        account.relieved()
    }

    /// Those who hold anything, in an order.
    private func holders(
        on reactor: Reactor, by areInOrder: (Holding, Holding) -> Bool
    ) -> [Holding] {
        var holders: [Holding] = []
        for case let channel as Channel in reactor.residents {
            let holding = Holding(
                channel: channel, input: Int(channel.countedInput),
                output: channel.output?.spareByteCount ?? 0)
            if holding.byteCount > 0 { holders.append(holding) }
        }
        return holders.sorted(by: areInOrder)
    }

    /// - Parameter writer: writes just now: it ends at the end of the turn, if it is among them.
    private func endLargest(on reactor: Reactor, sparing writer: AnyObject?) {
        reactor.broadcasts.makeRoom { account.byteCount <= account.lowMark }
        var spared = reactor.broadcasts.countedByteCount
        let isBegun = !ending.isEmpty
        if !isBegun { ending = holders(on: reactor) { $0.byteCount > $1.byteCount }[...] }
        var left = Self.endsPerTurn
        while account.byteCount - spared > account.lowMark, let next = ending.first {
            if left == 0 { return }
            ending.removeFirst()
            if next.channel === writer {
                spared += next.byteCount
            } else if !isBegun || next.channel.heldByteCount >= next.byteCount / 2 {
                // The others have got rid of most of it since they were looked at.
                next.channel.giveWay()
                left -= 1
            }
        }
        ending = []
        // Others may hold most by now.
        if isBegun { endLargest(on: reactor, sparing: writer) }
    }

    /// What is left of those who are to end has its turn.
    private func goOnLater(on reactor: Reactor) {
        if isToGoOn { return }
        isToGoOn = true
        reactor.after(.zero) { [weak self, unowned reactor] in
            self?.isToGoOn = false
            self?.turnEnded(on: reactor)
        }
    }

    private func holdLargest(on reactor: Reactor) {
        account.isHolding = true
        var free = account.byteCount - reactor.broadcasts.countedByteCount
        for holding in holders(on: reactor, by: { ($0.input, $0.output) > ($1.input, $1.output) }) {
            if free <= account.lowMark { return }
            holding.channel.holdBack()
            free -= holding.byteCount
        }
    }

    /// Those who were paused read on.
    private func letGo(on reactor: Reactor) {
        guard account.isHolding else { return }
        account.isHolding = false
        for case let channel as Channel in reactor.residents { channel.letGo() }
    }

    /// A channel is paused because of what it has just added.
    func hold(_ channel: Channel) {
        account.isHolding = true
        channel.holdBack()
    }
}
