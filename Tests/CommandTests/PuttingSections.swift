// SPDX-License-Identifier: Apache-2.0
//
// Scripts/results-section.sh, which puts what a benchmark prints into the page of results.

import Glibc
import TestSupport
import Testing

extension CommandSuite {
    struct PuttingSections {
        private static let page =
            "# Results\n\n## First\n\ntext\n\n## Machine, versions, method\n\nend\n"

        /// Puts a text into a page as the section `name`.
        private func put(
            _ text: String, as name: String = "name", into page: String
        ) throws -> CommandProcess.Ending {
            let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
            let script = try CommandProcess(
                "/\(root)/Scripts/results-section.sh", [name, page], input: Array(text.utf8))
            return try script.ended()
        }

        private func text(in folder: TemporaryFolder) throws -> String {
            String(decoding: try #require(folder.read("page")), as: UTF8.self)
        }

        @Test func `a new section comes before the last one of the page`() throws {
            let folder = try TemporaryFolder()
            let page = try folder.write(Array(Self.page.utf8), to: "page")
            // Nothing in it is read as anything but text.
            #expect(try put("a\\n & b\n\nc\n\n\n", into: page) == .exited(0))
            let section = "<!-- name -->\na\\n & b\n\nc\n<!-- /name -->\n\n"
            let end = "## Machine, versions, method"
            #expect(try text(in: folder) == Self.page.replacing(end, with: section + end))
            #expect(folder.names == ["page"])
        }

        @Test func `a page without that one has it at its end`() throws {
            let folder = try TemporaryFolder()
            let page = try folder.write(Array("text\n".utf8), to: "page")
            #expect(try put("a\n", into: page) == .exited(0))
            #expect(try text(in: folder) == "text\n\n<!-- name -->\na\n<!-- /name -->\n")
        }

        @Test func `a section is replaced, and the others stay`() throws {
            let folder = try TemporaryFolder()
            let page = try folder.write(Array(Self.page.utf8), to: "page")
            #expect(try put("old\n\nold\n", into: page) == .exited(0))
            #expect(try put("other\n", as: "other", into: page) == .exited(0))
            let before = try text(in: folder)
            #expect(try put("new\n", into: page) == .exited(0))
            #expect(try text(in: folder) == before.replacing("old\n\nold", with: "new"))
        }

        @Test func `the same twice is the same page`() throws {
            let folder = try TemporaryFolder()
            let page = try folder.write(Array(Self.page.utf8), to: "page")
            #expect(try put("a\nb\n", into: page) == .exited(0))
            let once = try text(in: folder)
            #expect(try put("a\nb\n", into: page) == .exited(0))
            #expect(try text(in: folder) == once)
        }

        @Test(
            arguments: [
                "<!-- name -->\nno end\n", "no begin\n<!-- /name -->\n",
                "<!-- /name -->\nturned\n<!-- name -->\n",
                "<!-- name -->\n<!-- /name -->\n<!-- name -->\n<!-- /name -->\n",
            ])
        func `a page whose marks do not fit stays as it is`(_ text: String) throws {
            let folder = try TemporaryFolder()
            let page = try folder.write(Array(text.utf8), to: "page")
            #expect(try put("new\n", into: page) == .exited(65))
            #expect(try self.text(in: folder) == text)
            #expect(folder.names == ["page"])
        }

        @Test func `nothing, a mark of its own and no page are refused`() throws {
            let folder = try TemporaryFolder()
            let page = try folder.write(Array(Self.page.utf8), to: "page")
            #expect(try put("\n\n", into: page) == .exited(65))
            #expect(try put("a\n<!-- /name -->\n", into: page) == .exited(65))
            #expect(try put("a\n", into: folder["none"]) == .exited(65))
            #expect(try put("a\n", as: "no name", into: page) == .exited(64))
            #expect(try text(in: folder) == Self.page)
        }
    }
}
