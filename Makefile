# Consentry. `make help` lists the targets; the first `make test` builds Vault, for some five minutes.

SHELL := /bin/sh
GO    ?= go

# Programs built once are kept in the user's cache, where the tests look for Vault
# (localserver.FindVault), under names that change with their version.
USER_CACHE    := $(or $(XDG_CACHE_HOME),$(HOME)/$(if $(filter Darwin,$(shell uname -s)),Library/Caches,.cache))
CACHE         := $(USER_CACHE)/consentry
GO_VERSION    := $(shell $(GO) env GOVERSION)
version_of     = $(shell awk '$$1 == "$(1)" {print substr($$2, 2)}' $(2))
VAULT_VERSION := $(call version_of,github.com/hashicorp/vault,deploy/vault/server/go.mod)
LINT_VERSION  := $(call version_of,github.com/golangci/golangci-lint/v2,deploy/tools/go.mod)
VAULT         := $(CACHE)/vault/$(VAULT_VERSION)/vault
LINT          := $(CACHE)/tools/golangci-lint-$(LINT_VERSION)-$(GO_VERSION)

# Runs a command with one PostgreSQL and one Vault for all its tests.
SERVERS := bin/with-servers

.DEFAULT_GOAL := help
.PHONY: help build run test e2e bench lint generate verify vault packages clean FORCE

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## compile bin/consentry
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/consentry ./cmd/consentry

run: build ## start everything on this machine: PostgreSQL, API and demo data
	bin/consentry dev

test: packages vault $(SERVERS) ## vet, then all tests, race detector on, with real PostgreSQL and Vault
	$(GO) vet ./...
	$(SERVERS) $(GO) test -race -timeout 45m ./...

e2e: packages vault $(SERVERS) ## only the whole-path scenarios
	$(SERVERS) $(GO) test -race -timeout 45m ./internal/e2e/...

bench: packages vault ## the benchmarks, as ratios against their floors; writes bench.json
	GOGC=400 $(GO) test -run '^$$' -bench Ratios -benchtime 1x -timeout 60m ./internal/e2e/
	$(GO) test -run '^$$' -bench Direct -benchtime 3x -timeout 30m ./internal/importer/
	$(GO) test -run '^$$' -bench SegmentsExact -benchtime 1x -timeout 60m ./internal/custody/
	$(GO) test -run '^$$' -bench TenMillion -benchtime 1x -timeout 30m ./internal/segment/

# The linter's cache remembers file names of the checkout that filled it, so each checkout has its own.
lint: $(LINT) ## golangci-lint: import walls, secrets, errors, style
	GOLANGCI_LINT_CACHE=$(CURDIR)/.cache/golangci-lint $(LINT) run

generate: ## write the generated files anew
	$(GO) generate ./...

verify: ## fail when generated files, formatting or go.mod are not what they should be
	@before=$$({ git status --porcelain; git diff; } | git hash-object --stdin) && \
	$(MAKE) --no-print-directory generate && \
	after=$$({ git status --porcelain; git diff; } | git hash-object --stdin) && \
	if [ "$$before" != "$$after" ]; then \
		git status --short; echo 'verify: generated files were stale; run make generate and commit them' >&2; exit 1; fi
	@unformatted=$$(git ls-files '*.go' | xargs gofmt -l) && \
	if [ -n "$$unformatted" ]; then echo "verify: run gofmt -w on" $$unformatted >&2; exit 1; fi
	$(GO) mod tidy -diff
	$(GO) mod verify
	$(GO) vet ./...

vault: $(VAULT) ## build the Vault server for tests and development, once

# PostgreSQL and a C compiler for the race detector: installed with apt as root, else asked for.
packages:
	@.ci/packages

clean: ## remove what was built here; the user's cache stays
	rm -rf bin

$(SERVERS): FORCE
	@$(GO) build -o $@ ./internal/testenv/cmd/with-servers

# Built under another name first, so that an interrupted build leaves nothing behind. The
# minimal build has all that is used here: Transit, KV, raft and in-memory storage.
$(VAULT):
	@echo 'building Vault $(VAULT_VERSION): some five minutes, once'
	@mkdir -p $(@D)
	cd deploy/vault/server && CGO_ENABLED=0 $(GO) build -tags minimal -trimpath -o $@.new github.com/hashicorp/vault
	@mv $@.new $@

$(LINT):
	@echo 'building golangci-lint $(LINT_VERSION): a minute or two, once'
	@mkdir -p $(@D)
	cd deploy/tools && $(GO) build -trimpath -o $@.new github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	@mv $@.new $@
