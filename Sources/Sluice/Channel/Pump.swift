// SPDX-License-Identifier: Apache-2.0
//
// What a channel knows of a copy that it is an end of: who to tell, and that its own calls must
// keep off meanwhile. The copies themselves stand above channels.

/// A copy under way, seen from the channels at its ends.
protocol Pump: AnyObject {
    /// The source's own reader, which comes back when the copy is over.
    var heldReader: Channel.Reader { get set }
    /// Whether it waits for the source: not while the sink is above its mark, nor once all is read.
    var wantsInput: Bool { get }
    /// The source has something to read, or has come to its end.
    func sourceIsReady()
    /// The sink's queue is down to the low mark, or empty.
    func sinkHasRoom()
    /// Writing to the sink has failed.
    func sinkFailed(_ error: SocketError)
    /// The program stops it: nobody is told of anything any more.
    func stop()
    /// One of the ends closes by itself: nobody is told, unless a failure is what closed it.
    func endWasClosed()
}

extension Channel {
    /// Whether a copy reads this channel, and nobody else may.
    var isCopySource: Bool { rare?.copyOut != nil }
    /// Whether a copy writes to this channel, and nobody else may.
    var isCopySink: Bool { rare?.copyIn != nil }

    /// Who takes the input when no copy does.
    var ownReader: Reader { rare?.copyOut?.heldReader ?? reader }

    /// Changes who takes the input, now or when a copy is over.
    func setReader(_ reader: Reader) {
        if let pump = rare?.copyOut { pump.heldReader = reader } else { self.reader = reader }
    }

    /// The program itself ends the copies that this channel is an end of: nobody is told.
    func forgetCopies() {
        rare?.copyOut?.stop()
        rare?.copyIn?.stop()
    }

    /// Ends the copies that this channel is an end of.
    func endCopies() {
        rare?.copyOut?.endWasClosed()
        rare?.copyIn?.endWasClosed()
    }
}
