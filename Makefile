# The first two commands: make run, make test. Both install what is missing themselves.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.PHONY: future chaos soak scale drivers run test build programs setup setup-test setup-interop bench interop lint vet fuzz cross clean bench-tiles bench-vision

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -X github.com/roadcomb/roadcomb/cmd/internal/app.Version=$(VERSION)
# Data folder of make run; it is kept between runs.
ROADCOMB_HOME ?= data
export ROADCOMB_HOME

# make run                 a demo drive, then the map
# make run DRIVE=path      your own footage
# make run DEMO_EXIT=1     stop once the drive is on the map
run: setup programs
	bin/roadcomb up $(if $(DRIVE),--drive "$(DRIVE)",--demo) $(if $(DEMO_EXIT),--exit-when-done)

build: programs
	go build -ldflags "-X github.com/roadcomb/roadcomb/cmd/roadcomb-iceberg/internal/registrar.Version=$(VERSION)" -o bin/ ./cmd/roadcomb-iceberg

# What make run needs: all but roadcomb-iceberg.
programs:
	@mkdir -p bin
	go build -ldflags "$(LDFLAGS)" -o bin/ ./cmd/roadcomb
	CGO_ENABLED=0 go build -ldflags "-X github.com/roadcomb/roadcomb/cmd/roadcam/internal/roadcam.Version=$(VERSION)" -o bin/ ./cmd/roadcam

# Archives, the Debian package and checksums in dist; release-check builds them twice, in two places, and compares.
.PHONY: release release-check
release: setup
	.ci/release
release-check: setup
	.ci/release-check

setup:
	@.ci/setup run
setup-interop:
	@.ci/setup interop
setup-test:
	@.ci/setup test

test: setup-test vet
	.ci/with-postgres go test -timeout 20m ./...

vet:
	go vet ./...

# Known vulnerabilities that our code reaches, and what gosec finds; VULNDB=latest for the newest database.
.PHONY: security
security: setup
	.ci/security

lint:
	golangci-lint run

bench: setup-test build
	go test -run '^$$' -bench . -benchtime 1s ./...

# make bench-tiles CITY=folder   tiles of a synthetic city beside tippecanoe and PostGIS; see benchmarks/tiles/contest.sh
bench-tiles: build
	bash benchmarks/tiles/contest.sh "$(CITY)" $(or $(ROUNDS),5)

# make bench-vision DATA=folder   redaction: its cost step by step, against deface, and what it finds; benchmarks/vision/table.sh
bench-vision: build
	bash benchmarks/vision/table.sh "$(DATA)" $(or $(ROUNDS),5)

interop: setup-interop build
	@for f in $$(find . -path ./node_modules -prune -o -name interop.sh -print | sort); do echo "interop: $$f"; bash $$f || exit 1; done

# The tests on a day to come, as the Monday a ruleset begins, a leap day, a year's end: DAYS ahead, or a date.
DAYS ?= 7
PACKAGES ?= ./...
future: setup-test
	.ci/future $(DAYS) $(PACKAGES)

# Every fuzz target in turn, FUZZTIME each; crashers stay in testdata/fuzz of their package.
FUZZTIME ?= 10m
fuzz:
	@FUZZTIME=$(FUZZTIME) .ci/fuzz

# roadcam for every platform that drivers have.
cross:
	@for p in linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64; do echo "cross: $$p"; \
	  CGO_ENABLED=0 GOOS=$${p%/*} GOARCH=$${p#*/} go build -trimpath -o dist/roadcam-$${p%/*}-$${p#*/} ./cmd/roadcam || exit 1; done

clean:
	rm -rf bin dist

# A simulated fleet under faults, against a calm run of the same drives; the report is dist/chaos.json.
EVENTS ?= 1000
chaos: setup-test
	.ci/with-postgres go test ./cmd/roadcomb -run TestFaultsLose -count=1 -timeout 12h -v -args -chaos.events $(EVENTS) -chaos.gap 1s -chaos.longest 0 -chaos.drivers 6 -chaos.cheats 2 -fleet.report dist/chaos.json

# Four fifths of what the machine can do for MINUTES, then a burst; the report is dist/soak.json.
MINUTES ?= 30
soak: setup-test
	go test ./cmd/roadcomb -run TestSoak -count=1 -timeout 12h -v -args -soak.for $(MINUTES)m -fleet.report dist/soak.json

# How the API answers DRIVERS drivers at a time while a worker is busy; the report is dist/drivers.json.
DRIVERS ?= 200
drivers: setup-test
	go test ./cmd/roadcomb -run TestManyDrivers -count=1 -timeout 2h -v -args -drivers.at-once $(DRIVERS) -fleet.report dist/drivers.json

# The same drives through one worker process and two, and where the time goes; the report is dist/scale.json.
scale: setup-test
	go test ./cmd/roadcomb -run TestTwoWorkers -count=1 -timeout 2h -v -args -scale.drivers 24 -fleet.report dist/scale.json
