"""The book of the working tree, built strictly once a test session into a folder of its own."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

import yaml

from clapleak.pages import build_book

ROOT = Path(__file__).parents[1]
TOC = yaml.safe_load((ROOT / "book" / "_toc.yml").read_text(encoding="utf-8"))
CHAPTERS = [chapter["file"] for part in TOC["parts"] for chapter in part["chapters"]]
PAGES = [TOC["root"], *CHAPTERS]


@cache
def html_folder() -> Path:
    """Folder of the finished HTML. ClapleakError for a missing page, a warning or an error."""
    root = Path(tempfile.mkdtemp(prefix="clapleak-book-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    for part in ("book", "profiles", "reference"):
        shutil.copytree(ROOT / part, root / part)
    shutil.copy(ROOT / "_config.yml", root)
    return build_book(root).parent
