# Everything a person or the CI does with this repository. `make` prints the menu.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -euo pipefail -c

# Python 3.12 or newer; the newest that is there.
PYTHON ?= $(shell for p in python3.13 python3.12 python3; do \
  "$$p" -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null && echo "$$p" && break; done)
BIN := .venv/bin
export PORT ?=
export DATA ?=
CHECK_ENV := SECRET_KEY=$$(head -c 40 /dev/urandom | base64) SALT_KEY=check OIDC_ISSUER=https://idp.example.com \
  OIDC_CLIENT_ID=portal OIDC_CLIENT_SECRET=check ALLOWED_HOSTS=portal.example.com PORTAL_URL=https://portal.example.com \
  EMAIL_URL=smtp+tls://mail.example.com:587 EMAIL_FROM=portal@example.com DATABASE_URL=postgres://portal@localhost/portal \
  STATIC_ROOT=.state/static

# Only what is asked for on the command line: a KUBECONFIG of the shell may be anybody's production.
DEMO_CLUSTER := $(if $(filter command,$(firstword $(origin KUBECONFIG))),--kubeconfig '$(KUBECONFIG)')

.PHONY: help
help: ## Print this menu
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Use

.PHONY: demo
demo: .state/demo ## Start everything on this machine (PORT=8000 DATA=.demo KUBECONFIG=… for a real cluster)
	@$(BIN)/python -m portal.demo $(DEMO_CLUSTER)

.PHONY: demo-reset
demo-reset: ## Forget the demo's data
	rm -rf -- "$${DATA:-.demo}"

##@ Develop

.PHONY: test
test: .state/dev ## Run the tests (T=path narrows them)
	$(BIN)/python -m pytest $(T)

.PHONY: check
check: .state/dev ## Tests, lint, types, architecture, templates, migrations, deployment settings
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
bench: .state/dev ## Measure, as ratios within one run
	$(BIN)/python -m tests.bench

.PHONY: faults
faults: .state/dev ## Kill, freeze, flush and lie, then check that nothing is lost (SEEDS="1 2" MINUTES=2 ENVIRONMENTS=40)
	$(BIN)/python -m tests.faults $(SEEDS:%=--seed %) --minutes $(or $(MINUTES),2) \
	  --environments $(or $(ENVIRONMENTS),40) $(FAULTS)

.PHONY: schema
schema: .state/dev ## Write docs/template.schema.json anew from the code
	DJANGO_SETTINGS_MODULE=tests.settings $(BIN)/python manage.py export_templates --schema --folder docs

.PHONY: settings
settings: .state/dev ## Write docs/settings.md anew from the code
	DJANGO_SETTINGS_MODULE=tests.settings $(BIN)/python manage.py describe_settings > docs/settings.md

.PHONY: lock
lock: ## Resolve requirements/*.in to hashed requirements/*.txt (needs uv)
	for name in base demo dev; do uv pip compile --quiet --universal --python-version 3.12 --generate-hashes \
	  --no-emit-index-url --no-header requirements/$$name.in --output-file requirements/$$name.txt; done

# Installed once, and again when the lock changes.
.state/%: requirements/%.txt
	@if [ -z "$(PYTHON)" ]; then echo "Python 3.12 or newer is needed (PYTHON=/path/to/python3.12 names one)."; exit 1; fi
	@[ -x $(BIN)/python ] || "$(PYTHON)" -m venv .venv
	@echo "Installing requirements/$*.txt (once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@mkdir -p .state && touch $@
