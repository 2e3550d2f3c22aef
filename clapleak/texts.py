"""Texts of a user's own CSV for `clapleak leaks`, and the counts of what leaks in them."""

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from clapleak.config import ClapleakError

_LABELS = ["labels", "display_name"]  # columns


@dataclass(frozen=True)
class LeakCounts:
    """Counts of leaking texts; a text with two words counts once for each. `str` gives a plain table."""

    removed: int
    total: int
    by_class: pd.Series  # class -> texts, most first
    by_word: pd.Series

    def __str__(self) -> str:
        lines = [f"{self.removed} of {self.total} texts leak ({self.removed / max(self.total, 1):.1%})"]
        for title, counts in (("class", self.by_class), ("word", self.by_word)):
            lines += [f"\nby {title}", *(f"{count:8d}  {name}" for name, count in counts.items())]
        return "\n".join(lines)


def count(leaks: pd.DataFrame) -> LeakCounts:
    """Counts of a `find_leaks` table: leaking texts in all, by class and by word."""
    by_class, by_word = (
        leaks[column].explode().dropna().value_counts().sort_index().sort_values(ascending=False, kind="stable")
        for column in ("classes", "words")
    )
    return LeakCounts(int(leaks["leaks"].sum()), len(leaks), by_class, by_word)


def read_texts(path: str | Path, *, labels_only: bool = False) -> pd.DataFrame:
    """Texts of a CSV with a column `caption`, `text`, `labels`, `display_name`, or `caption_1` and so on.

    Gives a table of `row` (1 for the first below the header) and `text`. A row with several captions gives several
    texts, and so do `labels`, which commas part and whose underscores become spaces. Empty texts are left out.
    `labels_only` takes `labels` and `display_name` alone, for the rule "ontology". ClapleakError where there is no
    such file, column or text, or a row has more fields than the header.
    """
    if not Path(path).is_file():
        raise ClapleakError(f"{path}: no such file")
    try:
        content = Path(path).read_text("utf-8-sig")
    except UnicodeDecodeError:
        content = Path(path).read_text("iso-8859-1")  # Clotho's metadata
    try:
        reader = csv.DictReader(io.StringIO(content, newline=""), restkey="")
        rows = list(reader)
    except csv.Error as error:
        raise ClapleakError(f"{path}: not a readable CSV ({error})") from error
    header = {name.strip().lower(): name for name in reader.fieldnames or []}
    several = [name for name in header if re.fullmatch(r"caption_\d+", name) and not labels_only]
    wanted = _LABELS if labels_only else ["caption", "text", *_LABELS]
    chosen = next(([name] for name in wanted if name in header), several)
    if not chosen:
        found, kind = ", ".join(header) or "nothing", "labels" if labels_only else "texts"
        raise ClapleakError(f"{path}: no column of {kind}; found {found}, need one of {', '.join(wanted)}")
    texts = []
    for number, row in enumerate(rows, start=1):
        if "" in row:
            raise ClapleakError(f"{path}: row {number} has more fields than the header; quote texts that hold commas")
        cells = [row[header[name]] or "" for name in chosen]
        parts = cells[0].replace("_", " ").split(",") if chosen == ["labels"] else cells
        texts += [(number, part.strip()) for part in parts if part.strip()]
    if not texts:
        raise ClapleakError(f"{path}: column {', '.join(chosen)} holds no text")
    return pd.DataFrame(texts, columns=["row", "text"])
