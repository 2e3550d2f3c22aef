"""Execution: equal runs give equal pages, failures are named, and nothing of the data becomes HTML."""

import os
import re
import shutil
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from browsing import ROOT
from helpers import python

from clapleak import results
from clapleak.book import execute, site
from clapleak.config import ClapleakError

NOTEBOOK = '# %% [markdown]\n# # {title}\n\n# %% tags=["parameters"]\nn = 1  # a number\n\n# %%\n{code}\n'


def page(table_id: str, address: str) -> nbformat.NotebookNode:
    """A page with all that differs from run to run: ids, counts, addresses, progress lines, the project's path."""
    html, new = pd.DataFrame({"a": [1]}).style.set_uuid(table_id).to_html(), nbformat.v4.new_output
    shown = {"text/html": html + "<p>T_maximum</p>", "text/plain": f"<Styler at 0x{address}>"}
    outputs = [
        new("stream", name="stderr", text=f"epoch {address}\n"), new("execute_result", shown, execution_count=7),
        new("stream", name="stdout", text=f"/home/{address}/project/results: no results\n"),
    ]  # fmt: skip
    cell = nbformat.v4.new_code_cell("x", outputs=outputs, metadata={"papermill": {"time": address}})
    notebook = nbformat.v4.new_notebook(cells=[cell])
    execute.normalise(notebook, Path(f"/home/{address}/project"))
    return notebook


def test_two_runs_give_the_same_page():
    first, second = page("1a2b3", "7f28"), page("c0ffe", "55d0")
    assert nbformat.writes(first) == nbformat.writes(second)
    table, text = first.cells[0].outputs
    assert text.text == "results: no results\n" and table.execution_count == 1
    assert "T_0_row0_col0" in table.data["text/html"] and "T_maximum" in table.data["text/html"]


@pytest.mark.slow
def test_pages_run_side_by_side_and_the_one_that_fails_is_named_after_the_others(tmp_path):
    shutil.copy(ROOT / "_config.yml", tmp_path)
    shown = "import os, time; print(n, os.getcwd(), flush=True); time.sleep(0.3); print(os.environ['CLAPLEAK_PAGE'])"
    codes = {"bad": "1 / 0", "first": "print(n)", "second": shown}
    for name, code in codes.items():
        (tmp_path / f"{name}.py").write_text(NOTEBOOK.format(title=name, code=code))
    jobs = [(tmp_path / f"{name}.py", tmp_path / "pages" / f"{name}.ipynb", {"n": 7}) for name in codes]
    before = dict(os.environ), Path.cwd()
    with pytest.raises(ClapleakError, match=r"page bad: cell \d of .*bad\.py failed: ZeroDivisionError"):
        execute.execute_pages(jobs, tmp_path, cores=2)
    assert (dict(os.environ), Path.cwd()) == before
    assert sorted(path.name for path in (tmp_path / "pages").iterdir()) == ["first.ipynb", "second.ipynb"]
    second = nbformat.read(tmp_path / "pages" / "second.ipynb", 4)
    (printed,) = second.cells[-1].outputs  # one output, in however many pieces it came
    assert printed.text.split() == ["7", str(tmp_path), "1"]


def test_what_cannot_be_written_is_said_with_the_remedy_and_a_page_is_a_notebook(tmp_path):
    shutil.copy(ROOT / "_config.yml", tmp_path)
    notebook = tmp_path / "closed.py"
    notebook.write_text(NOTEBOOK.format(title="closed", code="raise OSError(30, 'Read-only file system', 'x')"))
    with pytest.raises(
        ClapleakError, match=r"closed\.py failed: OSError: .*'x'; name a folder .*`clapleak --root DIR`"
    ):
        execute.execute_pages([(notebook, tmp_path / "closed.ipynb", {})], tmp_path)
    with pytest.raises(ClapleakError, match=r"out\.html: a page is a notebook: .*\.ipynb"):
        execute.execute_pages([(notebook, tmp_path / "out.html", {})], tmp_path)
    assert not [path for path in tmp_path.iterdir() if path.suffix in (".ipynb", ".html")]


@pytest.mark.parametrize("content", [None, b'{"cells": [', b"{}", b"[]", bytes(range(256))])
def test_a_published_page_that_is_absent_or_damaged_is_made_again(content, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "_config.yml", tmp_path)
    notebook, published = tmp_path / "a.py", tmp_path / "book" / "pages" / "a.ipynb"
    notebook.write_text(NOTEBOOK.format(title="a", code="n"))
    job = (notebook, tmp_path / "pages" / "a.ipynb", {})
    published.parent.mkdir(parents=True)
    nbformat.write(execute.draft_of(notebook, {}, tmp_path), published)
    assert execute.without_published([job], tmp_path) == [] and job[1].read_bytes() == published.read_bytes()
    published.unlink()
    if content is not None:
        published.write_bytes(content)
    assert execute.without_published([job], tmp_path) == [job]


@pytest.mark.slow  # two kernels, one after the other
def test_notebooks_run_in_plain_papermill_and_refuse_a_parameter_that_they_do_not_know(tmp_path):
    folder = tmp_path / "notebooks"
    python(ROOT / "workflow" / "to_ipynb.py", folder, cwd=ROOT)
    assert {path.stem for path in folder.iterdir()} == {path.stem for path in (ROOT / "notebooks").glob("*.py")}
    words = ["-m", "papermill", "--no-progress-bar", "setup.ipynb", "out.ipynb"]
    words += ["-p", "pretraining", "dirty", "-p", "training", "clean"]
    python(*words, cwd=folder)
    page = nbformat.read(folder / "out.ipynb", 4)
    outputs = [output for cell in page.cells for output in cell.get("outputs", [])]
    titles = [output.data["text/markdown"] for output in outputs if "text/markdown" in output.get("data", {})]
    assert titles[0].startswith("# Setup dirty-clean\n") and "panel 2d" in titles[0]
    done = python(*words, "-p", "sead", "1", code=1, cwd=folder)
    assert "unknown parameters: sead; known: profile, pretraining" in done.stderr
    shown = [output for cell in nbformat.read(folder / "out.ipynb", 4).cells for output in cell.get("outputs", [])]
    assert [line for output in shown for line in output.get("traceback", [])][-1].startswith("clapleak: unknown")


def test_every_page_has_its_job_and_those_that_show_no_run_of_the_user_are_the_published_ones(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "build" / "results" / "networks").mkdir(parents=True)
    (tmp_path / "notebooks").mkdir()
    changed = tmp_path / "notebooks" / "sounds.py"
    changed.write_text((ROOT / "notebooks" / "sounds.py").read_text() + "\n# %%\n1\n")
    jobs = execute.jobs(tmp_path / "pages", ROOT, own=True)
    assert {notebook for notebook, _, _ in jobs} == set((ROOT / "notebooks").glob("*.py"))
    assert all(values["own"] for _, page, values in jobs if page.stem not in site.WITHOUT_RESULTS)
    jobs = [(changed if page.stem == "sounds" else notebook, page, values) for notebook, page, values in jobs]
    left = {page.stem for _, page, _ in execute.without_published(jobs, ROOT)}
    assert {"networks", "table1_accuracy", "sounds"} <= left
    copied = {path.stem for path in (tmp_path / "pages").glob("*.ipynb")}
    assert left | copied == set(site.page_names(ROOT)) and not left & copied
    assert {"idea", "controls", "setup_dirty-dirty"} <= copied
    for name in copied:
        page = tmp_path / "pages" / f"{name}.ipynb"
        assert page.read_bytes() == (ROOT / "book" / "pages" / f"{name}.ipynb").read_bytes()


@pytest.mark.slow
def test_the_page_of_a_finished_setup_imports_no_torch_and_escapes_what_comes_from_data(tmp_path):
    hostile = "<script>alert(1)</script>"
    for name in ("profiles", "reference"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "_config.yml", tmp_path)
    place = Path("results", "esc50", "none-clean", "group0-seed0")  # of recordings, whose names are shown
    run = results.read_run(shutil.copytree(ROOT / place, tmp_path / place))
    clouds, maps = run.embeddings, run.map
    clouds = clouds | {"classes": np.array([hostile, *clouds["classes"][1:]])}
    clouds |= {"clips": np.array([f"{hostile}{i}" for i in range(len(clouds["clips"]))])}
    results.write_map(results.write_run(run.path, run.metrics, run.history, clouds), maps)
    notebook, page = tmp_path / "setup.py", tmp_path / "page.ipynb"
    last = '\n# %%\nimport sys\nprint(sorted({"torch", "transformers", "sklearn"} & set(sys.modules)))\n'
    notebook.write_text((ROOT / "notebooks" / "setup.py").read_text() + last)
    which = {"profile": "esc50", "pretraining": "none", "training": "clean", "group": 0}
    execute.execute_pages([(notebook, page, which)], tmp_path)
    outputs = [output for cell in nbformat.read(page, 4).cells for output in cell.get("outputs", [])]
    assert outputs[-1].text == "[]\n"
    html = "".join(output.get("data", {}).get("text/html", "") for output in outputs)
    assert hostile not in html and "<td>&lt;script&gt;alert(1)&lt;/script&gt;</td>" in html  # a class
    assert re.search(r"<td>&lt;script&gt;alert\(1\)&lt;/script&gt;\d+</td>", html)  # a clip, where there is no player
