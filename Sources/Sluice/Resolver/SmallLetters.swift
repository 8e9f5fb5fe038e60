// SPDX-License-Identifier: Apache-2.0
//
// Names of hosts are the same whatever the case of their ASCII letters: RFC 4343.

extension UInt8 {
    /// A capital ASCII letter as the small one, any other byte as it is.
    package var smallLetter: UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(self) ? self | 0x20 : self
    }
}

extension String {
    /// With small letters for ASCII's capital ones; letters beyond ASCII stay as they are.
    package var smallLetters: String {
        if utf8.allSatisfy({ $0 == $0.smallLetter }) { return self }
        return String(decoding: utf8.map(\.smallLetter), as: UTF8.self)
    }
}
