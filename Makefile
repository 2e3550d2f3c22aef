# make book   environment, the six setups of the mini profile, the pages that show them, the HTML, all below build/
# make test   environment, lint, unit tests, the smoke workflow, the strict build of the book
# make html   the published book from the committed pages alone; installs no torch
# make pdf    the published book as one PDF; needs Chromium
# make homework VARIANT=0  a notebook for students and its key, in build/homework
# make notebooks   every page as .ipynb in build/notebooks, for Jupyter and plain papermill
# make live   copies of the pages in JupyterLab, the one with knobs first
# make clean  everything that the others made, except your results in build/results
# An environment that lies in .venv is used, so that PyTorch's build for the CPU can be installed there first: README.md
PYTHON ?= python3
VENV ?= .venv
SEEDS ?= 3
CORES ?= 2
VARIANT ?= 0
BIN := $(VENV)/bin

.PHONY: book html pdf homework notebooks live test clean
.DELETE_ON_ERROR:

book: $(VENV)/book.stamp
	$(BIN)/clapleak reproduce --profile mini --seeds $(SEEDS) --cores $(CORES)

html: $(VENV)/html.stamp
	$(BIN)/clapleak book

pdf: html
	$(BIN)/clapleak pdf

homework: $(VENV)/book.stamp
	$(BIN)/clapleak page homework build/homework/key.ipynb -p variant $(VARIANT)
	$(BIN)/jupyter nbconvert build/homework/key.ipynb --to notebook --output student.ipynb --log-level WARN \
	  --TagRemovePreprocessor.enabled True --TagRemovePreprocessor.remove_cell_tags answer

notebooks: $(VENV)/book.stamp
	$(BIN)/python workflow/to_ipynb.py build/notebooks

live: $(VENV)/book.stamp
	mkdir -p build/live && cp book/pages/*.ipynb build/live/
	$(BIN)/jupyter lab build/live/live.ipynb

test: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest --numprocesses $(CORES)

clean:
	[ ! -d build ] || find build -mindepth 1 -maxdepth 1 ! -name results -exec rm -rf {} +
	rm -rf _build .snakemake .pytest_cache .ruff_cache .mypy_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "$(PYTHON) is absent or older than Python 3.11: install that and call make PYTHON=python3.11"; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/html.stamp: pyproject.toml requirements.txt | $(BIN)/python
	$(BIN)/python -m pip install --editable ".[book]" --constraint requirements.txt
	touch $@

$(VENV)/book.stamp: pyproject.toml requirements.txt | $(BIN)/python
	$(BIN)/python -m pip install --editable ".[book,data,offline,train]" --constraint requirements.txt
	touch $@ $(VENV)/html.stamp

$(VENV)/test.stamp: pyproject.toml requirements.txt | $(BIN)/python
	$(BIN)/python -m pip install --editable ".[book,offline,test]" --constraint requirements.txt
	touch $@ $(VENV)/book.stamp $(VENV)/html.stamp
