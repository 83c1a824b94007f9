# Everything that is done with this repository. "make help" lists the targets; CI calls "make check"
# and "make test" and nothing else. A Go toolchain, make and bash are enough: the rest is fetched as
# pinned versions, tools into .tools.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

TOOLS := $(CURDIR)/.tools
GOTESTSUM_VERSION := v1.13.0
GOLANGCI_VERSION := v2.15.0
BENCHSTAT_VERSION := v0.0.0-20260908200009-22c9c6c9d4da
GOVULNCHECK_VERSION := v1.3.0
KUBECONFORM_VERSION := v0.8.0
KUSTOMIZE_VERSION := v5.8.1
COMPOSE_VERSION := v2.16.2
# The versions whose definitions deploy/kubernetes is held against.
KUBERNETES_VERSION := v1.34.1
PROMETHEUS_OPERATOR_VERSION := v0.85.0
GOTESTSUM := $(TOOLS)/gotestsum-$(GOTESTSUM_VERSION)
GOLANGCI := $(TOOLS)/golangci-lint-$(GOLANGCI_VERSION)
BENCHSTAT := $(TOOLS)/benchstat-$(BENCHSTAT_VERSION)
GOVULNCHECK := $(TOOLS)/govulncheck-$(GOVULNCHECK_VERSION)
KUBECONFORM := $(TOOLS)/kubeconform-$(KUBECONFORM_VERSION)
KUSTOMIZE := $(TOOLS)/kustomize-$(KUSTOMIZE_VERSION)
COMPOSE := $(TOOLS)/compose-$(COMPOSE_VERSION)
SCHEMAS := $(TOOLS)/kubernetes-$(KUBERNETES_VERSION)-$(PROMETHEUS_OPERATOR_VERSION)

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
COMMIT := $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)

# How long each fuzz target runs, how often the load programs run, how long the leak soak runs, how often the faults of clusters
# come, and how long a package's tests may take.
FUZZTIME ?= 20s
RUNS ?= 1
SOAK ?= 2m
FAULTS ?= 20
TEST_TIMEOUT ?= 15m

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: build ## Start a development hub on 127.0.0.1:3000 with a store in data/
	@mkdir -p data
	exec bin/hubd serve --dev --store=bolt://data/hub.db

.PHONY: build
build: ## Build bin/hubd
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/hubd ./cmd/hubd

.PHONY: test
test: $(GOTESTSUM) ## Run all tests, after installing what they need
	@scripts/test-deps.sh
	$(GOTESTSUM) --format=pkgname -- -count=1 -timeout $(TEST_TIMEOUT) ./...

.PHONY: race
race: $(GOTESTSUM) ## Run all tests under the race detector
	@scripts/test-deps.sh
	$(GOTESTSUM) --format=pkgname -- -race -count=1 -timeout $(TEST_TIMEOUT) ./...

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME (20s)
	FUZZTIME=$(FUZZTIME) scripts/fuzz.sh

.PHONY: bench
bench: ## Run the load programs RUNS times (1) and print their tables (BENCH_QUICK=1: about a minute)
	go run ./bench -runs $(RUNS)

.PHONY: soak
soak: ## Let clients come and leave for SOAK (2m) and fail if any of them leaves something behind
	go run ./bench/soak -for $(SOAK)

.PHONY: faults
faults: ## Go through the faults of clusters FAULTS (20) times, one engine after the other
	@scripts/test-deps.sh
	FAULTS=$(FAULTS) go test -count=1 -parallel 1 -timeout 3h -run '^TestClusterFaults$$' -v ./cmd/hubd

.PHONY: bench-compare
bench-compare: $(BENCHSTAT) ## Compare the Go benchmarks of BASE (HEAD~1) and HEAD (the work tree); also BENCH, PKG, COUNT
	@BASE='$(BASE)' HEAD='$(HEAD)' BENCH='$(BENCH)' PKG='$(PKG)' COUNT='$(COUNT)' BENCHSTAT='$(BENCHSTAT)' scripts/bench-compare.sh

.PHONY: check
check: check-format check-modules check-length check-docs vet lint deploy-check ## Check format, modules, lengths, generated pages, vet, linters and manifests

.PHONY: deploy-check
deploy-check: $(KUBECONFORM) $(KUSTOMIZE) $(COMPOSE) $(SCHEMAS) ## Check manifests and compose files against their definitions
	DEPLOY_KUBECONFORM='$(KUBECONFORM)' DEPLOY_KUSTOMIZE='$(KUSTOMIZE)' DEPLOY_COMPOSE='$(COMPOSE)' DEPLOY_SCHEMAS='$(SCHEMAS)' \
	go test -count=1 -timeout $(TEST_TIMEOUT) -run '^(TestManifestsAreValid|TestComposeFilesAreValid)$$' ./deploy/deploytest

.PHONY: check-format
check-format:
	@files=$$(gofmt -l $$(find . -name '*.go' -not -path './.tools/*')); \
	if [ -n "$$files" ]; then echo "not formatted, run gofmt -w:" >&2; echo "$$files" >&2; exit 1; fi

.PHONY: check-modules
check-modules:
	go mod verify
	go mod tidy -diff

.PHONY: check-length
check-length:
	scripts/check-length.sh

.PHONY: check-docs
check-docs:
	@go run ./scripts/configdoc | diff -u docs/configuration.md - \
	|| { echo "docs/configuration.md is stale, run make docs" >&2; exit 1; }

.PHONY: vet
vet:
	go vet ./...

.PHONY: lint
lint: $(GOLANGCI)
	$(GOLANGCI) run ./...

.PHONY: vuln
vuln: $(GOVULNCHECK) ## Look for known vulnerabilities; needs vuln.go.dev, or a copy of it in GOVULNDB
	@GOVULNCHECK='$(GOVULNCHECK)' scripts/vuln.sh

.PHONY: docs
docs: ## Write the generated pages: docs/configuration.md
	page=$$(mktemp) && go run ./scripts/configdoc >"$$page" && cat "$$page" >docs/configuration.md && rm "$$page"

.PHONY: clean
clean: ## Remove what was built, the tools included; stores in data/ stay
	rm -rf bin $(TOOLS)

# A tool is built from source through the module proxy, under a name that holds its version, so that a
# new version replaces it. The toolchain at hand is used as it is.
$(GOTESTSUM):
	$(call install,gotest.tools/gotestsum,$(GOTESTSUM_VERSION))

$(GOLANGCI):
	$(call install,github.com/golangci/golangci-lint/v2/cmd/golangci-lint,$(GOLANGCI_VERSION))

$(BENCHSTAT):
	$(call install,golang.org/x/perf/cmd/benchstat,$(BENCHSTAT_VERSION))

$(GOVULNCHECK):
	$(call install,golang.org/x/vuln/cmd/govulncheck,$(GOVULNCHECK_VERSION))

$(KUBECONFORM):
	$(call install,github.com/yannh/kubeconform/cmd/kubeconform,$(KUBECONFORM_VERSION))

$(KUSTOMIZE):
	$(call install,sigs.k8s.io/kustomize/kustomize/v5,$(KUSTOMIZE_VERSION),kustomize)

$(COMPOSE):
	$(call install,github.com/compose-spec/compose-go/v2/cmd,$(COMPOSE_VERSION))

# What kubeconform checks with is made from two modules, whose sources hold the definitions. They are asked for outside of this
# module, which does not need them.
$(SCHEMAS):
	@echo "fetching the definitions of Kubernetes $(KUBERNETES_VERSION) and Prometheus Operator $(PROMETHEUS_OPERATOR_VERSION)"
	@directory() { (cd / && GOFLAGS= go mod download -json "$$1") | sed -n 's/^.*"Dir": "\(.*\)".*$$/\1/p'; }; \
	kubernetes=$$(directory k8s.io/kubernetes@$(KUBERNETES_VERSION)) && \
	operator=$$(directory github.com/prometheus-operator/prometheus-operator@$(PROMETHEUS_OPERATOR_VERSION)) && \
	rm -rf $@.part && go run ./deploy/schemas "$$kubernetes" "$$operator" $@.part && mv $@.part $@

define install
@mkdir -p $(TOOLS)
@echo "building $(or $(3),$(notdir $(1))) $(2) into .tools; this can take some minutes the first time"
@GOBIN=$(TOOLS) GOFLAGS= go install $(1)@$(2)
@mv $(TOOLS)/$(or $(3),$(notdir $(1))) $@
endef
