// SPDX-License-Identifier: Apache-2.0
//
// What addresses are for, at the bounds of each block.
// Python is asked about most of them elsewhere; here stand those in which its versions differ.

import Sluice
import TestSupport
import Testing

@Suite(.countingDescriptors)
struct TellingPurposes {
    @Test(arguments: ["0.0.0.0", "::", "::ffff:0.0.0.0"])
    func `an unspecified address says so`(text: String) {
        #expect(IPAddress(text)?.isUnspecified == true)
    }

    @Test(arguments: ["0.0.0.1", "1.0.0.0", "::1", "1::", "::ffff:0.0.0.1", "::fffe:0.0.0.0"])
    func `other addresses are specified`(text: String) {
        #expect(IPAddress(text)?.isUnspecified == false)
    }

    @Test(arguments: [
        ("126.255.255.255", false), ("127.0.0.0", true), ("127.0.0.1", true),
        ("127.255.255.255", true), ("128.0.0.0", false), ("::1", true), ("::", false),
        ("::2", false), ("1::1", false), ("::ffff:127.0.0.1", true), ("::127.0.0.1", false),
        ("::1%1", true),
    ])
    func `loopback is 127.0.0.0/8 and ::1`(text: String, isLoopback: Bool) {
        #expect(IPAddress(text)?.isLoopback == isLoopback)
    }

    @Test(arguments: [
        ("223.255.255.255", false), ("224.0.0.0", true), ("239.255.255.255", true),
        ("240.0.0.0", false), ("255.255.255.255", false), ("feff::", false), ("ff00::", true),
        ("ffff::1", true), ("ff02::1%1", true), ("::ffff:224.0.0.1", true),
    ])
    func `groups are 224.0.0.0/4 and ff00::/8`(text: String, isMulticast: Bool) {
        #expect(IPAddress(text)?.isMulticast == isMulticast)
    }

    @Test(arguments: [
        ("169.253.255.255", false), ("169.254.0.0", true), ("169.254.255.255", true),
        ("169.255.0.0", false), ("fe7f:ffff::", false), ("fe80::", true), ("febf:ffff::", true),
        ("fec0::", false), ("fe80::1%1", true), ("::ffff:169.254.1.1", true), ("ff02::1", false),
    ])
    func `one link's addresses are 169.254.0.0/16 and fe80::/10`(text: String, isLinkLocal: Bool) {
        #expect(IPAddress(text)?.isLinkLocal == isLinkLocal)
    }

    @Test(arguments: [
        "0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "127.0.0.1", "169.254.1.1",
        "172.16.0.0", "172.31.255.255", "192.0.0.0", "192.0.0.8", "192.0.0.11", "192.0.0.255",
        "192.0.2.0", "192.0.2.255", "192.88.99.2", "192.168.0.0", "192.168.255.255", "198.18.0.0",
        "198.19.255.255", "198.51.100.0", "203.0.113.255", "240.0.0.0", "255.255.255.255",
        "::", "::1", "64:ff9b:1::", "64:ff9b:1:ffff::", "100::", "100::ffff:0:0:0", "100:0:0:1::",
        "2001::", "2001:1::", "2001:1::4", "2001:2::", "2001:5::", "2001:10::", "2001:1ff:ffff::",
        "2001:db8::", "2001:db8:ffff::", "2002::", "2002:ffff::", "3fff::", "3fff:fff::", "5f00::",
        "5f00:ffff::", "fc00::", "fdff::", "fe80::", "febf::", "::ffff:10.0.0.1",
        "::ffff:127.0.0.1", "fe80::1%1",
    ])
    func `addresses of special blocks are private and not global`(text: String) {
        #expect(IPAddress(text)?.isPrivate == true)
        #expect(IPAddress(text)?.isGlobal == false)
    }

    @Test(arguments: [
        "1.0.0.0", "1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0",
        "126.255.255.255", "128.0.0.0", "172.15.255.255", "172.32.0.0", "192.0.0.9", "192.0.0.10",
        "192.0.1.0", "192.31.196.1", "192.52.193.1", "192.88.99.1", "192.88.99.3", "192.169.0.0",
        "192.175.48.1", "198.17.255.255", "198.20.0.0", "223.255.255.255", "224.0.0.1",
        "239.255.255.255", "::2", "64:ff9b::1", "64:ff9b:2::", "100:0:0:2::", "2001:1::1",
        "2001:1::2", "2001:1::3", "2001:3::", "2001:4:112::", "2001:20::", "2001:2f::", "2001:30::",
        "2001:3f::", "2001:200::", "2001:db7:ffff::", "2001:db9::", "2003::", "2620:4f:8000::",
        "3ffe:ffff::", "3fff:1000::", "5eff:ffff::", "5f01::", "fbff:ffff::", "fe00::", "fec0::",
        "ff0e::1", "::ffff:1.1.1.1",
    ])
    func `other addresses are global and not private`(text: String) {
        #expect(IPAddress(text)?.isGlobal == true)
        #expect(IPAddress(text)?.isPrivate == false)
    }

    @Test(arguments: ["100.64.0.0", "100.127.255.255", "::ffff:100.64.0.1"])
    func `a provider's shared block is neither private nor global`(text: String) {
        #expect(IPAddress(text)?.isPrivate == false)
        #expect(IPAddress(text)?.isGlobal == false)
    }
}
