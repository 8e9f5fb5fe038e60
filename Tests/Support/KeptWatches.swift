// SPDX-License-Identifier: Apache-2.0
//
// A place for registrations, so that their own handlers and each other's may change and end them.

public import Sluice

/// Up to three registrations that handlers may change and end.
public final class KeptWatches {
    private var first: Registration?
    private var second: Registration?
    private var third: Registration?

    /// A place without registrations.
    public init() {}

    /// Keeps a registration, in place of the one that was there; places count from 0.
    public func hold(_ registration: consuming Registration, at index: Int) {
        switch index {
        case 0: first = consume registration
        case 1: second = consume registration
        default: third = consume registration
        }
    }

    /// Changes what the first or the second is for.
    public func change(_ index: Int, to interest: Interest) throws {
        if index == 0 { try first?.change(to: interest) } else { try second?.change(to: interest) }
    }

    /// Ends the first or the second.
    public func end(_ index: Int) {
        if index == 0 { first = nil } else { second = nil }
    }

    /// Ends all that are left.
    public func endAll() {
        first = nil
        second = nil
        third = nil
    }
}
