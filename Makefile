# The developer's day. README.md says the same in plain commands, for machines without make.
.PHONY: setup run test lint results lock

setup:
	python3 -m venv .venv
	.venv/bin/pip install -r requirements.lock
	.venv/bin/pip install --no-deps --no-build-isolation -e .

run:
	.venv/bin/bench run --method dpo --kl-grid

test:
	.venv/bin/pytest -n 2

lint:
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .
	.venv/bin/mypy --strict bench/overopt tests
	.venv/bin/lint-imports

results:
	.venv/bin/python -m overopt.report.cards results results/curves.csv
	.venv/bin/bench report results --out report

# Pins what the current environment holds; torch without its local label.
lock:
	@grep '^#' requirements.lock > requirements.lock.new
	@.venv/bin/pip freeze --all --exclude-editable --exclude pip \
		| sed 's/^\(torch==[0-9.]*\)+.*/\1/' | sort -f >> requirements.lock.new
	@mv requirements.lock.new requirements.lock
