"""Notebooks and parameters in, executed and normalised pages out."""

import ast
import os
import re
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir, suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

import jupytext
import nbformat
import papermill
from traitlets.config import Config

from clapleak import results
from clapleak.book.site import WITHOUT_RESULTS, colab_cell, page_names, read_page
from clapleak.config import ClapleakError
from clapleak.files import say, write
from clapleak.setups import Setup

_ALSO = {float: (int,), int: (), str: (), bool: ()}  # types that pass for another
Job = tuple[Path, Path, dict[str, Any]]  # notebook (jupytext py:percent), page, values for its parameters


def jobs(pages: Path, root: Path, *, own: bool = False) -> list[Job]:
    """What makes every page of the book in a folder; with `own` they show the user's runs where there are some."""
    found: list[Job] = []
    for name in page_names(root):
        notebook, _, slug = name.partition("_") if name.startswith("setup_") else (name, "", "")
        parameters: dict[str, Any] = {"own": True} if own and name not in WITHOUT_RESULTS else {}
        parameters |= vars(Setup.parse(slug)) if slug else {}
        found.append((root / "notebooks" / f"{notebook}.py", pages / f"{name}.ipynb", parameters))
    return found


def without_published(jobs: Sequence[Job], root: Path) -> list[Job]:
    """The jobs whose pages may differ from the published ones; of the others the published page is copied.

    That is a page with the same cells which shows no results of the user's: it has no parameter `own`, or none of the
    profiles that it names has been run here.
    """
    mine, left = {path.name for path in results.own_folder("").glob("*")}, []
    for notebook, page, parameters in jobs:
        draft, published = draft_of(notebook, parameters, root), root / "book" / "pages" / page.name
        named = {name for cell in draft.cells for name in re.findall(r'"([\w-]+)"', cell.source)}
        with suppress(ClapleakError):  # absent or damaged: it is made again
            if not (parameters.get("own") and mine & named) and _cells(draft) == _cells(read_page(published)):
                write(page, published.read_bytes())
                continue
        left.append((notebook, page, parameters))
    return left


def _cells(page: nbformat.NotebookNode) -> list[str]:
    """What its author wrote below the title, which a page may compute."""
    return [cell.source for cell in page.cells[1:] if not has_tag(cell, "injected-parameters")]


def execute_pages(jobs: Sequence[Job], root: Path, cores: int = 1, *, place: Path | None = None) -> None:
    """Execute notebooks, several at a time, each in a kernel of its own, from this one process.

    A page is written only when all its cells ran, so that a failed run never replaces a good one. It is normalised:
    equal runs give equal files. After the title stands a cell that the book does not show: on Colab, and only there, it
    installs the project from the address in _config.yml. The notebooks work in `place`, by default the project, `root`.

    ClapleakError for a name without .ipynb, an unknown parameter, or, after the other pages, a cell that failed.
    """
    if wrong := [page for _, page, _ in jobs if page.suffix != ".ipynb"]:
        raise ClapleakError(f"{wrong[0]}: a page is a notebook: give a name that ends with .ipynb")
    place = place or root
    drafts = [draft_of(notebook, parameters, root) for notebook, _, parameters in jobs]
    # one thread repeats its sums; Snakemake sets each of these names to its number of cores
    threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "GOTO", "MKL")}
    with patch.dict(os.environ, threads, CLAPLEAK_PAGE="1", PYTHONHASHSEED="0"), chdir(place):
        pool = ThreadPoolExecutor(cores)
        try:
            started = [pool.submit(_execute, draft, job, place) for draft, job in zip(drafts, jobs, strict=True)]
            failures = [error for page in started if (error := page.exception())]
        finally:
            pool.shutdown(cancel_futures=True)
    if failures:
        raise failures[0]


def draft_of(notebook: Path, parameters: dict[str, Any], root: Path) -> nbformat.NotebookNode:
    """The notebook before it runs."""
    if not notebook.is_file():
        raise ClapleakError(f"{notebook}: no such notebook; see notebooks/")
    if {"pretraining", "training"} <= set(parameters):
        Setup.parse(f"{parameters['pretraining']}-{parameters['training']}")  # refuses unknown ones
    draft = jupytext.read(notebook)
    tagged = "\n".join(cell.source for cell in draft.cells if has_tag(cell, "parameters"))
    values = [node for node in ast.parse(tagged).body if isinstance(node, ast.Assign)]
    known = {ast.unparse(value.targets[0]): type(ast.literal_eval(value.value)) for value in values}
    if unknown := sorted(set(parameters) - set(known)):
        raise ClapleakError(f"{notebook}: unknown parameters: {', '.join(unknown)}; known: {', '.join(known)}")
    if wrong := [name for name, value in parameters.items() if type(value) not in (known[name], *_ALSO[known[name]])]:
        raise ClapleakError(f"{notebook}: parameter {wrong[0]}: give a value of type {known[wrong[0]].__name__}")
    draft.cells.insert(1, colab_cell(root))
    draft.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return draft


def has_tag(cell: nbformat.NotebookNode, tag: str) -> bool:
    return tag in cell.metadata.get("tags", [])


def _execute(draft: nbformat.NotebookNode, job: Job, place: Path) -> None:
    notebook, output, parameters = job
    try:
        page = _run(draft, parameters)
    except papermill.PapermillExecutionError as error:
        if error.ename == "ModuleNotFoundError":
            raise ModuleNotFoundError(name=error.evalue.split("'")[1]) from error
        where = f"page {output.stem}: cell {error.exec_count} of {notebook}"
        closed = re.match(r"\[Errno (13|30)\]", error.evalue)  # no permission, or a read-only file system
        remedy = "; name a folder that can be written with `clapleak --root DIR`" if closed else ""
        raise ClapleakError(f"{where} failed: {error.ename}: {error.evalue}{remedy}") from error
    normalise(page, place)
    if notebook.stem == "setup":
        page.metadata["accelerator"] = "GPU"  # Colab then offers one
    write(output, nbformat.writes(page).encode())
    say(f"page: {output.stem}")


def _run(draft: nbformat.NotebookNode, parameters: dict[str, Any], tries: int = 3) -> nbformat.NotebookNode:
    """The executed notebook. Kernels that start at the same time may choose one port; the loser starts again."""
    try:
        return papermill.execute_notebook(
            draft, None, parameters, kernel_name="python3", progress_bar=False, stderr_file=sys.stderr,
            coalesce_streams=True,  # a busy machine cuts printed lines in pieces
            config=Config(KernelManager={"transport_encryption": "auto"}),  # others on this machine cannot listen
            extra_arguments=["--log-level=CRITICAL"],  # else a kernel that is stopped at the end says so as an error
        )  # fmt: skip
    except RuntimeError as error:
        if tries == 1 or "respond" not in str(error):
            raise
        return _run(draft, parameters, tries - 1)


def normalise(page: nbformat.NotebookNode, place: Path) -> None:
    """Drop from a page what differs between equal runs: times, random ids, progress lines, the path of the folder."""
    page.metadata = {k: page.metadata[k] for k in ("kernelspec", "language_info") if k in page.metadata}
    hidden = any(has_tag(cell, "parameters") and has_tag(cell, "remove-input") for cell in page.cells)
    for number, cell in enumerate(page.cells):
        cell.id = f"cell-{number}"
        for key in ("papermill", "execution", "collapsed", "scrolled"):
            cell.metadata.pop(key, None)
        if has_tag(cell, "injected-parameters"):
            cell.metadata["tags"] = ["injected-parameters", "remove-input" if hidden else "hide-input"]
        if cell.cell_type != "code":
            continue
        cell.outputs = [o for o in cell.outputs if not (o.output_type == "stream" and o.name == "stderr")]
        if has_tag(cell, "title"):  # Jupyter Book takes titles from texts alone
            page.cells[0].source = cell.outputs[0].data["text/markdown"]
        cell.execution_count = count = sum(one.cell_type == "code" for one in page.cells[: number + 1])
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = count
            if "text" in output:
                output.text = output.text.replace(f"{place}/", "")
            data = output.get("data", {})
            if "text/html" in data:  # the Styler of pandas draws a new table id in every run
                data["text/html"] = re.sub(r"\bT_[0-9a-f]{5}(?=[\s\"_{])", f"T_{number}", data["text/html"])
            if "text/plain" in data:  # and objects without a text of their own show their address
                data["text/plain"] = re.sub(r" at 0x[0-9a-f]+>", ">", data["text/plain"])
