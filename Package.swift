// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0
//
// The package: the library on top of two system libraries, the load engine and the command.
// With SLUICE_STRICT=1 in the environment every warning is an error, as in `make check`.

import PackageDescription

let strict = Context.environment["SLUICE_STRICT"] == "1"

let settings: [SwiftSetting] =
    [
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"),
    ] + (strict ? [.treatAllWarnings(as: .error)] : [])

let package = Package(
    name: "sluice",
    products: [
        .library(name: "Sluice", targets: ["Sluice"]),
        .library(name: "SluiceText", targets: ["SluiceText"]),
        .library(name: "SluiceLoad", targets: ["SluiceLoad"]),
        .executable(name: "sluice", targets: ["SluiceCommand"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.6.0"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
    ],
    targets: [
        .systemLibrary(
            name: "CLibevent",
            path: "CShims/CLibevent",
            pkgConfig: "libevent_core",
            providers: [.apt(["libevent-dev"]), .brew(["libevent"])]
        ),
        .systemLibrary(name: "CSystemCalls", path: "CShims/CSystemCalls"),
        .target(name: "SluiceText", swiftSettings: settings),
        .target(
            name: "Sluice", dependencies: ["CLibevent", "CSystemCalls", "SluiceText"],
            swiftSettings: settings),
        .target(
            name: "SluiceLoad",
            dependencies: [
                "Sluice", .product(name: "Histogram", package: "hdrhistogram-swift"),
            ],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "SluiceCommand",
            dependencies: [
                "Sluice", "SluiceText", "SluiceLoad",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "TestSupport", dependencies: ["Sluice", "SluiceText"], path: "Tests/Support",
            swiftSettings: settings),
        .testTarget(
            name: "SluiceTextTests", dependencies: ["SluiceText", "TestSupport"],
            swiftSettings: settings),
        .testTarget(
            name: "SluiceTests", dependencies: ["Sluice", "SluiceText", "TestSupport"],
            swiftSettings: settings),
        .testTarget(
            name: "InteropTests", dependencies: ["Sluice", "TestSupport"], swiftSettings: settings),
        .testTarget(
            name: "HostileTests", dependencies: ["Sluice", "TestSupport"], swiftSettings: settings),
        .testTarget(
            name: "CommandTests", dependencies: ["SluiceCommand", "SluiceLoad", "TestSupport"],
            swiftSettings: settings),
    ],
    swiftLanguageModes: [.v6]
)
