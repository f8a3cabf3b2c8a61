# make demo    run the first notebook on the embedded model; see build/demo/
# make lab     open JupyterLab on the notebooks
# make test    every check, as CI runs them: lint, unit, notebooks, browser, wheel
# make clean   remove what the above wrote, .venv too

PYTHON ?= python3
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
# Side by side, each with one thread: networks this small gain little from a second one.
ABREAST := -n auto --maxprocesses 4 --dist worksteal

# Workers, kernels and servers are processes of their own: without compiled modules each of them
# would compile diffusers anew, where the environment says so.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo lab test lint unit notebooks browser wheel clean

demo: .venv/installed
	rm -rf build/demo && mkdir -p build/demo
	cp notebooks/01_quickstart.ipynb build/demo/
	cd build/demo && ../../$(BIN)/jupyter nbconvert --execute --inplace 01_quickstart.ipynb
	cd build/demo && ../../$(BIN)/jupyter nbconvert --to html 01_quickstart.ipynb
	@echo "How each picture was made, and how long it took:"
	@grep -oE 'seed [0-9][^<"]* evaluations · [0-9.]+ s' build/demo/01_quickstart.html
	@find $(CURDIR)/build/demo -type f

lab: .venv/installed
	$(BIN)/jupyter lab notebooks/01_quickstart.ipynb

test: lint unit notebooks browser wheel

lint: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

# By folder, here and below: what is only deselected has to be imported first, by every worker.
unit: .venv/installed-test
	OMP_NUM_THREADS=1 $(PYTEST) --ignore tests/browser --ignore tests/notebooks $(ABREAST)

notebooks: .venv/installed-test
	OMP_NUM_THREADS=1 $(PYTEST) tests/notebooks $(ABREAST)

browser: .venv/installed-test
	OMP_NUM_THREADS=1 $(PYTEST) tests/browser -n auto --maxprocesses 4 --dist loadfile

# The wheel has to work where the source tree is not: -I keeps the current folder off the path.
# Python compiles what is imported, a small part of what is installed.
wheel: .venv/installed-test
	rm -rf build/wheel
	$(BIN)/pip wheel --no-deps --wheel-dir build/wheel .
	$(PYTHON) -m venv --without-pip build/wheel/venv
	$(BIN)/pip --python build/wheel/venv install --quiet --no-compile --constraint constraints.txt build/wheel/sdnb-*.whl
	cd build/wheel && venv/bin/python -I ../../tests/wheel.py

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --constraint constraints.txt --editable .
	touch $@

.venv/installed-test: .venv/installed
	$(BIN)/pip install --constraint constraints.txt --editable ".[test]"
	touch $@

clean:
	rm -rf .venv build
