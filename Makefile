# The first two commands: make run, make test. Both install what is missing themselves.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.PHONY: run test build setup setup-test bench interop lint vet fuzz clean

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -X github.com/roadcomb/roadcomb/cmd/internal/app.Version=$(VERSION)
# Data folder of make run; it is kept between runs.
ROADCOMB_HOME ?= data
export ROADCOMB_HOME

# make run                 a demo drive, then the map
# make run DRIVE=path      your own footage
# make run DEMO_EXIT=1     stop once the drive is on the map
run: setup build
	bin/roadcomb up $(if $(DRIVE),--drive "$(DRIVE)",--demo) $(if $(DEMO_EXIT),--exit-when-done)

build:
	@mkdir -p bin
	go build -ldflags "$(LDFLAGS)" -o bin/ ./cmd/roadcomb
	CGO_ENABLED=0 go build -ldflags "-X github.com/roadcomb/roadcomb/cmd/roadcam/internal/roadcam.Version=$(VERSION)" -o bin/ ./cmd/roadcam

setup:
	@.ci/setup run
setup-test:
	@.ci/setup test

test: setup-test vet
	.ci/with-postgres go test -timeout 20m ./...

vet:
	go vet ./...

lint:
	golangci-lint run

bench: setup-test build
	go test -run '^$$' -bench . -benchtime 1s ./...

interop: setup-test build
	@for f in $$(find . -path ./node_modules -prune -o -name interop.sh -print | sort); do echo "interop: $$f"; bash $$f || exit 1; done

clean:
	rm -rf bin dist
