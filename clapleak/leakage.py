"""Which texts and labels leak the names of the test classes, and a corpus without them (section 2.2).

The paper removes "all audio examples whose captions contain words that were present in the ESC50 class set". Words
here are runs of letters and digits in lower case, compared whole: "can" of "can opening" is found in "a can rolls" and
in "birds can be heard", not in "candle". Underscores and hyphens part words. The rule looks at words, not at meaning:
"French horn" leaks "car horn", and "Cough" passes beside "coughing". The rule "phrase" is a comparison that asks for
the whole class name in a row; it keeps "birds can be heard", and much that it should not.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import pandas as pd

from clapleak.config import ClapleakError
from clapleak.datasets.corpus import Corpus

RULES = ("word", "phrase")
_WORD = re.compile(r"[^\W_]+")
_TEXT_COLUMNS = ("caption", "text", "labels", "display_name")


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def label_words(labels: Collection[str]) -> set[str]:
    """All words of some class names: {"door wood knock", "dog"} has door, wood, knock and dog.

    Raises ClapleakError for no label at all, for a label without a letter or digit, and for a bare string.
    """
    if isinstance(labels, str) or not len(labels):
        raise ClapleakError(f"labels must be a list with at least one class name; got {labels!r}")
    for label in labels:
        if not _words(label):
            raise ClapleakError(f"label {label!r} holds no word: give class names of letters and digits")
    return {word for label in labels for word in _words(label)}


def find_leaks(texts: Iterable[str], labels: Collection[str], rule: str = "word") -> pd.DataFrame:
    """What each text gives away of the class names.

    Parameters
    ----------
    texts : iterable of str
        Captions or labels. A Series lends its index to the result.
    labels : collection of str
        Names of the test classes.
    rule : "word" or "phrase"
        Any word of a name (the paper's), or all its words in a row.

    Returns
    -------
    DataFrame
        One row a text: `leaks` (bool), `words` (list, in order of appearance), `classes` (list of the names that
        the text shares a word with or, by phrase, holds; in the order of `labels`).

    Examples
    --------
    >>> find_leaks(["A French horn plays", "Cough"], ["car horn", "coughing"])
       leaks   words     classes
    0   True  [horn]  [car horn]
    1  False      []          []
    """
    if rule not in RULES:
        raise ClapleakError(f"unknown rule '{rule}': use {' or '.join(RULES)}")
    if isinstance(texts, str):
        raise ClapleakError("texts must be a list of texts, not one text")
    classes_of = {word: [] for word in label_words(labels)}
    phrases = {label: " ".join(_words(label)) for label in labels}
    for label in phrases:
        for word in set(_words(label)):
            classes_of[word].append(label)
    rows = []
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            raise ClapleakError(f"text {number} is {text!r}, not a text: drop empty captions first")
        tokens = _words(text)
        words = [word for word in dict.fromkeys(tokens) if word in classes_of]
        classes = {label for word in words for label in classes_of[word]}
        if rule == "phrase" and words:
            line = f" {' '.join(tokens)} "
            classes = {label for label in classes if f" {phrases[label]} " in line}
            words = [word for word in words if not classes.isdisjoint(classes_of[word])]
        rows.append((bool(words), words, [label for label in phrases if label in classes] if words else []))
    index = texts.index if isinstance(texts, pd.Series) else None
    return pd.DataFrame(rows, index=index, columns=["leaks", "words", "classes"]).astype({"leaks": bool})


@dataclass(frozen=True)
class Report:
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


def report(leaks: pd.DataFrame) -> Report:
    """Counts of a `find_leaks` table: leaking texts in all, by class and by word."""
    by_class, by_word = (
        leaks[column].explode().dropna().value_counts().sort_index().sort_values(ascending=False, kind="stable")
        for column in ("classes", "words")
    )
    return Report(int(leaks["leaks"].sum()), len(leaks), by_class, by_word)


def clean(corpus: Corpus, labels: Collection[str], rule: str = "word", *, on: str = "text") -> tuple[Corpus, Corpus]:
    """Split a corpus into the rows that are kept and the rows that leak.

    Parameters
    ----------
    on : "text" or "labels"
        "text" judges every audio-text pair by its caption, for cross-modal training: a clip may keep other captions.
        "labels" judges a clip by all its labels, for pre-training: it goes when any of them leaks.
    """
    table = corpus.table
    if on == "text":
        leaks = find_leaks(table["text"], labels, rule)["leaks"]
    elif on == "labels":
        names = sorted({name for row in table["labels"] for name in row})
        leaking = {name for name, leak in zip(names, find_leaks(names, labels, rule)["leaks"], strict=True) if leak}
        clips = table.loc[[not leaking.isdisjoint(row) for row in table["labels"]], "clip"]
        leaks = table["clip"].isin(list(clips))
    else:
        raise ClapleakError(f"cannot search '{on}': use text or labels")
    return corpus.keep(~leaks), corpus.keep(leaks)


def load_labels(name_or_file: str | Path) -> list[str]:
    """Class names: those of ESC-50 for "esc50", else the lines of a text file."""
    if str(name_or_file) == "esc50":
        table = (resources.files("clapleak.datasets") / "esc50_classes.csv").read_text(encoding="utf-8")
        return [row["name"] for row in csv.DictReader(io.StringIO(table))]
    labels = [line.strip() for line in _decode(Path(name_or_file)).splitlines() if line.strip()]
    label_words(labels or [f"{name_or_file}: no line"]) if labels else None
    return labels
