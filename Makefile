# build, demo, test and lint need Go and make alone; what another target needs, make help says. Linters are pinned as tools
# in go.mod.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -s -w -funcalign=4 -X main.version=$(VERSION)
# As in the Dockerfile. docs/decisions.md says why.
SMALL := -tags nethttpomithttp2 -gcflags=all=-l -gcflags=wso2agent/internal/keystore= -gcflags=crypto/...= -gcflags=hash/...= -gcflags=runtime/...=

# The race detector needs a C compiler. In CI it is not optional.
RACE := $(shell command -v $$(go env CC) >/dev/null 2>&1 && echo -race)
ifeq ($(CI),true)
RACE := -race
endif

# With the race detector, a large part of all time goes into the loops of the standard library's hash functions, which derive
# keys from passwords, and of its arithmetic for keys and signatures. These functions share nothing, so the detector leaves them
# out. It then does not see either that one of them reads what another goroutine writes. Do not list packages of crypto that cache
# or synchronize: the detector then reports races that do not exist.
UNWATCHED := sha1 $(addprefix internal/fips140/,sha256 sha512 sha3 hmac pbkdf2 bigmod edwards25519/field nistec/fiat)
RACE_FLAGS := $(if $(RACE),$(RACE) $(foreach package,$(UNWATCHED),-gcflags=crypto/$(package)=-race=false))

.PHONY: help build man demo test test-allocations test-states test-versions lint vulnerabilities handshakes test-kill test-crash coverage model java-certificates bench fuzz image stand-ins test-compose test-real test-kubernetes clean

help:
	@echo 'make demo          the whole way with stand-ins, step by step (KEEP=1 leaves it running)'
	@echo 'make test          all tests'
	@echo 'make lint          gofmt, go vet, staticcheck, govulncheck'
	@echo 'make build         bin/agent, and the stand-ins beside it'
	@echo 'make man           man pages of the agent, in bin/man'
	@echo 'make handshakes    Java servers that connect to each other while certificates rotate, ROTATIONS=10 times (make test: two or three times)'
	@echo 'make test-kill     agents that are killed at every change of a rotation, KILLS=500 times at any moment (KILL_FROM=100 begins at a later change), and SEQUENCES=300 orders of events (make test: some)'
	@echo 'make test-states   20 random desired states, each applied after 10 interrupted runs, with faults, and random mistakes (make test: some)'
	@echo 'make test-crash    the same with CRASH_STATES=200 and CRASH_CUTS=50, beginning with state SEED=1'
	@echo 'make test-versions the whole life and the first start of two servers with stand-ins of six pairs of versions (make test: two, and one)'
	@echo 'make coverage      fails unless tests run every statement of internal/rotation'
	@echo 'make model         every order of EVENTS=3 events in a model of rotation, for SECONDS=3600 each world at most (make test-allocations: 2 events)'
	@echo 'make java-certificates  MUTANTS=1000000 mutants of certificates, held against Java (make test: some thousands)'
	@echo 'make bench         benchmarks'
	@echo 'make fuzz          every fuzz target in turn, FUZZTIME=10m each'
	@echo 'make image         the container image, wso2agent:latest (needs Docker)'
	@echo 'make stand-ins     images of stand-ins of two versions, tagged like the products (needs Docker)'
	@echo 'make test-compose  the compose files with these (needs Docker)'
	@echo 'make test-real     the compose files with real images: IS_IMAGE=… AM_IMAGE=… (needs Docker, 6 GiB and some hours; RUN=TestFacts only asks the servers)'
	@echo 'make test-kubernetes  the manifests with these (needs Docker and a cluster of one node; test/kubernetes/run tells more)'

build:
	CGO_ENABLED=0 go build $(SMALL) -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/agent ./cmd/wso2sim ./cmd/demo

# The generator of man pages is in a test, so that it does not weigh on the agent.
man:
	mkdir -p bin/man
	SOURCE_DATE_EPOCH=$(EPOCH) go test -count=1 -run '^TestManPages$$' ./cmd/agent -args -man '$(CURDIR)/bin/man'

demo: build
	@bin/demo $(if $(KEEP),-keep)

test:
	$(if $(RACE),CGO_ENABLED=1) go test $(RACE_FLAGS) -timeout 15m ./...

# Tests that count allocations, of which the race detector makes some of its own, and some that take very long with it: make test skips them,
# or runs a part of them. Those of internal/agent and the model, which both use one processor for long, run at the same time.
test-allocations:
	go test -run 'TestNoInputTakes|TestNoStepAllocatesMore|LittleMemory|TestFourTimes' ./internal/keystore ./internal/artifact ./internal/wso2sim ./internal/desired
	go test -run 'TestWhateverHappens|TestBothServersRotateAtOnce|Successor|Theft|Pool|EveryRenewal|FilesWithoutACA|WhosePort|ThePortsAre|TestNoOrderOfEvents|TestTheModelFinds' ./internal/agent ./internal/rotation

lint: vulnerabilities
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$unformatted" || { echo "not formatted: $$unformatted"; exit 1; }
	go vet ./...
	go vet -tags compose ./test/compose
	go vet -tags kubernetes ./test/kubernetes
	go vet -tags killpoints ./internal/file
	go tool staticcheck ./...
	go tool staticcheck -tags compose ./test/compose
	go tool staticcheck -tags kubernetes ./test/kubernetes

# Exit code 3 says that something was found. Anything else than 0 and 3 is a database that does not answer, unless it is
# the code that does not compile.
vulnerabilities:
	@found=$$(go tool govulncheck ./... 2>&1); code=$$?; \
	case $$code in \
	0) echo 'govulncheck: nothing found';; \
	3) echo "$$found"; exit 1;; \
	*) case $$found in *'fetching vulnerabilities'*) echo 'govulncheck: NOT RUN, its database does not answer';; *) echo "$$found"; exit 1;; esac;; \
	esac

# Prints all counts.
ROTATIONS ?= 10

handshakes:
	HANDSHAKE_ROTATIONS=$(ROTATIONS) go test -count=1 -timeout 30m -v -run TestHandshakes ./test/handshake

KILLS ?= 500
SEQUENCES ?= 300

test-kill:
	KILLS=$(KILLS) KILL_STRIDE=1 go test -count=1 -timeout 240m -v ./test/kill
	SEQUENCES=$(SEQUENCES) go test -count=1 -timeout 60m -run TestWhateverHappens ./internal/agent

# Without the race detector, which makes each run some times as long. Most of the time a run waits between two tries, so more of them
# than there are processors run at the same time.
test-states:
	CRASH_STATES=20 CRASH_CUTS=10 RANDOM_STATES=20 MUTANTS=200 go test -count=1 -parallel 20 -timeout 20m ./test/converge

CRASH_STATES ?= 200
CRASH_CUTS ?= 50
SEED ?= 1

test-crash:
	CRASH_STATES=$(CRASH_STATES) CRASH_CUTS=$(CRASH_CUTS) SEED=$(SEED) RANDOM_STATES=500 MUTANTS=2000 GOGC=400 go test -count=1 -parallel 32 -timeout 240m -v ./test/converge

# Every statement of what decides about rotations is tested, and not only by the model, which make test-allocations runs.
coverage:
	@covered=$$(go test -count=1 -cover -skip 'TestNoOrderOfEvents|TestTheModelFinds' ./internal/rotation) || { echo "$$covered"; exit 1; }; echo "$$covered"; \
	case $$covered in *'coverage: 100.0% of statements'*) ;; *) echo 'internal/rotation: statements without a test; go test -coverprofile shows which'; exit 1;; esac

EVENTS ?= 3
SECONDS ?= 3600

model:
	EVENTS=$(EVENTS) SECONDS=$(SECONDS) go test -count=1 -timeout 0 -v -run TestNoOrderOfEvents ./internal/rotation

MUTANTS ?= 1000000

java-certificates:
	JAVACERT_MUTANTS=$(MUTANTS) go test -count=1 -timeout 120m -v -run TestJavaReadsWhatIsAccepted ./internal/javacert

bench:
	go test -run '^$$' -bench . -benchmem ./...

# What a target finds lands in its package's testdata/fuzz, to be committed: every `make test` then tries it again.
FUZZTIME ?= 10m

fuzz:
	@set -e; for package in $$(go list ./...); do \
		for target in $$(go test -list '^Fuzz' $$package | grep '^Fuzz' || true); do \
			echo "$$package $$target"; \
			go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$package; \
		done; \
	done

# Two builds of one commit are equal: its time stands for all times in the image. PLATFORM=linux/arm64 builds for another.
EPOCH := $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
IMAGE ?= wso2agent:latest

image:
	docker build $(if $(PLATFORM),--platform $(PLATFORM)) $(IMAGE_OPTIONS) --build-arg SOURCE_DATE_EPOCH=$(EPOCH) --build-arg VERSION=$(VERSION) \
		--build-arg REVISION=$$(git rev-parse HEAD 2>/dev/null) -t $(IMAGE) .

# Every pair of versions that is run. Most of the time a run waits, so more of them than there are processors run at the same time.
test-versions:
	VERSIONS=all go test -count=1 -parallel 6 -timeout 10m ./test/versions

# Images of stand-ins under the products' own names, which the compose files start: of the default versions, and of the newest ones, which
# IS_VERSION and AM_VERSION select in a test. They never take the place of the real ones.
stand-ins:
	@for image in wso2/wso2is:7.1.0 wso2/wso2am:4.5.0 wso2/wso2is:7.3.0 wso2/wso2am:4.7.0; do \
		if docker image inspect $$image >/dev/null 2>&1 && test "$$(docker image inspect -f '{{index .Config.Labels "wso2agent.stand-in"}}' $$image)" != true; then \
			echo "$$image is here already, and no stand-in: untag it first (docker image rm $$image), or test on another machine"; exit 1; \
		fi; \
		target=$${image#*/}; target=$${target%%:*}; \
		case $$target in wso2is) version=IS_VERSION ;; *) version=AM_VERSION ;; esac; \
		docker build -q -f test/compose/Dockerfile --build-arg $$version=$${image#*:} --target $$target -t $$image .; \
	done

# The compose files on the engine that is here, with stand-ins. In a project of its own, on ports of its own.
test-compose: image stand-ins
	go test -tags compose -count=1 -timeout 30m -v ./test/compose
	cd test/compose/parse && go test -count=1 ./...

# The same tests with the images that IS_IMAGE and AM_IMAGE name, real ones included, one after the other. They also print which facts about
# the servers hold that the agent relies on. RUN=TestFacts runs these alone.
test-real: image
	REAL=1 IS_IMAGE='$(IS_IMAGE)' AM_IMAGE='$(AM_IMAGE)' go test -tags compose -count=1 -timeout 12h -v $(if $(RUN),-run '$(RUN)') ./test/compose

# The manifests of deploy/kubernetes on a real cluster, with stand-ins.
test-kubernetes: image stand-ins
	test/kubernetes/run

clean:
	rm -rf bin
