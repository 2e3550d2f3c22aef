"""The book of the working tree, built strictly once a session, and Debian's Chromium for the tests that need one."""

import atexit
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import jupytext
import nbformat
import pytest

from clapleak.book import site
from clapleak.book.pdf import BROWSERS

ROOT = Path(__file__).parents[1]
PAGES, EXECUTED = site.chapters(ROOT), site.page_names(ROOT)
CHROMIUM = next((path for name in BROWSERS if (path := shutil.which(name))), None)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium")


def cells(path: Path, kind: str) -> list[nbformat.NotebookNode]:
    """Cells of one kind of a notebook, which is a .py or .ipynb file."""
    return [cell for cell in jupytext.read(path).cells if cell.cell_type == kind]


@cache
def html_folder() -> Path:
    """Folder of the finished HTML. ClapleakError for a missing page, a warning or an error."""
    folder = Path(tempfile.mkdtemp(prefix="clapleak-book-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return site.build(ROOT / "book" / "pages", folder / "html", ROOT).parent


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Address of a folder, served on this machine alone."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
