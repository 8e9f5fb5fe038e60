// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0
//
// The programs that the benchmarks measure and the one that compares them, out of the library's own
// package. So whoever depends on Sluice never fetches what it is only compared with.

import PackageDescription

// Unsafe flags are refused in a dependency, but this package is only ever a root.
let warnings: [CSetting] = [.unsafeFlags(["-Wall", "-Wextra", "-Wshadow", "-Wconversion"])]
let libeventHeader: [CSetting] = [.headerSearchPath("../CPeerEvents")]
let libevent: [LinkerSetting] = [.linkedLibrary("event_core")]

let package = Package(
    name: "sluice-benchmarks",
    products: [
        .executable(name: "compare", targets: ["Compare"]),
        .executable(name: "count-lines", targets: ["CountLines"]),
        .executable(name: "connection-states", targets: ["ConnectionStates"]),
        .executable(name: "resolving-server", targets: ["ResolvingServer"]),
        .executable(name: "peer-epoll", targets: ["EpollPeer"]),
        .executable(name: "peer-libevent", targets: ["LibeventPeer"]),
        .executable(name: "peer-bufferevent", targets: ["BuffereventPeer"]),
        .executable(name: "peer-nio", targets: ["NIOPeer"]),
    ],
    dependencies: [
        .package(name: "sluice", path: ".."),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    ],
    targets: [
        .executableTarget(name: "Compare", path: "Compare"),
        .target(name: "CAllocations", path: "Allocations/CAllocations", cSettings: warnings),
        .executableTarget(
            name: "CountLines",
            dependencies: ["CAllocations", .product(name: "Sluice", package: "sluice")],
            path: "Allocations/CountLines"
        ),
        .executableTarget(
            name: "ConnectionStates",
            dependencies: ["CAllocations", .product(name: "Sluice", package: "sluice")],
            path: "Allocations/ConnectionStates"
        ),
        .target(
            name: "CNameServer", path: "Resolving/CNameServer", cSettings: warnings,
            linkerSettings: [.linkedLibrary("pthread")]),
        .executableTarget(
            name: "ResolvingServer",
            dependencies: [
                "CNameServer",
                .product(name: "Sluice", package: "sluice"),
                .product(name: "SluiceDNS", package: "sluice"),
            ],
            path: "Resolving/ResolvingServer"
        ),
        .target(name: "PeerSupport", path: "Peers/PeerSupport", cSettings: warnings),
        .systemLibrary(
            name: "CPeerEvents",
            path: "Peers/CPeerEvents",
            pkgConfig: "libevent_core",
            providers: [.apt(["libevent-dev"])]
        ),
        .executableTarget(
            name: "EpollPeer",
            dependencies: ["PeerSupport"],
            path: "Peers/EpollPeer",
            cSettings: warnings
        ),
        .executableTarget(
            name: "LibeventPeer",
            dependencies: ["PeerSupport", "CPeerEvents"],
            path: "Peers/LibeventPeer",
            cSettings: warnings + libeventHeader,
            linkerSettings: libevent
        ),
        .executableTarget(
            name: "BuffereventPeer",
            dependencies: ["PeerSupport", "CPeerEvents"],
            path: "Peers/BuffereventPeer",
            cSettings: warnings + libeventHeader,
            linkerSettings: libevent
        ),
        .executableTarget(
            name: "NIOPeer",
            dependencies: [
                "PeerSupport",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            path: "Peers/NIOPeer"
        ),
    ],
    swiftLanguageModes: [.v6],
    cLanguageStandard: .gnu17
)
