# Sanwang.  A newcomer needs two commands: make up, make test.  Each does all set-up by itself.
#   make up COUNTY=small PORT=9443      another county, another port

COUNTY ?= shili
PORT ?= 8443
MINUTES ?= 15
DATAGRAMS ?= 1000000
ARGS ?=
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help setup up down test lint bench bench-provision bench-snmp bench-probe bench-sfu bench-loss soak drills fuzz shots bundle bundle-test lock clean

help:  ## what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup:  ## Debian packages, .venv from the hashed lock, the pages
	@scripts/setup

up: setup  ## bring the county up and prove it
	@$(BIN)/sanwang up $(COUNTY) --port $(PORT) $(ARGS)

down:  ## take it down again; nothing of ours is left
	@[ ! -x $(BIN)/sanwang ] || $(BIN)/sanwang down $(ARGS)

test: setup lint  ## everything: lint, types, unit, a real twin, a real browser
	$(BIN)/pytest $(ARGS)

lint: setup  ## ruff, mypy, tsc
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	@$(BIN)/python web/build.py --check

bench: setup  ## side-by-side measurements, one table each
	$(BIN)/python -m bench $(ARGS)

bench-provision: setup  ## 120 VRP stand-ins: ours beside nornir with netmiko (JSON as the last line)
	@$(BIN)/python -c 'import nornir_netmiko' 2>/dev/null || $(BIN)/pip install -q -r bench/requirements.txt
	$(BIN)/python -m bench.provision $(ARGS)

bench-probe: setup  ## 200 targets, 10 probes a second each: our STAMP beside fping (JSON as the last line; needs root)
	@command -v fping >/dev/null || DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends fping >/dev/null
	@$(BIN)/python -m bench.probe $(ARGS)

bench-sfu: setup  ## our relay, both engines, beside Janus at its best: packets a second and core (JSON last line; root)
	@bench/sfu-setup
	@$(BIN)/python -m vconf.media.compile
	$(BIN)/python -m bench.sfu $(ARGS)

bench-loss: setup  ## browsers on a line with 5 % loss, 40 ms jitter, 500 kbit/s: our relay beside Janus (JSON last line; root)
	@bench/sfu-setup
	@$(BIN)/python -m vconf.media.compile
	@$(BIN)/python web/build.py
	$(BIN)/python -m bench.loss $(ARGS)

soak: setup  ## halls join and leave every second for MINUTES (default 30): memory, files and tasks stay (JSON last line)
	@$(BIN)/python -m bench.soak --minutes $(if $(filter file,$(origin MINUTES)),30,$(MINUTES)) $(ARGS)

bench-snmp: setup  ## our SNMP poller beside snmp_exporter, value for value (JSON as the last line)
	@[ -x build/bench/usr/bin/prometheus-snmp-exporter ] || { mkdir -p build/bench && cd build/bench && \
	    apt-get download -q prometheus-snmp-exporter && dpkg-deb -x prometheus-snmp-exporter_*.deb . ; }
	$(BIN)/python -m bench.snmp --exporter build/bench/usr/bin/prometheus-snmp-exporter $(ARGS)

drills: setup  ## cut every fibre, kill a centre, meet while it happens; judges the figures (the county must be up)
	$(BIN)/sanwang drill ring $(ARGS)
	$(BIN)/sanwang drill centre $(ARGS)
	$(BIN)/sanwang drill meeting $(ARGS)

fuzz: setup  ## every property test for MINUTES (default 15), 1,000,000 mutated datagrams to all, to each of the media's (JSON)
	$(BIN)/pytest -q -p tests.fuzzing --fuzz-minutes $(MINUTES) $(ARGS)
	$(BIN)/python -m tests.vconf.sanitised --datagrams $(DATAGRAMS) || [ $$? = 3 ]
	$(BIN)/python -m tests.datagrams --datagrams $(DATAGRAMS)
	$(BIN)/python -m tests.datagrams --datagrams $(DATAGRAMS) --each stun dtls rtp rtcp signalling

shots: setup  ## screenshots of every page, from the running county, into build/shots; the manual's into docs/images
	@$(BIN)/sanwang shots --docs $(ARGS)

bundle: setup  ## one archive for a machine that reaches no registry (build/sanwang-<commit>.tar)
	@scripts/bundle

bundle-test: bundle  ## bare machines come up as a county from the newest bundle alone (takes minutes; needs mmdebstrap)
	$(BIN)/python scripts/bundle-test "$$(ls -t build/sanwang-*.tar | head -n 1)" $(ARGS)

lock: setup  ## requirements.txt anew from requirements.in
	$(BIN)/pip-compile -q --upgrade --generate-hashes --allow-unsafe --strip-extras --no-emit-index-url \
	    --no-emit-find-links --no-emit-trusted-host --output-file requirements.txt requirements.in

clean:  ## remove what was built (never what is tracked, never a county's data)
	rm -rf .venv .make .mypy_cache .ruff_cache .pytest_cache .hypothesis build *.egg-info web/node_modules web/dist
	rm -f vconf/media/native/*.so
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
