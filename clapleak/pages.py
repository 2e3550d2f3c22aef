"""Notebook and parameters in, executed and normalised page out; the media and the book around the pages."""

from __future__ import annotations

import base64
import html
import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import papermill
import soundfile
import yaml

from clapleak import results
from clapleak.config import SETUPS, ClapleakError, Setup
from clapleak.datasets import foley
from clapleak.files import atomic_file, say

# Jupyter Book's own redirect names no icon, and browsers then ask for one that is not there.
_FRONT_DOOR = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><title>clapleak</title>
<link rel="icon" href="data:,">
<meta http-equiv="refresh" content="0; url=pages/intro.html">
</head>
<body><a href="pages/intro.html">clapleak</a></body>
</html>
"""
# Colab opens a page alone; it needs the package, and profiles/ and results/ below its working directory.
_COLAB = """\
import os, sys
if "google.colab" in sys.modules:
    !test -d /content/project || git clone --quiet --depth 1 --branch {branch} {url} /content/project
    !pip install --quiet --editable "/content/project[offline]" papermill jupytext myst-nb anywidget
    os.chdir("/content/project"); sys.path.insert(0, "/content/project")"""
MEDIA_RATE, MEDIA_SECONDS = 16000, 2.5
RESULT_PAGES = (
    "intro", "idea", "leaks", "world", "table1_accuracy", "fig2_tsne_audio",
    "table2_silhouette", "fig3_tsne_text", "table3_topology", "fig4_backbones", "claims",
    "controls", "sides", "explorer", "neighbours", "live",
)  # fmt: skip


def execute(notebook: Path, output: Path, parameters: dict[str, Any], *, root: Path, threads: int = 1) -> None:
    """Run a notebook with parameters and write the page, normalised so that equal runs give equal files.

    After the title stands a cell that the book does not show. On Colab, and only there, it installs the project from
    the address and the branch or tag in _config.yml. A page that trains asks Colab for a GPU.

    Parameters
    ----------
    notebook : Path
        A jupytext `py:percent` file.
    output : Path
        The page; written only when every cell ran, so a failed run never replaces a good page.
    parameters : dict
        Values for the cell tagged "parameters". The words {{pretraining}}, {{training}}, {{slug}} and {{figure}} in
        text cells are replaced as well.
    root : Path
        Working directory of the run.

    Raises
    ------
    ClapleakError
        A parameter that the notebook does not have, or a cell that failed (with its error).
    """
    if not notebook.is_file():
        raise ClapleakError(f"{notebook}: no such notebook; see notebooks/")
    source = jupytext.read(notebook)
    _fill_in(source, parameters)
    with tempfile.TemporaryDirectory() as folder:
        draft, done = Path(folder) / "draft.ipynb", Path(folder) / "done.ipynb"
        source.cells.insert(1, colab_cell(root))
        source.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(source, draft)
        known = papermill.inspect_notebook(draft)
        unknown = sorted(set(parameters) - set(known))
        if unknown:
            raise ClapleakError(f"{notebook}: unknown parameters: {', '.join(unknown)}; known: {', '.join(known)}")
        before = dict(os.environ)
        # the kernel inherits these; one thread also makes t-SNE and BLAS repeatable
        os.environ |= {"OMP_NUM_THREADS": str(threads), "CLAPLEAK_PAGE": "1", "PYTHONHASHSEED": "0"}
        try:
            papermill.execute_notebook(
                draft, done, parameters, kernel_name="python3", cwd=root, progress_bar=False, stderr_file=sys.stderr,
                log_output=False,
            )  # fmt: skip
        except papermill.PapermillExecutionError as error:
            raise ClapleakError(f"{notebook}: cell {error.exec_count} failed: {error.ename}: {error.evalue}") from error
        finally:
            os.environ.clear()
            os.environ.update(before)
        page = nbformat.read(done, 4)
    normalise(page, root)
    if notebook.stem == "setup":
        page.metadata["accelerator"] = "GPU"
    with atomic_file(output) as file:
        file.write(nbformat.writes(page).encode())


def colab_cell(root: Path) -> nbformat.NotebookNode:
    """The hidden first code cell of every page; it does nothing but on Colab.

    Raises
    ------
    ClapleakError
        _config.yml is absent or names no repository.
    """
    config = root / "_config.yml"
    try:
        place = yaml.safe_load(config.read_text(encoding="utf-8"))["repository"]
        source = _COLAB.format(url=place["url"], branch=place["branch"])
    except (OSError, KeyError, TypeError) as error:
        raise ClapleakError(f"{config}: name the repository: url and branch, for the pages on Colab") from error
    return nbformat.v4.new_code_cell(source, metadata={"tags": ["remove-cell", "colab"]})


def _fill_in(notebook: nbformat.NotebookNode, parameters: dict[str, Any]) -> None:
    words = {}
    if {"pretraining", "training"} <= set(parameters):
        setup = Setup(parameters["pretraining"], parameters["training"])
        words = {
            "slug": setup.slug,
            "figure": setup.figure,
            "pretraining": setup.pretraining,
            "training": setup.training,
        }
    for cell in notebook.cells:
        for word, value in words.items():
            cell.source = cell.source.replace("{{" + word + "}}", value)
            for part in cell.metadata.get("mystnb", {}).values():  # captions and names of figures
                part.update({key: text.replace("{{" + word + "}}", value) for key, text in part.items()})


def normalise(page: nbformat.NotebookNode, root: Path) -> None:
    """Drop from a page what differs between equal runs: times, random ids, progress lines, the path of the project."""
    page.metadata = {k: page.metadata[k] for k in ("kernelspec", "language_info") if k in page.metadata}
    count = 0
    for number, cell in enumerate(page.cells):
        cell.id = f"cell-{number}"
        for key in ("papermill", "execution", "collapsed", "scrolled"):
            cell.metadata.pop(key, None)
        if cell.cell_type != "code":
            continue
        cell.outputs = [o for o in cell.outputs if not (o.output_type == "stream" and o.name == "stderr")]
        count += 1
        cell.execution_count = count
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = count
            if "text" in output:
                output.text = output.text.replace(f"{root}/", "")
            data = output.get("data", {})
            if "text/html" in data:  # the Styler of pandas draws a new table id in every run
                data["text/html"] = re.sub(r"\bT_[0-9a-f]{5}(?=[\s\"_{])", f"T_{number}", data["text/html"])
            if "text/plain" in data:  # and objects without a text of their own show their address
                data["text/plain"] = re.sub(r" at 0x[0-9a-f]+>", ">", data["text/plain"])


def player(path: str, *, title: str = "") -> str:
    """HTML of an audio control for a sound of the embedded world.

    In the book it points to the file that the build synthesises; in a live notebook the sound is embedded.
    """
    if os.environ.get("CLAPLEAK_PAGE"):
        source = f"../_static/foley/{media_name(path)}"
    else:
        source = "data:audio/mpeg;base64," + base64.b64encode(_mp3(path)).decode()
    label = html.escape(title or path)
    names = f'data-path="{html.escape(path)}" aria-label="{label}" title="{label}"'
    return f'<audio controls preload="none" {names} src="{source}"></audio>'


def media_name(path: str) -> str:
    """File name of a virtual path: "foley@0/door wood knock/3" -> "foley-0-door-wood-knock-3.mp3"."""
    return "".join(c if c.isalnum() else "-" for c in path) + ".mp3"


def _mp3(path: str) -> bytes:
    wave = foley.synthesise(path, sample_rate=MEDIA_RATE, duration=MEDIA_SECONDS)
    buffer = io.BytesIO()
    soundfile.write(buffer, wave, MEDIA_RATE, format="MP3")
    return buffer.getvalue()


def write_media(pages: Path, folder: Path) -> int:
    """Synthesise every sound that a page offers, in a player or in the explorer's data; returns their number."""
    wanted = {}
    for page in sorted(pages.glob("*.ipynb")):  # quotes of HTML and of data in it are escaped there
        asked = re.findall(r'\\"(foley@\d+/[^"\\{}]+/\d+)\\"', page.read_text(encoding="utf-8"))
        wanted |= {media_name(path): path for path in map(html.unescape, asked)}
    folder.mkdir(parents=True, exist_ok=True)
    for stale in {p.name for p in folder.glob("*.mp3")} - set(wanted):
        (folder / stale).unlink()
    for name, path in wanted.items():
        if not (folder / name).is_file():
            with atomic_file(folder / name) as file:
                file.write(_mp3(path))
    return len(wanted)


def build_book(root: Path) -> Path:
    """HTML of the book from the executed pages in book/pages; returns its first page.

    Raises
    ------
    ClapleakError
        A page is missing, or Jupyter Book reports a warning or an error.
    """
    pages = root / "book" / "pages"
    wanted = [*RESULT_PAGES, *(f"setup_{setup.slug}" for setup in SETUPS)]
    absent = [name for name in wanted if not (pages / f"{name}.ipynb").is_file()]
    if absent:
        raise ClapleakError(f"{pages}: pages missing: {', '.join(absent)}; make them with `clapleak reproduce`")
    command = [
        "jupyter-book",
        "build",
        "book",
        "--all",  # a page that is not read again would keep its warnings to itself
        "--config",
        "_config.yml",
        "--path-output",
        ".",
        "-n",
        "-W",
        "--keep-going",
    ]
    with subprocess.Popen([Path(sys.executable).parent / command[0], *command[1:]], cwd=root) as build:
        # beside the build, which takes its time and leaves other files in its folder alone
        count = write_media(pages, root / "_build" / "html" / "_static" / "foley")
    say(f"book: {count} sounds")
    if build.returncode:
        raise ClapleakError(f"{root / 'book'}: the book did not build; the lines above name the page and the reason")
    index = root / "_build" / "html" / "index.html"
    index.write_text(_FRONT_DOOR, encoding="utf-8")
    return index


def write_summary(root: Path) -> None:
    """Put the table of accuracies into the README, between its two markers; from results and reference alone."""
    from clapleak import figures  # here, since it is slow to import and most uses of this module do without

    printed = results.paper(root)
    columns = {}
    for title, profile in (("embedded world (synthetic)", "mini"), ("real ESC-50, split by class", "esc50")):
        runs = results.table(profile, root)
        beside = figures.beside_paper(runs, printed, {"accuracy": "accuracy"})["accuracy"]
        columns["paper"] = beside["paper"]
        columns[title] = beside["ours"].str.replace("\u00a0", " ")  # a plain file needs no such spaces
        columns[title]["guessing"] = f"{runs['chance'].mean():.2f}"
    names = [*(setup.slug for setup in SETUPS), "guessing"]
    lines = ["| pre-training-training | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    lines += [
        "| " + " | ".join([name, *(column.get(name, "") for column in columns.values())]) + " |" for name in names
    ]
    readme = root / "README.md"
    before, rest = readme.read_text(encoding="utf-8").split("<!-- results -->")
    text = "Zero-shot accuracy, mean ± standard deviation over seeds (and groups); written by `clapleak book`.\n\n"
    after = rest.split("<!-- /results -->")[1]
    content = f"{before}<!-- results -->\n{text}" + "\n".join(lines) + f"\n<!-- /results -->{after}"
    with atomic_file(readme) as file:
        file.write(content.encode())
