"""Texts of a user's own files for `clapleak leaks` and `clapleak audit`, what leaks in them, and how much."""

import csv
import io
import re
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from clapleak import corpora, leakage
from clapleak.config import ClapleakError, TextEncoder
from clapleak.corpora.table import read_column

RULES = (*leakage.RULES, "meaning")
# Cosine of two sentence embeddings from which a text leaks; `reference/calibrate_meaning.py` finds it.
MEANING = 0.7
LABEL_COLUMNS = ("label", "category", "class", "display_name", "name")  # of a CSV of class names
_LABELS = ["labels", "display_name"]  # columns
_LINES, _PARQUET = (".jsonl", ".ndjson"), (".parquet", ".pq")
_BATCH = 256


def count(leaks: pd.DataFrame) -> str:
    """Counts of a `find_leaks` table as a plain table: leaking texts in all, by class and by word, most first.

    A text with two words counts once for each.
    """
    removed, total = int(leaks["leaks"].sum()), len(leaks)
    lines = [f"{removed} of {total} texts leak ({removed / max(total, 1):.1%})"]
    for title, column in (("class", "classes"), ("word", "words")):
        counts = leaks[column].explode().value_counts().sort_index().sort_values(ascending=False, kind="stable")
        lines += [f"\nby {title}", *(f"{number:8d}  {name}" for name, number in counts.items())]
    return "\n".join(lines)


def find_leaks(texts: Iterable[str], labels: Collection[str], rule: str = "word") -> pd.DataFrame:
    """As `leakage.find_leaks`, with one rule more: by "meaning" a text leaks the class names that mean the same.

    That is when the cosine of the sentence embeddings (MiniLM) of text and name is at least MEANING. `words` then holds
    the text itself. The rule is for labels and short texts: a long caption is never close to one of its words.
    """
    if rule not in RULES:
        raise ClapleakError(f"unknown rule '{rule}': use {', '.join(RULES[:-1])} or {RULES[-1]}")
    if rule != "meaning":
        return leakage.find_leaks(texts, labels, rule)
    found = leakage.find_leaks(texts, labels)  # refuses what is no text
    rows, names = list(texts), list(labels)
    close = sentences(rows) @ sentences(names).T >= MEANING if rows else np.zeros((0, len(names)), bool)
    classes = [[name for name, same in zip(names, line, strict=True) if same] for line in close]
    words = [[text] if leaking else [] for text, leaking in zip(rows, classes, strict=True)]
    return found.assign(leaks=close.any(axis=1), words=words, classes=classes)


def sentences(texts: list[str]) -> np.ndarray:
    """Sentence embeddings (T, H) of unit length, by MiniLM. Slow to import; needs its weights."""
    import torch
    from tqdm import tqdm

    from clapleak.metrics import unit
    from clapleak.models.text import load_text_encoder

    encoder = load_text_encoder(TextEncoder(model="minilm", pooling="mean", max_tokens=64, trainable_layers=0))
    rows, unique = pd.factorize(pd.Series(texts))
    batches = [list(unique[start : start + _BATCH]) for start in range(0, len(unique), _BATCH)]
    with torch.inference_mode():
        states = [encoder(batch).numpy() for batch in tqdm(batches, "meaning", unit=f"x{_BATCH} texts")]
    return unit(np.concatenate(states))[rows]


def read_texts(path: str | Path, *, labels_only: bool = False, column: str | None = None) -> pd.DataFrame:
    """Texts of a CSV, Parquet or JSON lines file with a column `caption`, `text`, `labels`, ..., or `caption_1` and on.

    Gives a table of `row` (1 for the first below the header) and `text`. A row with several captions gives several
    texts, and so do `labels`, which commas part and whose underscores become spaces. Empty texts are left out.
    `column` names another column; its cells are one text each, or a list of them. `labels_only` takes `labels` and
    `display_name` alone, for the rule "ontology". ClapleakError where there is no such file, column or text, or a row
    has more fields than the header.
    """
    if not Path(path).is_file():
        raise ClapleakError(f"{path}: no such file")
    header, rows = _read_table(Path(path))
    wanted = [column] if column is not None else _LABELS if labels_only else ["caption", "text", *_LABELS]
    numbered = column is None and not labels_only
    several = [name for name in header if numbered and re.fullmatch(r"caption_\d+", name)]
    chosen = next(([name.lower()] for name in wanted if name.lower() in header), several)
    if not chosen:
        found, kind = ", ".join(header) or "nothing", "labels" if labels_only else "texts"
        raise ClapleakError(f"{path}: no column of {kind}; found {found}, need one of {', '.join(wanted)}")
    texts = []
    for number, row in enumerate(rows, start=1):
        where = f"{path}: row {number}"
        if "" in row:
            raise ClapleakError(f"{where} has more fields than the header; quote texts that hold commas")
        parts = [part for name in chosen for part in _cell(row.get(header[name]), name == "labels", where)]
        texts += [(number, part.strip()) for part in parts if part.strip()]
    if not texts:
        raise ClapleakError(f"{path}: column {', '.join(chosen)} holds no text")
    return pd.DataFrame(texts, columns=["row", "text"])


def read_files(paths: Iterable[Path], *, labels_only: bool = False, column: str | None = None) -> pd.DataFrame:
    """`read_texts` of several files, with a column `file`."""
    read = [read_texts(path, labels_only=labels_only, column=column).assign(file=str(path)) for path in paths]
    return pd.concat(read, ignore_index=True)


def load_labels(name_or_file: str | Path, root: Path | None = None) -> list[str]:
    """As `leakage.load_labels`, and the labels of another corpus by its name, or of a CSV.

    A corpus is read from the data root; of a CSV the first of the columns in LABEL_COLUMNS counts.
    """
    path = Path(name_or_file)
    if str(name_or_file) in set(corpora.SOURCES) - {"esc50"}:
        found = corpora.load(str(name_or_file), root).table["labels"].explode()
    elif path.suffix.lower() == ".csv" and path.is_file():
        found = read_column(path, LABEL_COLUMNS, "of labels")
    else:
        return leakage.load_labels(name_or_file)
    if not (labels := [label.replace("_", " ") for label in dict.fromkeys(found.dropna().str.strip()) if label]):
        raise ClapleakError(f"{name_or_file}: no label; give a CSV of labels, a text file with one a line, or esc50")
    return labels


def _cell(value: Any, split: bool, where: str) -> list[str]:
    """The texts of a cell: itself, the parts of a list, or what commas part where the cell holds labels."""
    several = value if isinstance(value, (list, tuple, np.ndarray)) else [value]
    parts = [part for part in several if part is not None and not (isinstance(part, float) and np.isnan(part))]
    if wrong := [part for part in parts if not isinstance(part, str) or "\0" in part]:
        raise ClapleakError(f"{where} holds {str(wrong[0])[:40]!r}, which is no text; correct it")
    parts = value.split(",") if split and isinstance(value, str) else parts
    return [part.replace("_", " ") if split else part for part in parts]


def _read_table(path: Path) -> tuple[dict[str, str], list[dict]]:
    """Names of the columns, in lower case and as they stand, and the rows."""
    if (suffix := path.suffix.lower()) in (*_LINES, *_PARQUET):
        try:
            table = pd.read_json(path, lines=True, dtype=False) if suffix in _LINES else pd.read_parquet(path)
        except ImportError as error:
            raise ClapleakError(f"{path}: Parquet needs pyarrow; pip install 'clapleak[parquet]'") from error
        except (ValueError, OSError) as error:
            kind = "JSON lines" if suffix in _LINES else "Parquet"
            raise ClapleakError(f"{path}: not readable as {kind} ({' '.join(str(error).split())[:120]})") from error
        return {str(name).strip().lower(): name for name in table.columns}, table.to_dict("records")
    try:
        content = path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        content = path.read_text("iso-8859-1")  # Clotho's metadata
    try:
        reader = csv.DictReader(io.StringIO(content, newline=""), restkey="", strict=True)
        rows = list(reader)
    except csv.Error as error:
        raise ClapleakError(f"{path}: not a readable CSV ({error}); look for a quote that is not closed") from error
    names = [name.strip().lower() for name in reader.fieldnames or []]
    if twice := [name for i, name in enumerate(names) if name and name in names[:i]]:
        raise ClapleakError(f"{path}: column '{twice[0]}' stands twice; rename one")
    return dict(zip(names, reader.fieldnames or [], strict=True)), rows
