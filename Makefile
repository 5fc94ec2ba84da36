# Everything a developer or a newcomer does, one word each: `make help`.

PYTHON ?= python3
PORT ?= 8000
DATA ?= .data/$(PORT)
ENV ?=
WORKERS ?= 3
PY := .venv/bin/python
MEMBERS := libs/common $(wildcard services/*) gateway deploy/engines deploy/local deploy/demo deploy/fakes deploy/operator
LOCAL = $(PY) -m microblog_local
STACK = --port $(PORT) --data "$(DATA)"

.DEFAULT_GOAL := help
IMAGES := $(wildcard services/*) gateway deploy/operator
COMPILE = uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-emit-index-url --no-header --no-annotate

.PHONY: help setup run stop reset logs status operate demo test test-slow test-clients test-browser test-compose check contracts lock bench bench-beside bench-pages bench-large chaos images up down

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: .venv/ready ## create the environment and install from the lock

.venv/ready: requirements.lock $(foreach m,$(MEMBERS),$(m)/pyproject.toml)
	@command -v $(PYTHON) >/dev/null 2>&1 || { echo "microblog: there is no $(PYTHON) here: install Python 3.11 or newer, or say where it is with make PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) deploy/environment.py $(MEMBERS)
	@$(PY) -m engines fetch || true # a broker of one's own needs no jars, and whoever starts one is told again
	@touch $@

run: .venv/ready ## start everything at http://localhost:8000 (PORT=, DATA=, ENV=file)
	@exec $(LOCAL) run $(STACK) $(if $(ENV),--env "$(ENV)")

stop: .venv/ready ## stop the stack of PORT= or DATA=
	@$(LOCAL) stop $(STACK)

reset: .venv/ready ## stop it and delete its data
	@$(LOCAL) reset $(STACK)

logs: .venv/ready ## all logs as one stream
	@exec $(LOCAL) logs $(STACK)

status: .venv/ready ## processes, ports and memory
	@$(LOCAL) status $(STACK)

operate: .venv/ready ## the operator's command on the running stack (DO="dlq list", DO=--help)
	@$(LOCAL) operate $(STACK) $(if $(ENV),--env "$(ENV)") -- $(DO)

demo: .venv/ready ## load the demo community into the running stack
	@$(PY) -m microblog_demo --url http://localhost:$(PORT) --mail "$(DATA)/mail" --state "$(DATA)/demo-state.json"

test: .venv/ready ## unit, service and end-to-end tests; WORKERS= processes share them
	@$(PY) -m pytest --numprocesses $(WORKERS)

test-slow: .venv/ready ## what takes long: a broker that loses everything, overload, events in 1,000 orders, hostile connections, toot, a browser (Debian's chromium, where it is)
	@$(PY) -m pytest -m slow --timeout 600
	@$(PY) -m pytest --hypothesis-profile=chaos --timeout 600 services/*/tests/test_shuffles.py
	@if [ -n "$$TEST_ELASTICSEARCH_URL" ]; then $(PY) -m pytest services/search/tests -m "slow or not slow" --timeout 600; \
	else echo "microblog: search was tested on the embedded engine alone; TEST_ELASTICSEARCH_URL=http://… names an Elasticsearch to test it on, too"; fi

test-clients: .venv/ready ## other people's clients, as they are: the library Mastodon.py and the command line toot, in environments of their own
	@$(PY) -m pytest -m slow --timeout 600 deploy/tests/test_clients.py deploy/tests/test_toot.py

test-browser: .venv/ready ## a real browser (Debian's chromium and chromium-driver), with and without scripts, narrow and wide, light and dark
	@command -v chromedriver >/dev/null 2>&1 || { echo "microblog: there is no chromedriver here: install chromium and chromium-driver"; exit 1; }
	@$(PY) -m pytest -m slow --timeout 600 deploy/tests/browser

test-compose: images ## the end-to-end tests on the containers of compose.yaml, with data of their own (needs Docker)
	@TEST_STACK=containers $(PY) -m pytest -m "slow or not slow" --timeout 300 deploy/tests --ignore deploy/tests/browser

check: .venv/ready ## lint, types, import rules, contracts
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check -q .
	@.venv/bin/mypy $(foreach m,$(MEMBERS),$(m)/src)
	@.venv/bin/lint-imports
	@$(PY) deploy/contracts.py --check

contracts: .venv/ready ## write event schemas, OpenAPI and AsyncAPI documents
	@$(PY) deploy/contracts.py

lock: ## compile the locks anew: one for development, one for each image and for each client of other people (needs uv)
	@$(COMPILE) --group dev pyproject.toml $(foreach p,common auth posts social search notify translate gateway engines local demo fakes operator,--no-emit-package microblog-$(p)) -o requirements.lock
	@for member in $(IMAGES); do \
	  $(COMPILE) -c requirements.lock $$member/pyproject.toml $(foreach p,common auth posts social search notify translate,--no-emit-package microblog-$(p)) -o $$member/requirements.lock || exit 1; \
	done
	@echo uv | $(COMPILE) - -o deploy/uv.lock
	@echo hatchling | $(COMPILE) -c requirements.lock - -o deploy/images/build.lock
	@printf 'mastodon-py\npytest\nhttpx\npillow\n' | $(COMPILE) -c requirements.lock - -o deploy/tests/clients/mastodon-py.lock
	@echo toot | $(COMPILE) - -o deploy/tests/clients/toot.lock

bench: .venv/ready ## measure a stack of its own with production settings
	@$(PY) deploy/benchmarks/bench.py

bench-beside: .venv/ready ## this program and an earlier one at once, asked in turn (FROM=<commit>, the parent otherwise)
	@$(PY) deploy/benchmarks/beside.py $(FROM)

bench-pages: .venv/ready ## weigh the pages and see how soon they stand on an emulated phone (Debian's chromium)
	@$(PY) deploy/benchmarks/pages.py

bench-large: .venv/ready ## reading with 1,000 and with 100,000 accounts and a million posts, and a post to all of these
	@$(PY) deploy/benchmarks/large.py

chaos: .venv/ready ## break everything while people write, and count what was lost (SEED=, ONLY=F1,F5; QUICK=20: the quick form, so many times)
	@$(PY) deploy/chaos/chaos.py $(if $(SEED),--seed $(SEED)) $(if $(ONLY),--only $(ONLY)) $(if $(QUICK),--quick $(QUICK))

.env: | .venv/ready ## settings of the containers, with new secrets
	@$(PY) -m common.keys < .env.example > .env.new && chmod 600 .env.new && mv .env.new .env

images: .env ## build the container images
	@docker compose --profile app --profile tools build

up: images ## start everything in containers (docker compose) and wait until it is ready
	@docker compose up --detach --wait

down: ## stop the containers; the data stays in their volumes
	@docker compose down
