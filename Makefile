# `make` lists the targets. What must be green before a change lands is .ci/run;
# the targets below are its parts and what one wants in between.

.DEFAULT_GOAL := help
.PHONY: help build test race lint fuzz bench defences generate ci

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## Build dist/authproxy
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -buildid=' -o dist/authproxy ./cmd/authproxy

test: ## Run the tests; Go is enough
	go test ./...

race: ## Run the tests with the race detector, in another order each time
	go test -race -shuffle=on ./...

lint: ## gofmt, go vet, tidy, golangci-lint (.ci/run install brings it)
	.ci/run lint

fuzz: ## Run every fuzz target for FUZZTIME (5s)
	.ci/run fuzz

bench: ## Run the benchmarks with their allocations
	go test -run '^$$' -bench . -benchmem ./...

defences: ## Remove one defence at a time and see which named test fails
	.ci/run defences

generate: ## Write config.example.env from the comments of the settings
	go generate ./...

ci: ## Everything that must be green, as root on Debian
	.ci/run
