"""Texts of a user's own files for `clapleak leaks` and `clapleak audit`, what leaks in them, and how much."""

import csv
import io
import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from clapleak import corpora, leakage
from clapleak.config import ClapleakError, TextEncoder

RULES = (*leakage.RULES, "meaning")
MEANING = 0.7  # cosine from which a text leaks; `reference/calibrate_meaning.py` finds it
COLUMNS = {  # of a table by what it holds: the first that it has counts
    "texts": ("caption", "text", "labels", "display_name"),  # else caption_1 and on
    "labels": ("labels", "display_name"),
    "class names": ("label", "category", "class", "display_name", "name"),
    "recordings": ("recording", "fname", "src_file", "id"),  # an id may count its rows
}
_LINES, _PARQUET, _TABS = (".jsonl", ".ndjson"), (".parquet", ".pq"), (".tsv", ".tab")
_TABLES, _LISTS = (".csv", *_TABS, *_LINES, *_PARQUET), ("", ".txt")
_PACKED = (".gz", ".zip", ".bz2", ".xz", ".zst", ".7z", ".tar", ".tgz")
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
    texts = list(texts) if isinstance(texts, Iterator) else texts  # which are read twice
    found = leakage.find_leaks(texts, labels)  # refuses what is no text
    rows, names = list(texts), list(labels)
    close = sentences(rows) @ sentences(names).T >= MEANING if rows else np.zeros((0, len(names)), bool)
    classes = [[name for name, same in zip(names, line, strict=True) if same] for line in close]
    words = [[text] if leaking else [] for text, leaking in zip(rows, classes, strict=True)]
    return found.assign(leaks=close.any(axis=1), words=words, classes=classes)


def sentences(texts: list[str]) -> np.ndarray:
    """Sentence embeddings (T, H) of unit length, by MiniLM. Slow to import; needs its weights."""
    if not find_spec("torch"):
        raise ClapleakError("the rule meaning needs torch: pip install 'clapleak[train]', or use another rule")
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


def read_texts(path: str | Path, kind: str = "texts", column: str | None = None) -> pd.DataFrame:
    """Texts of a CSV, TSV, Parquet or JSON lines file, from the column in COLUMNS for their kind, or from another one.

    Gives a table of `row` (1 for the first below the header) and `text`. A row with several captions gives several
    texts, and so do `labels`, which commas part and whose underscores become spaces. Empty texts are left out. The
    cells of another `column` are one text each, or a list of them. ClapleakError where there is no such file, column or
    text, or a row has more fields than the header.
    """
    path, wanted = Path(path), COLUMNS[kind] if column is None else (column,)
    if not path.is_file():
        raise ClapleakError(f"{path}: no such file")
    columns, rows = _read_table(path)
    names = [str(name).strip().lower() for name in columns]
    if twice := [name for i, name in enumerate(names) if name and name in names[:i]]:
        raise ClapleakError(f"{path}: column '{twice[0]}' stands twice; rename one")
    header = dict(zip(names, columns, strict=True))
    several = [name for name in header if wanted is COLUMNS["texts"] and re.fullmatch(r"caption_\d+", name)]
    chosen = next(([name.lower()] for name in wanted if name.lower() in header), several)
    if not chosen:
        found = ", ".join(header) or "nothing"
        raise ClapleakError(f"{path}: no column of {kind}; found {found}, need one of {', '.join(wanted)}")
    texts = []
    for number, row in enumerate(rows, start=1):
        where = f"{path}: row {number}"
        if None in row:
            raise ClapleakError(f"{where} has more fields than the header; quote texts that hold commas")
        parts = [part for name in chosen for part in _cell(row.get(header[name]), name == "labels", where)]
        texts += [(number, part.strip()) for part in parts if part.strip()]
    if not texts:
        raise ClapleakError(f"{path}: column {', '.join(chosen)} holds no text")
    return pd.DataFrame(texts, columns=["row", "text"])


def read_files(paths: Sequence[Path], rule: str, column: str | None = None) -> pd.DataFrame:
    """`read_texts` of several files for a rule, with a column `file`; ClapleakError where one is given twice."""
    real = [os.path.realpath(path) for path in paths]
    if twice := [path for i, path in enumerate(paths) if real[i] in real[:i]]:
        raise ClapleakError(f"{twice[0]}: is given twice; name every file once")
    kind = "labels" if rule == "ontology" else "texts"
    return pd.concat([read_texts(path, kind, column).assign(file=str(path)) for path in paths], ignore_index=True)


def load_labels(name_or_file: str | Path, root: Path | None = None) -> list[str]:
    """Class names of ESC-50 ("esc50"), of another corpus in the data root, or of a user's table or list of lines."""
    path, name = Path(name_or_file), str(name_or_file)
    if name == "esc50":
        return leakage.load_labels(name)
    if name in corpora.SOURCES:
        found = corpora.load(name, root).table["labels"].explode().dropna()
    elif not path.is_file():
        raise ClapleakError(f"{path}: no such file; write one class name a line, or use esc50")
    elif (suffix := path.suffix.lower()) in _TABLES:
        found = read_texts(path, "class names")["text"]
    elif suffix in _LISTS:
        found = path.read_text("utf-8-sig", "replace").splitlines()
    else:
        raise ClapleakError(f"{path}: no list of labels; give {', '.join(_TABLES)}, or .txt with one a line")
    labels = [label.replace("_", " ") for label in dict.fromkeys(map(str.strip, found)) if label]
    if not labels or (wrong := [label for label in labels if "\ufffd" in label or not re.search(r"[^\W_]", label)]):
        fault = f"'{wrong[0]}' holds no word, or is not in UTF-8" if labels else "no label"
        raise ClapleakError(f"{name}: {fault}; write one class name a line, or give a table of them")
    return labels


def _cell(value: Any, split: bool, where: str) -> list[str]:
    """The texts of a cell: itself, the parts of a list, or what commas part where the cell holds labels."""
    several = value if isinstance(value, (list, tuple, np.ndarray)) else [value]
    parts = [part for part in several if part is not None and not (isinstance(part, float) and np.isnan(part))]
    if wrong := [part for part in parts if not isinstance(part, str) or "\0" in part]:
        raise ClapleakError(f"{where} holds {str(wrong[0])[:40]!r}, which is no text; correct it")
    parts = value.split(",") if split and isinstance(value, str) else parts
    return [part.replace("_", " ") if split else part for part in parts]


def _read_table(path: Path) -> tuple[list[str], list[dict]]:
    """Names of the columns and the rows; in a row of a CSV that is too long, None is a key."""
    if (suffix := path.suffix.lower()) in _PACKED:
        raise ClapleakError(f"{path}: is packed; unpack it first")
    if suffix in (*_LINES, *_PARQUET):
        read = partial(pd.read_json, lines=True, dtype=False, encoding="utf-8-sig")
        try:
            table = (read if suffix in _LINES else pd.read_parquet)(path)
        except ImportError as error:
            raise ClapleakError(f"{path}: Parquet needs pyarrow; pip install 'clapleak[parquet]'") from error
        except (ValueError, OSError) as error:
            kind = "JSON lines" if suffix in _LINES else "Parquet"
            raise ClapleakError(f"{path}: not readable as {kind} ({' '.join(str(error).split())[:120]})") from error
        return list(table.columns), table.to_dict("records")
    try:
        content = path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        content = path.read_text("iso-8859-1")  # Clotho's metadata
    try:
        comma = "\t" if suffix in _TABS else ","
        reader = csv.DictReader(io.StringIO(content, newline=""), delimiter=comma, strict=True)
        rows = list(reader)
    except csv.Error as error:
        raise ClapleakError(f"{path}: not a readable CSV ({error}); look for a quote that is not closed") from error
    return list(reader.fieldnames or []), rows
