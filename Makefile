# Two commands are enough: make demo, make test. Each sets up its own needs on a
# machine with Go, make and Debian.

GO        ?= go
FUZZTIME  ?= 20s
TESTFLAGS ?= -timeout 20m

# Programs that the tests run beside Go.
PROGRAMS = age zstd jq openssl sqlite3 gcc pgbouncer /sbin/mkfs.ext4=e2fsprogs /bin/umount=mount \
	'/usr/lib/postgresql/*/bin/initdb=postgresql'

# SQLite is Go code here, and the race detector makes it ten times slower. So the
# detector sees only the packages with goroutines, without the tests that repeat a
# whole backup or restore hundreds of times.
RACED    = ./pack ./manifest/... ./remote/... ./vault ./instance ./instance/sqlite ./instance/postgres/... \
           ./instance/media ./instance/export ./rebuild/... ./cmd/holdfast/terminal
RACESKIP = EveryNight|EveryFlippedBit|FlippedBitOfEachByte|EveryTruncation|LostReplyAndFailureOfEachPut

.PHONY: help build demo setup test full race lint errcheck vulnerabilities fuzz bench check clean

help:
	@echo 'make build   build bin/holdfast'
	@echo 'make demo    make a sample instance, back it up, restore it, compare every byte'
	@echo 'make setup   install Debian packages, build GoToSocial, MinIO, its client and the linters; test and race call it'
	@echo 'make test    run all tests, with real GoToSocial, MinIO and PostgreSQL servers'
	@echo 'make full    run all tests with every promised number: an hour and a half on 2 cores'
	@echo 'make race    run the packages with goroutines under the race detector'
	@echo 'make lint    run gofmt, vet, staticcheck, errcheck and the checks of the layout (TestHouse)'
	@echo 'make check   lint, race and test'
	@echo 'make fuzz    run each fuzz target for FUZZTIME ($(FUZZTIME))'
	@echo 'make bench   run the benchmarks; docs/benchmarks.md compares with other tools'
	@echo 'make errcheck          list calls whose error nobody reads'
	@echo 'make vulnerabilities   ask the database of Go vulnerabilities; needs the network'

build:
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/holdfast ./cmd/holdfast

demo: build
	bin/holdfast demo

setup: tools/bin/gotosocial tools/bin/minio tools/bin/mc tools/bin/staticcheck tools/bin/errcheck
	@tools/setup $(PROGRAMS)

# The test runner's lines come last.
test: setup
	$(GO) test $(TESTFLAGS) ./...

# make test runs the same tests with fewer nights, kills and bytes, and without the
# older GoToSocial.
full: setup tools/bin/gotosocial-older
	HOLDFAST_FULL=1 $(GO) test -count=1 -timeout 4h ./...

race: setup
	CGO_ENABLED=1 $(GO) test -race -skip '$(RACESKIP)' $(TESTFLAGS) $(RACED)

lint: tools/bin/staticcheck errcheck
	@unformatted=$$(gofmt -l $$(git ls-files --cached --others --exclude-standard '*.go')) && \
		test -z "$$unformatted" || { echo "gofmt -w $$unformatted"; exit 1; }
	$(GO) vet ./...
	tools/bin/staticcheck ./...
	$(GO) test -run '^TestHouse' ./integration

# tools/errcheck.txt lists the functions whose error may be dropped, and why.
errcheck: tools/bin/errcheck
	tools/bin/errcheck -ignoretests -exclude tools/errcheck.txt ./...

# Not part of lint: govulncheck asks a server, and lint works without the network.
# The workflow in .github runs the target on each change and once a week.
vulnerabilities: tools/bin/govulncheck
	tools/bin/govulncheck ./...

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

# MinIO takes five minutes from a cold cache, the others less than one.
tools/bin/minio:       TOOL = github.com/minio/minio
tools/bin/mc:          TOOL = github.com/minio/mc
tools/bin/staticcheck: TOOL = honnef.co/go/tools/cmd/staticcheck
tools/bin/errcheck:    TOOL = github.com/kisielk/errcheck
tools/bin/govulncheck: TOOL = golang.org/x/vuln/cmd/govulncheck
tools/bin/minio tools/bin/mc tools/bin/staticcheck tools/bin/errcheck tools/bin/govulncheck: tools/go.mod tools/go.sum
	cd tools && CGO_ENABLED=0 $(GO) build -o $(@:tools/%=%) $(TOOL)

# GoToSocial takes five minutes from a cold cache. Its module stands apart, because it
# needs an older Go. A file that is older than its module is built again.
tools/bin/gotosocial: tools/gotosocial/go.mod tools/gotosocial/go.sum tools/gotosocial/build
	cd tools/gotosocial && GO=$(GO) ./build code.superseriousbusiness.org/gotosocial ../bin/gotosocial

tools/bin/gotosocial-older: tools/gotosocial/older/go.mod tools/gotosocial/older/go.sum tools/gotosocial/build
	cd tools/gotosocial/older && GO=$(GO) ../build github.com/superseriousbusiness/gotosocial ../../bin/gotosocial-older

clean:
	rm -rf bin tools/bin
