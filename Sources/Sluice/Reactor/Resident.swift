// SPDX-License-Identifier: Apache-2.0
//
// What may hang on a reactor, seen from the reactor: it knows channels, listeners and watches only
// by these. So the reactor stands below them, and each brings its own rules.

/// Something that is open on a reactor, and ends with it.
protocol Resident: AnyObject {
    /// Where the reactor's list holds it; -1 when it does not.
    var residentIndex: Int { get set }
    /// Its turn has come: something it waits for was found, or it was put off to here.
    func takeTurn(on reactor: Reactor)
    /// The reactor has come to its end: descriptors and events go now.
    func reactorEnded()
    /// A turn comes some turns from now: has the processor fetch the object.
    func fetchObject()
    /// A turn comes soon, and the object was fetched: has the processor fetch what it refers to.
    func fetchReferences()
}

extension Resident {
    func fetchObject() {}
    func fetchReferences() {}
}

/// Something with a deadline in the reactor's wheel.
protocol DeadlineOwner: AnyObject {
    func deadlinePassed()
    /// The reactor has come to its end: the deadline never passes.
    func deadlineDropped()
}

extension DeadlineOwner {
    func deadlineDropped() {}
}

/// Something that sends what it has written in a turn at the turn's end.
protocol TurnWriter: AnyObject {
    /// Sends what it has collected in the reactor's shared memory.
    func flushTurn(_ reactor: Reactor)
    /// Sends what it has queued itself.
    func flushQueue()
}

/// Somebody who is told of each turn of a reactor.
protocol TurnObserver: AnyObject {
    /// A turn has ended that took so long, with so many letters from other threads.
    func turned(nanoseconds: UInt64, letters: Int)
}

/// The way from what hangs on a reactor to the reactor, without keeping it alive.
///
/// Not `weak`: a weak reference gives an object a side table, which makes every retain and release
/// of it several times as dear, and the reactor's are on the path of each message.
package final class ReactorLink {
    /// Set back by the reactor's deinit, so it is never dangling.
    package internal(set) unowned(unsafe) var reactor: Reactor?
}

extension Reactor {
    /// Puts something on the list of what is open here.
    func admit(_ resident: any Resident) {
        resident.residentIndex = residents.count
        residents.append(resident)
    }

    /// Takes something off the list; the last one takes its place.
    func dismiss(_ resident: any Resident) {
        let index = resident.residentIndex
        guard index >= 0 else { return }
        resident.residentIndex = -1
        residents.swapAt(index, residents.count - 1)
        residents.removeLast()
        if index < residents.count { residents[index].residentIndex = index }
    }

    /// Something of which each reactor has one, made when it is first asked for.
    func attachment<Attached: AnyObject>(_ make: () -> Attached) -> Attached {
        let key = ObjectIdentifier(Attached.self)
        if let known = attachments[key] as? Attached { return known }
        let made = make()
        attachments[key] = made
        return made
    }
}
