# The developer's day. README.md says the same in plain commands, for machines without make.
.PHONY: setup run test lint results lock

setup:
	python3 -m venv .venv
	.venv/bin/pip install --require-hashes --no-deps -r requirements.lock
	.venv/bin/pip install --no-build-isolation -e .

run:
	.venv/bin/bench run --method dpo --kl-grid

test:
	.venv/bin/pytest -n 2

lint:
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .
	.venv/bin/mypy --strict bench/overopt tests
	.venv/bin/lint-imports

DOCS = bench/overopt/docs

results:
	.venv/bin/bench reproduce all --scale standard --results results/grids \
		--results results/matrix --results results/reviews --out judged
	for paper in judged/*-standard; do \
		cp $$paper/verdicts.csv $$paper/verdicts.json results/papers/$${paper##*/}; done
	rm -r judged
	.venv/bin/python -m overopt.report.cards results results/curves.csv
	.venv/bin/bench leaderboard build --publish
	.venv/bin/bench admit --publish
	.venv/bin/python -m overopt.report.verdicts.standing results/papers $(DOCS)/papers.md
	.venv/bin/python -m overopt.report.mitigations.page results $(DOCS)/mitigations.md
	.venv/bin/python -m overopt.report.online.page results $(DOCS)/online.md
	.venv/bin/bench report results --out report

# Pins what the current environment holds, for every platform and with the hash of every file: in
# requirements.lock all but the CUDA libraries of torch's build for Linux, which have a lock of their
# own. CPU_BUILDS are hashes of torch's CPU builds for Linux on x86_64, CPython 3.11 and 3.12.
CPU_BUILDS = \
	6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b \
	4ca4a9394b0c771238a4f73590fdbbc4debad85ed0fa63d026ae1b085da7d6e2
CUDA = ^(cuda|nvidia)-|^triton==

lock:
	.venv/bin/pip freeze --all --exclude-editable --exclude pip \
		| sed 's/^\(torch==[0-9.]*\)+.*/\1/' > pins.txt
	python3 -m venv .venv-lock
	.venv-lock/bin/pip install uv
	.venv-lock/bin/uv pip compile pins.txt --universal --python-version 3.11 --generate-hashes \
		--no-annotate --no-header --default-index https://pypi.org/simple --quiet -o whole.txt
	@grep '^#' requirements.lock > requirements.lock.new
	@awk '/^[^ ]/ { cuda = $$1 ~ /$(CUDA)/ } !cuda; /^torch==/ { \
		n = split("$(CPU_BUILDS)", build); \
		for (i = 1; i <= n; i++) print "    --hash=sha256:" build[i] " \\" }' \
		whole.txt >> requirements.lock.new
	@grep '^#' requirements-cuda.lock > requirements-cuda.lock.new
	@awk '/^[^ ]/ { cuda = $$1 ~ /$(CUDA)/ } cuda' whole.txt >> requirements-cuda.lock.new
	@mv requirements.lock.new requirements.lock
	@mv requirements-cuda.lock.new requirements-cuda.lock
	@{ head -n 1 .ci/torch-cpu.lock; awk '/^torch==/ { print $$1 "+cpu \\"; \
		n = split("$(CPU_BUILDS)", build); for (i = 1; i <= n; i++) \
		print "    --hash=sha256:" build[i] (i < n ? " \\" : "") }' pins.txt; } > whole.txt
	@mv whole.txt .ci/torch-cpu.lock
	@rm -r .venv-lock pins.txt
