"""The book of the working tree, built strictly once a test session into a folder of its own."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from clapleak.book import site

ROOT = Path(__file__).parents[1]
PAGES = site.chapters(ROOT)
EXECUTED = site.page_names(ROOT)


@cache
def html_folder() -> Path:
    """Folder of the finished HTML. ClapleakError for a missing page, a warning or an error."""
    folder = Path(tempfile.mkdtemp(prefix="clapleak-book-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return site.build(ROOT / "book" / "pages", folder / "html", ROOT).parent
