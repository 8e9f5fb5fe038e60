// SPDX-License-Identifier: Apache-2.0
//
// What came of one name: for people as a short table, for programs as a JSON object.

import Sluice
import SluiceReport

/// What came of one name.
struct ResolvedName {
    /// What is known of an answer, whatever was asked for.
    struct Answer {
        let values: [Value]
        let origin: NameOrigin
        let timeToLive: Duration?
        let canonicalName: String?
        let time: Duration
    }

    /// One of the answers: for people and for programs.
    struct Value {
        let text: String
        let json: JSONValue
    }

    let name: String
    let kind: NameKind
    let result: Result<Answer, ResolverError>

    init<Record>(
        _ name: String, _ kind: NameKind, _ result: Result<NameAnswer<[Record]>, ResolverError>,
        _ value: (Record) -> Value
    ) {
        self.name = name
        self.kind = kind
        self.result = result.map { answer in
            Answer(
                values: answer.value.map(value), origin: answer.origin,
                timeToLive: answer.timeToLive, canonicalName: answer.canonicalName,
                time: answer.time)
        }
    }

    /// Why there is no answer.
    var error: ResolverError? {
        if case .failure(let error) = result { error } else { nil }
    }
}

extension ResolvedName.Value {
    init(_ address: IPAddress) {
        self.init(text: "\(address)", json: .string("\(address)"))
    }

    init(name: String) {
        self.init(text: PrintedText.safe(name), json: .string(name))
    }

    init(_ service: ServiceRecord) {
        self.init(
            text: "\(PrintedText.safe(service.host)):\(service.port), "
                + "priority \(service.priority), weight \(service.weight)",
            json: .object([
                ("host", .string(service.host)), ("port", .integer(Int(service.port))),
                ("priority", .integer(Int(service.priority))),
                ("weight", .integer(Int(service.weight))),
            ]))
    }

    init(_ text: TextRecord) {
        self.init(text: "\"\(PrintedText.safe(text.text))\"", json: .string(text.text))
    }
}

// MARK: - For people

extension ResolvedName {
    /// The lines of the table, without the last line's end; `nil` where there is no answer.
    var text: String? {
        guard case .success(let answer) = result else { return nil }
        var rows = [("name", PrintedText.safe(name))]
        if let canonical = answer.canonicalName {
            rows.append(("canonical", PrintedText.safe(canonical)))
        }
        for (place, value) in answer.values.enumerated() {
            rows.append((place == 0 ? kind.noun : "", value.text))
        }
        rows.append(("source", "\(answer.origin)"))
        rows.append(("time to live", answer.timeToLive.map(Self.text) ?? "unknown"))
        rows.append(("time taken", NumberText.time(answer.time)))
        return rows.map { name, value in
            name + String(repeating: " ", count: max(1, 14 - name.count)) + value
        }.joined(separator: "\n")
    }

    /// Whole seconds, rounded down, as name servers tell them.
    private static func text(of timeToLive: Duration) -> String {
        "\(NumberText.grouped(Int(timeToLive.components.seconds))) s"
    }
}

// MARK: - For programs

extension ResolvedName {
    /// The answer, or the reason why there is none, as a JSON object.
    var json: JSONValue {
        let asked: [(String, JSONValue)] = [
            ("name", .string(name)), ("type", .string(kind.rawValue)),
        ]
        switch result {
        case .failure(let error): return .object(asked + [("error", .string("\(error)"))])
        case .success(let answer):
            return .object(
                asked + [
                    ("answers", .array(answer.values.map(\.json))),
                    ("source", .string("\(answer.origin)")),
                    ("time_to_live", .optional(answer.timeToLive.map { $0 / .seconds(1) })),
                    ("canonical_name", answer.canonicalName.map { .string($0) } ?? .null),
                    ("time_us", .number(answer.time / .microseconds(1))),
                ])
        }
    }
}
