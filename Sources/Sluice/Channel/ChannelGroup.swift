// SPDX-License-Identifier: Apache-2.0
//
// Channels that a program sends the same messages to: a room, a topic, everybody who watches.

/// Channels of one reactor that get the same messages.
///
/// Members that have closed are no members any more. They are let go when the group is counted,
/// sends, or takes others in: until then it keeps at most twice as many as were open at the last
/// look, 64 at least, each without its buffers. Whoever has to have them freed at once calls
/// ``remove(_:)`` in ``Channel/onClose(_:)``. A channel may be in any number of groups.
public final class ChannelGroup {
    private let link: ReactorLink
    private var members: [Channel] = []
    /// Where each member stands.
    private var places: [ObjectIdentifier: Int] = [:]
    /// At this many, those that have closed are looked for.
    private var searchCount = 64

    /// A group without members.
    public init(on reactor: Reactor) { link = reactor.link }

    /// Takes a channel in.
    ///
    /// - Returns: whether it is new here; `false` also for one that is closing or closed, or not on
    ///   the group's reactor.
    @discardableResult
    public func insert(_ channel: Channel) -> Bool {
        guard let reactor = link.reactor, channel.reactorOrNil === reactor, channel.mayBeMember,
            places[ObjectIdentifier(channel)] == nil
        else { return false }
        if members.count >= searchCount { forgetClosed() }
        places[ObjectIdentifier(channel)] = members.count
        members.append(channel)
        return true
    }

    /// Takes a channel out; it still gets what was broadcast before.
    ///
    /// - Returns: whether it was a member.
    @discardableResult
    public func remove(_ channel: Channel) -> Bool {
        guard let place = places.removeValue(forKey: ObjectIdentifier(channel)) else {
            return false
        }
        members.swapAt(place, members.count - 1)
        members.removeLast()
        if place < members.count { places[ObjectIdentifier(members[place])] = place }
        return channel.mayBeMember
    }

    /// Whether a channel is a member, and not closing or closed.
    public func contains(_ channel: Channel) -> Bool {
        channel.mayBeMember && places[ObjectIdentifier(channel)] != nil
    }

    /// How many members there are.
    ///
    /// Each is looked at, whether it has closed.
    public var count: Int {
        forgetClosed()
        return members.count
    }

    /// Sends `bytes` to all members.
    ///
    /// They are in memory once, however many members there are: what the kernel takes goes straight
    /// from there, and what it does not take waits there. 1,024 members have their turn in this
    /// call, the others in turns that follow, behind the broadcasts before them; where 64 of those
    /// are under way, or 16 MiB with this one, all members skip it, so that a program that sends
    /// without end waits for its completions. Nothing is waited for, also on members that block. A
    /// member that connects gets it when it is connected.
    ///
    /// A member gets broadcasts in the order of the calls, behind what it was sent before. What is
    /// written to it after this call comes behind this message, unless its turn is still to come.
    /// Who was a member at the call, and is open when its turn comes, gets the message. What
    /// ``ChannelOptions/buffering`` holds back goes out before it.
    ///
    /// - Parameters:
    ///   - bytes: the message; an empty one counts as sent.
    ///   - slow: what happens to members that are slow.
    ///   - completion: called once, in a later turn, when all have had theirs; not where the
    ///     reactor ends before.
    public func broadcast(
        _ bytes: [UInt8], to slow: SlowReceiverPolicy = .skip,
        _ completion: ((BroadcastResult) -> Void)? = nil
    ) {
        guard let reactor = link.reactor else { return }
        forgetClosed()
        reactor.broadcast(bytes, among: members, slow, completion)
    }

    private func forgetClosed() {
        if !members.allSatisfy(\.mayBeMember) {
            members.removeAll { !$0.mayBeMember }
            places.removeAll(keepingCapacity: true)
            for (place, member) in members.enumerated() {
                places[ObjectIdentifier(member)] = place
            }
        }
        searchCount = max(64, 2 * members.count)
    }
}

/// Groups stay on their reactor's thread.
@available(*, unavailable)
extension ChannelGroup: Sendable {}

extension Channel {
    /// Whether broadcasts may still reach it.
    fileprivate var mayBeMember: Bool {
        (state.phase == .open || state.phase == .connecting) && !state.isCloseAsked
    }
}
