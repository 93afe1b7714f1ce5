# What can be done here, by name: `make` alone lists it. Needed: Rust, Python 3.11 or newer with pip, make, a C compiler.
# Servers and tools are fetched once into ~/.cache/longshore (or LONGSHORE_CACHE), pinned by hash.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test test-long python-test examples-test simulate mutations chaos fuzz bounds check advisories locks alerts page pictures chart-test deploy-test scaling image image-test dist bench performance profile instructions

CARGO ?= cargo
# For `make test` and `make test-long`: what to pass on to `cargo test`, as in `make test ARGS='--lib decode'`.
ARGS ?=
# For `make simulate`: how many worlds, or the one to tell. For `make chaos`: the choices to make once more.
SEEDS ?= 100000
SEED ?=
# For `make chaos` (10 unless given) and `make fuzz` (1, for each target).
MINUTES ?=
export CARGO

# Said before a target begins: about how long it takes, as measured on two busy processors. A comma would end the text.
about = @echo 'make $@: about $(1)' >&2
built := once all is fetched and built, which takes 10 to 20 min the first time

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Drain a real queue of 20,000 messages into a real MongoDB, then check what is there
	$(call about,20 s $(built))
	@MONGOD="$$(scripts/mongod.sh)"; export MONGOD; exec $(CARGO) run --locked --profile demo -- demo

test: ## Run the tests (unit, integration against real servers, documentation) but the long ones, and count them
	$(if $(ARGS),,$(call about,4 min $(built)))
	@scripts/test.sh $(ARGS)

test-long: ## Run the long tests: most real faults, memory bounds, 800 simulated worlds
	$(if $(ARGS),,$(call about,11 min $(built)))
	@scripts/test.sh --long $(ARGS)

python-test: ## Check the types of clients/python, run its tests against the real worker, and build its wheel
	$(call about,1 min $(built))
	$(CARGO) build --locked
	@exec scripts/python-test.sh "$${CARGO_TARGET_DIR:-target}/debug/longshore" $(ARGS)

examples-test: ## Run the examples of producers (web2py's way, FastAPI, Celery, Node, SNS, EventBridge, boto3) against the real worker
	$(call about,1 min $(built))
	$(CARGO) build --locked
	@exec scripts/examples-test.sh "$${CARGO_TARGET_DIR:-target}/debug/longshore" $(ARGS)

simulate: ## Run SEEDS=100000 simulated worlds on all processors; SEED=7 tells one
	$(if $(SEED),,$(call about,45 s for each 1000 worlds $(built)))
	@if [ -n '$(SEED)' ]; then export SEED='$(SEED)'; test=one_seed_told; \
	else export SEEDS='$(SEEDS)'; test=every_promise_holds_in_as_many_worlds_as_you_like; fi; \
	exec $(CARGO) test --locked --profile demo --test it -- --ignored --exact --nocapture "simulation::$$test"

mutations: ## Break the pipeline in many ways, one by one, and see that the simulated worlds find each
	$(call about,an hour)
	@exec python3 tests/mutations.py

fuzz: ## Look for messages that break decoding, MINUTES for each target (needs a nightly compiler)
	$(call about,$(or $(MINUTES),1) min for each of two targets $(built))
	@MINUTES='$(or $(MINUTES),1)' scripts/fuzz.sh

chaos: ## Hurt real databases and workers at random for MINUTES=10, and count what was lost, doubled or stale
	$(call about,$(or $(MINUTES),10) min $(built))
	@MONGOD="$$(scripts/mongod.sh)"; export MONGOD MINUTES='$(or $(MINUTES),10)' SEED='$(SEED)'; \
	exec $(CARGO) test --locked --test it -- --ignored --exact --nocapture chaos::length::at_length

check: ## Look without running: format, clippy, documentation, mutations, licences and sources
	$(call about,3 min and some seconds where the code is unchanged)
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) clippy --locked --no-default-features -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --locked --no-deps --document-private-items
	python3 tests/mutations.py --pieces
	$(CARGO) fetch --locked
	$(CARGO) fetch --locked --manifest-path fuzz/Cargo.toml
	deny="$$(scripts/cargo-deny.sh)"; "$$deny" --offline --log-level error check --hide-inclusion-graph bans licenses sources

advisories: ## Ask whether an advisory is known for a crate or package that is pinned here; for a job on a schedule (needs a network)
	$(call about,2 min once all is fetched)
	@scripts/advisories.sh

locks: ## Pin what is fetched anew, of the lists that say what: NAME=deploy pins one; UPGRADE=1 takes the newest of what others bring
	$(call about,30 s)
	@UPGRADE='$(UPGRADE)' scripts/locks.sh $(NAME)

alerts: ## Check the alerts of deploy/prometheus, each with a case that fires and one that must not (needs promtool, or Debian)
	$(call about,4 s $(built))
	promtool="$$(scripts/promtool.sh)"; "$$promtool" check rules deploy/prometheus/alerts.yaml; "$$promtool" test rules deploy/prometheus/alerts_test.yaml

page: ## Look at the status page of a running worker in headless Chromium (needs Chromium)
	$(call about,1 min $(built))
	$(CARGO) build --locked
	@python="$$(scripts/python.sh page)"; MONGOD="$$(scripts/mongod.sh)"; export MONGOD; \
	exec "$$python" -B tests/page.py "$${CARGO_TARGET_DIR:-target}/debug/longshore"

pictures: ## Draw docs/status-page*.png and docs/terminal.png anew, to be looked at (needs Chromium)
	$(call about,17 min $(built))
	$(CARGO) build --locked
	@python="$$(scripts/python.sh page)"; MONGOD="$$(scripts/mongod.sh)"; export MONGOD; \
	exec "$$python" -B scripts/pictures.py "$${CARGO_TARGET_DIR:-target}/debug/longshore"

chart-test: ## Lint and render the chart, and hold what comes out against schemas, golden files and the worker; UPDATE=1 writes those files anew
	$(call about,30 s $(built))
	$(CARGO) build --locked
	@python="$$(scripts/python.sh deploy)"; helm="$$(scripts/helm.sh)"; \
	exec "$$python" -B tests/chart/check.py "$${CARGO_TARGET_DIR:-target}/debug/longshore" "$$helm"

deploy-test: ## Lint what else is deployed (Dockerfile, compose.yaml, deploy/aws, deploy/systemd) and hold it against the worker and each other
	$(call about,1 min $(built))
	$(CARGO) build --locked
	@python="$$(scripts/python.sh deploy)"; exec "$$python" -B tests/deploy/check.py "$${CARGO_TARGET_DIR:-target}/debug/longshore"

scaling: ## Simulate a day of the chart's autoscaling, print the table of docs/SCALING.md and draw its picture
	$(call about,6 s)
	@python="$$(scripts/python.sh plot)"; exec "$$python" -B scripts/scaling.py --plot

image: ## Build the image as IMAGE, with docker or buildah; scripts/image-bases.sh makes stand-ins of its bases where no registry is reached
	$(call about,11 min the first time and 5 min after a change of the code alone)
	@scripts/image.sh

image-test: ## Look into the image and run it: the load, the health check, a stop within its deadline (needs root and buildah)
	$(call about,30 s)
	@scripts/image-test.sh

dist: ## Build what a release hands out into dist/: stripped binary, completions, man pages, unit file, checksums, SBOM
	$(call about,11 min)
	@scripts/dist.sh

bounds: ## Measure a worker's peak memory against its budget: a million messages, bombs, an outage; an hour or more
	$(call about,an hour or more)
	@scripts/python.sh >/dev/null
	@echo '| case | messages | budget | in flight at most | peak memory without the program | in the database | dead letters | redelivered |'
	@MONGOD="$$(scripts/mongod.sh)"; export MONGOD; \
	$(CARGO) test --locked --test it bounds::memory::long -- --ignored --nocapture --test-threads 1

bench: ## Measure CPU per million messages, rate, memory and API calls
	$(call about,10 min once the profile dist is built which takes 10 to 16 min)
	@benches/run.sh

performance: ## Draw the pictures of docs/PERFORMANCE.md and write its table anew, from docs/performance.json, which docs/PERFORMANCE.md says how to make
	$(call about,5 s)
	@python="$$(scripts/python.sh plot)"; exec "$$python" -B scripts/performance.py

profile: ## Say in docs/PERFORMANCE.md what a worker's CPU goes into, with a flame graph (needs perf)
	$(call about,1 min once the profile dist is built which takes 10 to 16 min)
	@command -v perf >/dev/null || { echo 'perf is not here: install it (Debian: linux-perf)' >&2; exit 1; }
	@inferno="$$(scripts/inferno.sh)"; perf="$$(mktemp)"; trap 'rm -f "$$perf"' EXIT; \
	ONLY=longshore RUNS=1 PERF="$$perf" benches/run.sh; python3 -B scripts/flame.py "$$perf" "$$inferno"

instructions: ## Count the instructions that a message takes, stage by stage, and hold them against what was accepted; UPDATE=1 accepts (needs valgrind)
	$(call about,1 min $(built))
	@exec $(CARGO) bench --locked --profile dev --bench instructions
