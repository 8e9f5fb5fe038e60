# Every target sets up what it needs: on a bare Debian or Ubuntu it takes no more than Swift.
# `make` alone lists the targets.

.DEFAULT_GOAL := help
.PHONY: help build demo test check sanitize soak fuzz bench million attacks reloads docs api rows format clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /|/' \
	    | while IFS='|' read -r name what; do printf 'make %-9s %s\n' "$$name" "$$what"; done

build: ## build the library and the command for debugging
	@Scripts/setup.sh dev
	swift build

demo: ## echo server and load: 10,000 connections, progress, a report
	@Scripts/demo.sh

test: ## every test
	@Scripts/setup.sh interop
	@Scripts/test.sh

check: ## format, warnings, refusals, symbols, API, rows, documentation, examples
	@Scripts/check.sh

sanitize: ## every test under AddressSanitizer, then under ThreadSanitizer
	@Scripts/setup.sh interop
	SWIFT_BACKTRACE=enable=no Scripts/test.sh --sanitize=address -Xswiftc -DSANITIZED --scratch-path .build-asan
	SWIFT_BACKTRACE=enable=no Scripts/test.sh --sanitize=thread -Xswiftc -DSANITIZED --scratch-path .build-tsan

soak: ## 2,000 connections of all kinds for ten minutes, two of them under ThreadSanitizer
	@Scripts/setup.sh dev
	@Scripts/soak.sh

fuzz: ## the fuzz targets, a minute each
	@Scripts/setup.sh dev
	@Scripts/fuzz.sh

bench: ## Sluice beside its peers; writes Benchmarks/RESULTS.md
	@Scripts/bench.sh

million: ## a million connections held at once; writes its part of Benchmarks/RESULTS.md
	@Scripts/million.sh

attacks: ## a server under attack, and its honest clients; writes its part of Benchmarks/RESULTS.md
	@Scripts/attacks.sh

reloads: ## reloads and killed workers under load; writes its part of Benchmarks/RESULTS.md
	@Scripts/reloads.sh

docs: ## the documentation, under .build/docs and .build/docs-text
	@Scripts/check-docs.sh

api: ## rewrite the committed lists of public declarations, under API
	@Scripts/api.sh

rows: ## rewrite the page of rows from Tests/Rows/rows.txt and the tests
	@Scripts/rows.sh --write

format: ## rewrite the Swift files in the project's format
	@Scripts/format.sh

clean: ## remove everything that was built
	rm -rf .build .build-* Benchmarks/.build* Examples/.build*
