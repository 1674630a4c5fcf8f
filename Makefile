# Everything there is to do here. `make` alone lists it.
.DEFAULT_GOAL := help
# every target below that `make` lists: some have the name of a folder
.PHONY: $(shell sed -n 's/^\([a-z-]*\):.*\#\# .*/\1/p' $(MAKEFILE_LIST))

# not PYTHON: that one is for lab/bootstrap, from the environment or the command line, and would stand in every recipe
VENV_PYTHON := .venv/bin/python
EDGE := salt/states/_utils/haproxy_edge_minion

# Only a value given on make's command line counts: a KUBECONFIG that happens to be in the environment must not
# turn the demo loose on somebody's cluster.
KUBECONFIG_GIVEN := $(if $(filter command,$(firstword $(origin KUBECONFIG))),$(KUBECONFIG))
# the demo's figure counts what had to be installed first, too
STARTED := $(shell date +%s)
KEEP_GIVEN := $(filter-out 0 no false,$(KEEP))

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

venv: ## make .venv with the project in it; as root also install what the lab needs
	@lab/bootstrap

demo: venv ## the main job before your eyes; KEEP=1 leaves the lab up, LANE=state goes by state.apply, KUBECONFIG=file watches your own cluster
	@$(VENV_PYTHON) -m lab demo --started $(STARTED) $(if $(KEEP_GIVEN),--keep) $(if $(LANE),--lane '$(LANE)') $(if $(KUBECONFIG_GIVEN),--kubeconfig '$(KUBECONFIG_GIVEN)')

test: venv ## unit, functional, end to end; ARGS='-k name' for some; CI=true: nothing may be left out
	@lab/bootstrap tests
	@$(VENV_PYTHON) -m pytest $(ARGS)

unit: venv ## unit tests alone: half a minute, no root, nothing to install; ARGS='-k name' for some
	@$(VENV_PYTHON) -m pytest tests/unit $(ARGS)

chaos: venv ## the fault suite in the lab, under load; keeps docs/reliability.md; ARGS='-k name --repeat 5'
	@$(VENV_PYTHON) -m chaos $(ARGS)

test-image: venv ## as root: build the image of the master and run it as a pod would; the first time some minutes
	@$(VENV_PYTHON) -m pytest tests/image $(ARGS)

docs: venv ## the documentation as a site, in docs/_build; a warning is an error
	@$(VENV_PYTHON) -m sphinx -b html -q -W --keep-going docs docs/_build
	@echo "docs/_build/index.html"

# each of them is run, whatever the one before said
lint: venv ## ruff, mypy --strict, import-linter, changelog fragments; make format mends what can be mended
	@failed=0; \
	for check in 'python -m ruff check .' 'python -m ruff format --check .' \
	    'python -m mypy --strict engine/haproxy_edge $(EDGE)' lint-imports 'python tools/changelog.py check'; do \
	    echo ".venv/bin/$$check"; PYTHONPATH=$(dir $(EDGE)) .venv/bin/$$check || failed=1; \
	done; \
	[ $$failed = 0 ] || { echo 'lint: make format mends what ruff can mend; the rest is told above' >&2; exit 1; }

format: venv ## let ruff write the code as lint wants it
	@$(VENV_PYTHON) -m ruff check --fix-only --quiet .
	@$(VENV_PYTHON) -m ruff format .

bench-engine: venv ## memory and processor time of the engine with 1,000 endpoints
	@$(VENV_PYTHON) -m bench.engine

bench-operate: venv ## how long salt-run haproxy_edge.status takes on a big fleet; ARGS=--doctor: the doctor on the lab, too
	@$(VENV_PYTHON) -m bench.operate $(ARGS)

fuzz: venv ## 100,000 cases of what comes from outside, judged by haproxy -c; ARGS='--cases 1000 --only pillar'
	@PYTHONPATH=$(dir $(EDGE)) $(VENV_PYTHON) -m fuzz $(ARGS)

bench: venv ## all benchmarks, about 50 minutes as root; writes docs/benchmarks.md; ARGS='--only growth', --quick, --page
	@lab/bootstrap bench
	@$(VENV_PYTHON) -m bench $(ARGS)

bench-hot: venv ## how long a change of pods takes, beside a test.ping; CHANGES=20 is a quick look
	@$(VENV_PYTHON) -m bench.hot $(if $(CHANGES),--changes '$(CHANGES)')

bench-metrics: venv ## memory and processor time that metrics and status page cost the engine
	@$(VENV_PYTHON) -m bench.metrics

screenshot: venv ## docs/status-page.png, of the status page on the lab's own data
	@lab/bootstrap tests
	@$(VENV_PYTHON) -m lab.screenshot

soak: venv ## 50,000 random steps on real HAProxy, 2.6 and 3.0, parity after each; ARGS='--steps 5000'
	@PYTHONPATH=$(dir $(EDGE)) $(VENV_PYTHON) -m tests.functional.edge.soak $(ARGS)

matrix: venv ## unit and functional tests on each Salt and Python found here; writes docs/support.md
	@$(VENV_PYTHON) -m nox --noxfile noxfile.py $(ARGS)

changelog: ## move the fragments of changelog.d into CHANGELOG.md
	@python3 tools/changelog.py gather

shell: venv ## a shell in which salt, salt-run, salt-key, kubectl and client are those of the running lab
	@lab/shell

modules-digest: ## after a change of the edge's modules: let edges see that they are new
	@python3 tools/modules_digest.py

generated: modules-digest ## what is made of the code: that digest, the tables of docs/, the list of field failures; then look at git diff
	@python3 tools/doc_tables.py
	@python3 -m tests.field_failures

lab: venv ## start the lab: edges, master, cluster, pods; one that is up stays as it is
	@$(VENV_PYTHON) -m lab up

clean-lab: venv ## take the lab down
	@$(VENV_PYTHON) -m lab down
