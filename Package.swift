// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0
//
// The package: the library on top of two system libraries, name servers, the load engine and the command.
// With SLUICE_STRICT=1 in the environment every warning is an error, as in `make check`.

import PackageDescription

let strict = Context.environment["SLUICE_STRICT"] == "1"

let settings: [SwiftSetting] =
    [
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"),
    ] + (strict ? [.treatAllWarnings(as: .error)] : [])

let argumentParser: Target.Dependency = .product(
    name: "ArgumentParser", package: "swift-argument-parser",
    condition: .when(traits: ["Command", "Complete"]))

// What each benchmark needs that starts processes of its own.
let benchmark: [Target.Dependency] = ["BenchmarkSupport", "Sluice", "SluiceReport", argumentParser]

let package = Package(
    name: "sluice",
    products: [
        .library(name: "Sluice", targets: ["Sluice"]),
        .library(name: "SluiceText", targets: ["SluiceText"]),
        .library(name: "SluiceDNS", targets: ["SluiceDNS"]),
        .library(name: "SluiceLogging", targets: ["SluiceLogging"]),
        .library(name: "SluiceMetrics", targets: ["SluiceMetrics"]),
        .library(name: "SluiceServiceLifecycle", targets: ["SluiceServiceLifecycle"]),
        .library(name: "SluiceLoad", targets: ["SluiceLoad"]),
        .executable(name: "sluice", targets: ["SluiceCommand"]),
    ],
    // What a dependent may ask for, each with the packages it needs. `Complete` stands for all of them, and
    // is one trait and not a set of them: SwiftPM gives the compiler their names in no fixed order, and
    // would build everything anew each time.
    traits: [
        .trait(name: "Logging", description: "SluiceLogging, with swift-log"),
        .trait(name: "Metrics", description: "SluiceMetrics, with swift-metrics"),
        .trait(
            name: "ServiceLifecycle",
            description: "SluiceServiceLifecycle, with swift-service-lifecycle"),
        .trait(name: "Load", description: "SluiceLoad, with hdrhistogram-swift"),
        .trait(name: "Command", description: "the command sluice, with swift-argument-parser"),
        .trait(name: "Complete", description: "all of them, as whoever works on the package needs"),
        .default(enabledTraits: ["Complete"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.5.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.6.0"),
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
        .systemLibrary(
            name: "CCares",
            path: "CShims/CCares",
            pkgConfig: "libcares",
            providers: [.apt(["libc-ares-dev"]), .brew(["c-ares"])]
        ),
        .systemLibrary(
            name: "COpenSSL",
            path: "CShims/COpenSSL",
            pkgConfig: "libcrypto",
            providers: [.apt(["libssl-dev"]), .brew(["openssl"])]
        ),
        .target(name: "SluiceText", swiftSettings: settings),
        .target(
            name: "Sluice", dependencies: ["CLibevent", "CSystemCalls", "SluiceText"],
            swiftSettings: settings),
        .target(
            name: "SluiceDNS", dependencies: ["CCares", "CSystemCalls", "Sluice"],
            swiftSettings: settings),
        .target(
            name: "SluiceLogging",
            dependencies: [
                "Sluice",
                .product(
                    name: "Logging", package: "swift-log",
                    condition: .when(traits: ["Logging", "Complete"])),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "SluiceMetrics",
            dependencies: [
                "Sluice",
                .product(
                    name: "Metrics", package: "swift-metrics",
                    condition: .when(traits: ["Metrics", "Complete"])),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "SluiceServiceLifecycle",
            dependencies: [
                "Sluice",
                .product(
                    name: "ServiceLifecycle", package: "swift-service-lifecycle",
                    condition: .when(traits: ["ServiceLifecycle", "Complete"])),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "SluiceLoad",
            dependencies: [
                "Sluice",
                .product(
                    name: "Histogram", package: "hdrhistogram-swift",
                    condition: .when(traits: ["Load", "Command", "Complete"])),
            ],
            swiftSettings: settings
        ),
        .target(name: "SluiceReport", swiftSettings: settings),
        .executableTarget(
            name: "SluiceCommand",
            dependencies: [
                "COpenSSL", "Sluice", "SluiceText", "SluiceDNS", "SluiceLoad", "SluiceReport",
                argumentParser,
            ],
            swiftSettings: settings
        ),
        .target(
            name: "BenchmarkSupport", dependencies: ["CSystemCalls", "SluiceReport"],
            path: "Benchmarks/Support", swiftSettings: settings),
        .executableTarget(
            name: "MillionBenchmark", dependencies: benchmark, path: "Benchmarks/Million",
            swiftSettings: settings),
        .executableTarget(
            name: "AttackBenchmark", dependencies: benchmark, path: "Benchmarks/Attacks",
            swiftSettings: settings),
        .executableTarget(
            name: "ReloadBenchmark", dependencies: benchmark, path: "Benchmarks/Reloads",
            swiftSettings: settings),
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
            name: "DNSTests", dependencies: ["Sluice", "SluiceDNS", "TestSupport"],
            swiftSettings: settings),
        .testTarget(
            name: "ServiceTests",
            dependencies: [
                "Sluice", "SluiceLogging", "SluiceMetrics", "SluiceServiceLifecycle", "TestSupport",
                .product(
                    name: "MetricsTestKit", package: "swift-metrics",
                    condition: .when(traits: ["Metrics", "Complete"])),
                .product(
                    name: "ServiceLifecycleTestKit", package: "swift-service-lifecycle",
                    condition: .when(traits: ["ServiceLifecycle", "Complete"])),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "InteropTests", dependencies: ["Sluice", "TestSupport"], swiftSettings: settings),
        .testTarget(
            name: "HostileTests", dependencies: ["Sluice", "TestSupport"], swiftSettings: settings),
        .testTarget(
            name: "SoakTests", dependencies: ["Sluice", "TestSupport"], swiftSettings: settings),
        .testTarget(
            name: "CommandTests",
            dependencies: ["Sluice", "SluiceCommand", "SluiceLoad", "SluiceReport", "TestSupport"],
            swiftSettings: settings),
    ],
    swiftLanguageModes: [.v6]
)
