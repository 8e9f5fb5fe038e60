// SPDX-License-Identifier: Apache-2.0
//
// What a reactor knows of its channels: which are open, and where their handlers' errors go.

extension Reactor {
    /// Called with every error that a handler throws, and the channel that it threw for, if any.
    ///
    /// Also told of what a server meets while accepting. Initially writes one line to standard
    /// error.
    public var onError: (any Error, Channel?) -> Void {
        get { errorHook }
        set { errorHook = { error, source in newValue(error, source as? Channel) } }
    }

    /// The channels that are open on this reactor, in no order.
    var channels: [Channel] { residents.compactMap { $0 as? Channel } }
}
