# Two commands are enough: make demo, make test. Each sets up what it needs on a
# machine with Go, make and Debian.

GO        ?= go
FUZZTIME  ?= 20s
TESTFLAGS ?= -timeout 20m

# What the tests run beside Go.
PROGRAMS = age zstd jq openssl sqlite3 '/usr/lib/postgresql/*/bin/initdb=postgresql'

# Under the race detector SQLite, which is Go here, is ten times slower: only the
# packages that have goroutines, without the tests that repeat a whole backup
# or restore hundreds of times.
RACED    = ./pack ./manifest/... ./remote/... ./vault ./instance
RACESKIP = EveryNight|EveryFlippedBit|FlippedBitOfEachByte|EveryTruncation|LostReplyAndFailureOfEachPut

.PHONY: help build demo test full race lint fuzz bench check clean

help:
	@echo 'make demo    make a sample instance, back it up, restore it, compare every byte'
	@echo 'make test    run all tests, with real MinIO and PostgreSQL servers'
	@echo 'make full    the same with all the numbers that are promised: an hour and a half on 2 cores'
	@echo 'make race    run what has goroutines under the race detector'
	@echo 'make lint    gofmt, vet, staticcheck, import directions'
	@echo 'make fuzz    run each fuzz target for FUZZTIME ($(FUZZTIME))'
	@echo 'make bench   run the benchmarks; docs/benchmarks.md compares with other tools'
	@echo 'make check   lint, race and test'
	@echo 'make build   bin/holdfast'

build:
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/holdfast ./cmd/holdfast

demo: build
	bin/holdfast demo

test: tools/bin/minio
	@tools/setup $(PROGRAMS)
	$(GO) test $(TESTFLAGS) ./...

# make test runs each of these tests too, with fewer nights, kills and bytes.
full: tools/bin/minio
	@tools/setup $(PROGRAMS)
	HOLDFAST_FULL=1 $(GO) test -count=1 -timeout 4h ./...

race: tools/bin/minio
	@tools/setup gcc $(PROGRAMS)
	CGO_ENABLED=1 $(GO) test -race -skip '$(RACESKIP)' $(TESTFLAGS) $(RACED)

lint: tools/bin/staticcheck
	@unformatted=$$(gofmt -l $$(git ls-files --cached --others --exclude-standard '*.go')) && \
		test -z "$$unformatted" || { echo "gofmt -w $$unformatted"; exit 1; }
	$(GO) vet ./...
	tools/bin/staticcheck ./...
	$(GO) test -run '^TestHouse' ./integration

fuzz:
	@set -e; for package in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz'); do \
			echo "$$package $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1x $$package; \
		done; \
	done

bench: tools/bin/minio
	$(GO) test -run '^$$' -bench . -benchmem $(TESTFLAGS) ./...

check: lint race test

# Built once, five minutes from a cold cache.
tools/bin/minio: tools/go.mod tools/go.sum
	cd tools && CGO_ENABLED=0 $(GO) build -o bin/minio github.com/minio/minio

tools/bin/staticcheck: tools/go.mod tools/go.sum
	cd tools && CGO_ENABLED=0 $(GO) build -o bin/staticcheck honnef.co/go/tools/cmd/staticcheck

clean:
	rm -rf bin tools/bin
