"""The site around the executed pages: sounds, the cell for Colab, the HTML, and the table in the README."""

import base64
import html
import io
import itertools
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import nbformat
import yaml
from matplotlib.figure import Figure

from clapleak.config import ClapleakError
from clapleak.files import atomic_folder, output_root, say, write

WITHOUT_RESULTS = ("idea", "leaks", "published", "sounds", "audit", "data_card")  # pages that show no run of anybody
MEDIA_RATE, MEDIA_SECONDS = 16000, 2.5
# Jupyter Book's own redirect names no icon, and browsers then ask for one that is not there.
_INDEX = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>clapleak</title><link rel="icon" href="data:,">'
    '<meta http-equiv="refresh" content="0; url={first}.html"></head><body></body></html>\n'
)
# Colab opens a page alone; it needs the package, and profiles/ and results/ below its working directory.
_COLAB = """\
import os, sys
if "google.colab" in sys.modules:
    !test -d /content/project || git clone --quiet --depth 1 --branch {branch} {url} /content/project
    !pip install --quiet --editable "/content/project[train,offline]" myst-nb anywidget
    os.chdir("/content/project"); sys.path.insert(0, "/content/project")"""


def chapters(root: Path) -> list[str]:
    """Pages of the book in the order of its table of contents: "pages/intro", "pages/idea", ..."""
    path = root / "book" / "_toc.yml"
    if not path.is_file():
        raise ClapleakError(f"{path}: no such file; the book needs a whole clone of the project, or none")
    return re.findall(r"\b(?:root|file): ([\w/-]+)", path.read_text(encoding="utf-8"))


def page_names(root: Path) -> list[str]:
    """Chapters that are executed notebooks: "intro", ..., "setup_dirty-dirty", ..."""
    return [name.removeprefix("pages/") for name in chapters(root) if name.startswith("pages/")]


def colab_cell(root: Path) -> nbformat.NotebookNode:
    """The hidden first code cell of every page; ClapleakError where _config.yml names no repository and branch."""
    config = root / "_config.yml"
    try:
        place = yaml.safe_load(config.read_text(encoding="utf-8"))["repository"]
        source = _COLAB.format(url=place["url"], branch=place["branch"])
    except (OSError, KeyError, TypeError) as error:
        raise ClapleakError(f"{config}: name the repository: url and branch, for the pages on Colab") from error
    return nbformat.v4.new_code_cell(source, metadata={"tags": ["remove-cell", "colab"]})


def player(path: str, *, title: str) -> str:
    """HTML of an audio control for a synthetic sound: a file that the build makes, in a live notebook embedded."""
    built = f"../_static/foley/{media_name(path)}" if os.environ.get("CLAPLEAK_PAGE") else ""
    source = built or "data:audio/mpeg;base64," + base64.b64encode(_mp3(path)).decode()
    label = html.escape(title)
    names = f'data-path="{html.escape(path)}" aria-label="{label}" title="{label}"'
    return f'<audio controls preload="none" {names} src="{source}"></audio>'


def slider(
    label: str, frames: dict[str, str], start: int, picture: tuple[Figure, str] | None = None, at: Sequence[float] = ()
) -> str:
    """HTML of a slider over frames (HTML by the name of their position); `book/_static/slider.js` moves it.

    At first, and without the script, the frame of number `start` is shown. Above the frames may stand a figure with its
    description, and in each of its panels a line at the position's x of `at`, in data.
    """
    place = [f'data-at="{i}"' + " hidden" * (i != start) for i in range(len(frames))]
    names, stage = [html.escape(name) for name in frames], ""
    if picture:
        (figure, alt), buffer = picture, io.BytesIO()
        figure.savefig(buffer, format="png")  # now the layout is final
        image = base64.b64encode(buffer.getvalue()).decode()
        stage = f'<img src="data:image/png;base64,{image}" alt="{html.escape(alt)}">'
        for ax, (i, x) in itertools.product(figure.axes, enumerate(at)):
            left, box = ax.transData.transform((x, 0))[0] / figure.bbox.width, ax.get_position()
            stage += f'<i {place[i]} style="left:{left:.2%};bottom:{box.y0:.2%};height:{box.height:.2%}"></i>'
    shown = [f'<div {place[i]} data-name="{names[i]}">{frame}</div>' for i, frame in enumerate(frames.values())]
    knob = f'<input type="range" max="{len(names) - 1}" value="{start}" disabled>'  # the script sets it free
    head = f"<label><span>{html.escape(label)}: <output>{names[start]}</output></span>{knob}</label>"
    return f'<div class="slider">{head}<div class="stage">{stage}</div>{"".join(shown)}</div>'


def media_name(path: str) -> str:
    """File name of a virtual path: "foley@0/door wood knock/3" -> "foley-0-door-wood-knock-3.mp3"."""
    return "".join(c if c.isalnum() else "-" for c in path) + ".mp3"


def _mp3(path: str) -> bytes:
    import soundfile

    from clapleak import foley

    wave, buffer = foley.synthesise(path, sample_rate=MEDIA_RATE, duration=MEDIA_SECONDS), io.BytesIO()
    soundfile.write(buffer, wave, MEDIA_RATE, format="MP3")
    return buffer.getvalue()


def read_page(path: Path) -> nbformat.NotebookNode:
    """An executed page; ClapleakError where its file is damaged."""
    try:
        return nbformat.read(path, 4)
    except Exception as error:  # of nbformat, for each kind of damage another
        raise ClapleakError(f"{path}: damaged; make it again by `clapleak pages`, in build/ with --own") from error


def write_media(pages: Path, folder: Path) -> int:
    """Synthesise every sound that a page offers, in a player or in the explorer's data; returns their number."""
    text = "".join(page.read_text(encoding="utf-8") for page in sorted(pages.glob("*.ipynb")))
    asked = re.findall(r'\\"(foley@\d+/[^"\\{}]+/\d+)\\"', text)  # quotes of HTML and of data in it are escaped there
    wanted = {media_name(path): path for path in map(html.unescape, asked)}
    folder.mkdir(parents=True, exist_ok=True)
    for stale in {p.name for p in folder.glob("*.mp3")} - set(wanted):
        (folder / stale).unlink()
    for name, path in wanted.items():
        if not (folder / name).is_file():
            write(folder / name, _mp3(path))
    return len(wanted)


def build(pages: Path, output: Path, root: Path, *, builder: str = "html") -> Path:
    """Build the book from executed pages, those of book/pages or a user's own; returns its first page.

    `output` is replaced when the build has succeeded; `builder` may be "singlehtml", one long page without sounds. What
    Jupyter Book prints is shown where it fails. ClapleakError then, after a warning, and for a missing or damaged page.
    """
    if absent := [name for name in page_names(root) if not (pages / f"{name}.ipynb").is_file()]:
        raise ClapleakError(f"{pages}: pages missing: {', '.join(absent)}; make them with `clapleak reproduce`")
    whole = [read_page(path) for path in sorted(pages.glob("*.ipynb"))]
    say(f"book: building {len(whole)} executed pages and the prose")
    source = root / "book" if pages == root / "book" / "pages" else _assembled(pages, root, output.parent / "book")
    sounds = output_root() / "build" / "sounds" / source.name  # kept for the next build
    with tempfile.TemporaryDirectory() as scratch, tempfile.TemporaryFile() as log, atomic_folder(output) as finished:
        command = [Path(sys.executable).parent / "jupyter-book", "build", source, "--builder", builder, "--all"]
        command += ["--config", root / "_config.yml", "--path-output", scratch, "-n", "-W", "--keep-going"]
        with subprocess.Popen(command, cwd=scratch, stdout=log, stderr=log) as process:
            if builder == "html":  # beside the build, which takes its time
                say(f"book: {write_media(pages, sounds)} sounds")
        if process.returncode:
            log.seek(0)
            say(log.read().decode(errors="replace"))
            raise ClapleakError(f"{source}: the book did not build; the lines above name the page and the reason")
        shutil.copytree(Path(scratch) / "_build" / builder, finished, dirs_exist_ok=True)
        if builder == "html":
            shutil.copytree(sounds, finished / "_static" / "foley")
        (finished / "index.html").write_text(_INDEX.format(first=chapters(root)[0]), encoding="utf-8")
    return output / "index.html"


def _assembled(pages: Path, root: Path, folder: Path) -> Path:
    """A source folder of the book with other pages."""
    above = Path(os.path.relpath(root, folder)).as_posix()
    with atomic_folder(folder) as made:
        shutil.copytree(root / "book", made, ignore=shutil.ignore_patterns("pages"), dirs_exist_ok=True)
        shutil.copytree(pages, made / "pages", ignore=lambda _, names: [n for n in names if not n.endswith(".ipynb")])
        for text in made.glob("*.md"):  # files that they include stay in the project
            text.write_text(re.sub(r"\.\.(?=/profiles/|/reference/)", above, text.read_text("utf-8")), "utf-8")
    return folder
