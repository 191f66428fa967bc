# roost: `make run` starts a node, `make test` passes the tests.
.DEFAULT_GOAL := help
SHELL := /bin/bash

GO        ?= go
PKGS      := ./...
RUN_FLAGS ?= --listen 127.0.0.1:8080 --api 127.0.0.1:8081 --auth none --data-dir var --echo
FUZZTIME  ?= 2s
# Everything is compiled in one way, what is shipped as what is tested, and the same for a clone in another folder: what one has
# compiled all have.
export GOFLAGS := $(filter-out -trimpath,$(GOFLAGS)) -trimpath

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: build ## build and start a node on loopback; prints where to go
	@exec bin/roostd $(RUN_FLAGS) --guide

.PHONY: cluster
cluster: bin/deskcluster bin/roostd bin/roostctl bin/loadgen need-servers ## etcd, Redis and three nodes in two zones on loopback; prints what to try, Ctrl-C ends all
	@exec bin/deskcluster $(CLUSTER_FLAGS)

.PHONY: build
build: bin/roostd bin/loadgen bin/bench bin/roostctl ## build bin/roostd, bin/loadgen, bin/bench and bin/roostctl

# The Go tool knows best what is out of date.
.PHONY: bin/roostd bin/loadgen bin/bench bin/roostctl bin/deskcluster
bin/roostd bin/loadgen bin/bench bin/roostctl bin/deskcluster: bin/%: need-go
	@$(GO) build -o $@ ./cmd/$*

# Each stage has what no other has. go vet has been there (lint), so go test leaves it out; without DWARF (-w), which no
# test reads, some 90 test binaries are linked in less. Commands that tests start as processes are built once (server/testbin).
TEST   := ROOST_BIN=$(CURDIR)/bin $(GO) test -vet=off -ldflags=-w -timeout 10m
TESTED := bin/roostd bin/loadgen bin/roostctl
# Those whose tests run on one goroutine have nothing for the race detector: they run whole without it, as do ring and decay,
# where some things are too large for it (16 million points, 24 million records). Of these two, tests in which goroutines
# meet have Stress in their names; elsewhere dear ones on one goroutine have Pure, and run in test-plain.
STARTS = $(shell tools/racy.sh yes)
PURE   = $(sort $(shell tools/racy.sh no; $(GO) list ./ring/... ./decay/...))
RACY   = $(filter-out $(PURE),$(STARTS))
STRESS = $(filter $(PURE),$(STARTS))
PLAIN  = $(filter-out $(PURE),$(shell grep -rlE --include='*_test.go' '^func (Benchmark|Test[A-Za-z0-9]*(Alloc|Pure|Simulation))' poller server loadgen bench cmd | grep -v '^bench/[a-z]*peers/' | xargs -n1 dirname | sort -u | sed 's|^|roost/|'))
# What computes steps back behind tests that wait (nice): some of those have a second for what takes milliseconds. For the same
# reason the stages come one after the other: side by side on two cores, tests of leases and of load failed.
POLITE := -toolexec 'nice -n 10'
# Tests under the race detector wait for half of their time: one package more at once than there are processors.
WIDE   := -p $(shell echo $$(($$(nproc) + 1)))

.PHONY: test
test: need-go need-all need-format lint $(TESTED) ## all tests: format, vet, staticcheck, race, allocation gates, benchmarks once, fuzz smoke, C, JavaScript
	$(TEST) -race -skip Pure -shuffle=on $(WIDE) $(POLITE) $(RACY)
	$(TEST) -race -shuffle=on $(POLITE) -run Stress $(STRESS)
	@$(MAKE) --no-print-directory test-plain
	@$(MAKE) --no-print-directory test-pure
	@# Side by side: the last two wait for other programs most of the time.
	@$(MAKE) --no-print-directory -j 3 --output-sync=target test-fuzz test-others test-browsers

.PHONY: test-plain test-pure
test-plain:
	@# Of those that had the race detector, which allocates: allocation gates, each benchmark once so that they stay
	@# alive, the simulations with more seeds, and what was not worth its price there.
	ROOST_SIM_SEEDS=500 $(TEST) -shuffle=on -run 'Alloc|Pure|Simulation' -bench . -benchtime 1x $(PLAIN)
test-pure:
	@# Nights in simulation (decay/dawn) take 0.09 s of CPU a seed; test-long has 2,000 of them.
	ROOST_SIM_SEEDS=100 $(TEST) -shuffle=on -bench . -benchtime 1x $(PURE)

.PHONY: test-fuzz test-others test-browsers
test-fuzz:
	FUZZTIME=1s tools/fuzz.sh $(FUZZED)
test-others:
	@# The servers that roostd is compared with do the same job, each checked.
	cd bench/peers && $(GO) vet ./... && $(GO) test -vet=off ./...
	cd bench/ringpeers && $(GO) vet ./... && $(GO) test -vet=off ./...
	@# The manifests, by Kubernetes' own types.
	cd deploy/kubetypes && $(GO) vet ./... && $(GO) test -vet=off ./...
	@# And those that loadgen's dialects are tried on: they build.
	cd loadgen/dialect/peers && $(GO) vet ./... && $(GO) build ./...
	@$(MAKE) --no-print-directory test-ring-c
test-browsers:
	@$(MAKE) --no-print-directory test-js
	@$(MAKE) --no-print-directory test-report

.PHONY: test-long
test-long: need-go need-gcc need-servers ## what make test does with fewer seeds or smaller sizes: each night, and before a release
	@# Thousands of seeds (sim has the others), and all setups of the model of a night.
	ROOST_SIM_SEEDS=2000 $(GO) test -run Simulation -timeout 30m ./decay/dawn
	ROOST_MODEL=full $(GO) test -timeout 30m ./decay/dawn
	@# 24 million records across turnovers, every interleaving of three observers.
	ROOST_STRESS=1 $(GO) test -race -timeout 30m ./decay/window
	@$(MAKE) --no-print-directory sim
	FUZZTIME=10s tools/fuzz.sh $(FUZZED)

SEEDS ?= 2000
.PHONY: sim
sim: need-go ## simulate clusters and deliveries in virtual time, SEEDS of each (2000); a seed that fails is printed as a command
	$(GO) test -run 'TestSimulation$$' -timeout 0 -v ./server/mesh -seeds=$(SEEDS)
	ROOST_SIM_SEEDS=$(SEEDS) $(GO) test -run 'TestSimulation$$' -timeout 0 -v ./server/delivery

.PHONY: test-ring-c
test-ring-c: need-gcc ## the ring in C, and from other languages; says which toolchains are there, installs a Java library
	ring/c/test.sh

.PHONY: test-js
test-js: bin/roostd ## the JavaScript client: in Node and in Chromium, against a real roostd; installs what is missing
	ROOSTD=$(CURDIR)/bin/roostd server/client/js/test.sh

.PHONY: test-report
test-report: need-go ## the pages of results, comparisons and trends in Chromium: light, dark, on a phone; installs what is missing
	@tools/need.sh $${CHROMIUM:-chromium}
	ROOST_BROWSER=1 $(GO) test -run InBrowser -count 1 -timeout 5m ./loadgen/report ./bench/compare ./bench/trend

.PHONY: check
check: need-go need-servers need-format lint ## before each commit: format, vet, staticcheck, short tests; under 2 minutes
	@# In order, so that what has not changed is not run again.
	$(GO) test -vet=off -ldflags=-w -short -timeout 2m $(PKGS)

.PHONY: lint
lint: need-go
	$(GO) vet $(PKGS)
	$(GO) tool -modfile=tools/go.mod staticcheck $(PKGS)

FUZZED := poller ring decay server loadgen bench cmd
.PHONY: fuzz
fuzz: need-go ## each fuzz target for FUZZTIME (2s), one a processor at a time
	@FUZZTIME=$(FUZZTIME) tools/fuzz.sh $(FUZZED)

.PHONY: bench-once
bench-once: need-go ## every benchmark once, so that they stay alive
	@$(GO) test -run '^$$' -bench . -benchtime 1x $(PKGS) >/dev/null && echo "benchmarks run"

.PHONY: bench-peers
bench-peers: build need-gcc ## roostd beside its peers, interleaved, 3 rounds; writes bench/results (about an hour on a quiet machine)
	bench/peers/build.sh
	bin/bench peers $(BENCH_FLAGS)

.PHONY: calibrate
calibrate: build ## whether loadgen tells the truth, against servers of known behaviour (about 5 minutes)
	bin/loadgen calibrate

.PHONY: chaos
chaos: build need-servers ## a cluster of processes under faults, with a ledger of every message (SCENARIOS= for some); writes bench/results (26 took 18 minutes, the others take 1 to 10 each; none is begun after 40)
	bin/bench chaos $(SCENARIOS) $(BENCH_FLAGS)

.PHONY: million
million: build ## a million devices on this machine (N= for fewer; needs 12 GiB free), each reached; writes bench/results (about 10 minutes)
	bin/bench million --connections $(or $(N),1000000) $(BENCH_FLAGS)

.PHONY: bench-scenarios
bench-scenarios: build ## loadgen's scenarios against roostd, each once and short; writes bench/results (about 6 minutes)
	bin/bench scenarios $(BENCH_FLAGS)

.PHONY: bench-cluster
bench-cluster: build need-servers ## a cluster's latencies, ring changes and choices of nodes; writes bench/results (about 6 minutes on a quiet machine)
	bin/bench couplings
	bin/bench rings
	bin/bench cluster-latency

.PHONY: bench-ring
bench-ring: need-go ## the ring beside other libraries, interleaved; writes bench/results (about 15 minutes)
	cd bench/ringpeers && $(GO) build -o ../../bin/bench-ring .
	bin/bench-ring $(BENCH_FLAGS)

.PHONY: decay-report
decay-report: bin/bench ## simulate what weights do to a cluster, and compare models of decay; writes bench/results
	bin/bench decay-report
	bin/bench decay

.PHONY: clean
clean: ## remove what was built
	rm -rf bin var bench/peers/bin

# What a fresh machine may lack is installed, and said: all of it at once.
SERVERS   := redis-server redis-cli:redis-tools etcd:etcd-server haproxy nginx:libnginx-mod-stream /usr/lib/nginx/modules/ngx_stream_module.so:libnginx-mod-stream curl systemd-analyze:systemd python3
COMPILERS := gcc g++ /usr/include/stdio.h:libc6-dev
PAGES      = node:nodejs npm $${CHROMIUM:-chromium} $(if $(shell command -v javac),/usr/share/java/jna.jar:libjna-java)
.PHONY: need-go need-gcc need-servers need-all need-format
need-servers:
	@tools/need.sh $(SERVERS)
need-gcc:
	@tools/need.sh $(COMPILERS)
need-all:
	@tools/need.sh $(SERVERS) $(COMPILERS) $(PAGES)
need-go:
	@command -v $(GO) >/dev/null || { echo "Go 1.26 or newer is needed: https://go.dev/dl"; exit 1; }
need-format:
	@out=$$(gofmt -l $$(git ls-files --cached '*.go')); [ -z "$$out" ] || { echo "not formatted (gofmt -w): $$out"; exit 1; }
