// SPDX-License-Identifier: Apache-2.0
//
// A way from other threads to one thing on a reactor: a channel, or state of the program's own.
// Only a key crosses threads; the thing itself stays in the reactor's table, on its thread.

extension Reactor {
    /// A reference to something of one reactor's thread, which any thread may hold.
    ///
    /// Make it with ``Reactor/reference(to:)``. The reactor keeps what it refers to until the last
    /// copy of the reference has gone, or the reactor itself.
    public struct Reference<Value: SendableMetatype>: Sendable {
        fileprivate let place: Place

        /// Has the reactor run `body` with what is referred to, on its own thread.
        ///
        /// As ``Handle/perform(_:)``, in order with it.
        ///
        /// - Throws: ``SocketError`` with operation `.perform`: `.cancelled` after the reactor has
        ///   ended, `.noBufferSpace` when ``Handle/limit`` closures wait already.
        public func perform(
            _ body: @escaping @Sendable (Value) throws -> Void
        ) throws(SocketError) {
            try place.mailbox.post(
                .closure { [place] reactor in
                    // It is there for as long as the place is, and of the type that was put there.
                    guard let value = reactor.referenced[place.key] as? Value else { return }
                    try body(value)
                })
        }
    }

    /// A place in a reactor's table; its end, on any thread, has the reactor empty it.
    fileprivate final class Place: Sendable {
        let key: UInt64
        let mailbox: Mailbox

        init(_ key: UInt64, _ mailbox: Mailbox) {
            self.key = key
            self.mailbox = mailbox
        }

        deinit {
            // The one error means that the table is gone: letters of this kind pass the limit.
            try? mailbox.post(.drop(key))
        }
    }

    /// Makes a reference by which other threads reach something on this reactor's: a channel, or
    /// state of the program's own.
    public func reference<Value>(to value: Value) -> Reference<Value> {
        lastReference += 1
        referenced[lastReference] = value
        return Reference(place: Place(lastReference, mailbox))
    }
}
