// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0
//
// The examples, each a program of one file, as a package that depends on Sluice as any other would.
// `Echo` is the program of the README, letter for letter; `AsyncEcho` and `ChatRooms` are those of
// the tutorial.

import PackageDescription

let package = Package(
    name: "sluice-examples",
    dependencies: [.package(name: "sluice", path: "..", traits: [])],
    targets: [
        "AcceptDemo", "ActivatedEcho", "AsyncEcho", "ChatRoom", "ChatRooms", "DatagramEcho", "Echo",
        "FileReceiver", "FileSender", "Greet", "LineEcho", "Ping", "Relay", "SingleInstance",
        "SpamCheck", "Supervised", "TimeClient", "TimeServer",
    ].map { name in
        .executableTarget(name: name, dependencies: [.product(name: "Sluice", package: "sluice")])
    },
    swiftLanguageModes: [.v6]
)
