"""Which texts and labels leak the names of the test classes, and a corpus without them (section 2.2).

The paper removes "all audio examples whose captions contain words that were present in the ESC50 class set". Words
here are runs of letters and digits in lower case, compared whole: "can" of "can opening" is found in "a can rolls" and
in "birds can be heard", not in "candle". Underscores and hyphens part words. The rule looks at words, not at meaning:
"French horn" leaks "car horn", and "Cough" passes beside "coughing". Two rules stand beside it for comparison. "phrase"
asks for the whole class name in a row; it keeps "birds can be heard", and much that it should not. "ontology" looks at
meaning, and judges labels of AudioSet and FSD50K only: one leaks when it is a class that means a test class, or lies
below such a class in AudioSet's ontology. So "French horn" stays, and "Cough" and "Bark" go. Which classes mean which
is our judgement, in `datasets/esc50_audioset.csv`.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import pandas as pd

from clapleak.config import ClapleakError
from clapleak.datasets.corpus import Corpus

RULES = ("word", "phrase", "ontology")
_WORD = re.compile(r"[^\W_]+")
_LABEL_COLUMNS = ("labels", "display_name")
_TEXT_COLUMNS = ("caption", "text", *_LABEL_COLUMNS)
_Judge = Callable[[str], tuple[list[str], list[str]]]  # a text -> what it shares, and with which classes


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
    rule : "word", "phrase" or "ontology"
        Any word of a name (the paper's), all its words in a row, or AudioSet's ontology. The last takes `texts` that
        are labels of AudioSet or FSD50K, one a text, in either's spelling ("Chicken, rooster", "Chicken_and_rooster"),
        and `labels` out of the names of ESC-50. A text that is no label of AudioSet does not leak.

    Returns
    -------
    DataFrame
        One row a text: `leaks` (bool), `words` (list, in order of appearance; by ontology AudioSet's name of the
        label), `classes` (list of the names that the text shares a word with, by phrase holds, or by ontology lies
        at or below; in the order of `labels`).

    Raises
    ------
    ClapleakError
        An unknown rule, one text in place of a list, a text that is none, no label, or a label without a word or, by
        ontology, outside ESC-50.

    Examples
    --------
    >>> find_leaks(["A French horn plays", "Cough"], ["car horn", "coughing"])
       leaks   words     classes
    0   True  [horn]  [car horn]
    1  False      []          []
    """
    if rule not in RULES:
        raise ClapleakError(f"unknown rule '{rule}': use {', '.join(RULES[:-1])} or {RULES[-1]}")
    if isinstance(texts, str):
        raise ClapleakError("texts must be a list of texts, not one text")
    known = label_words(labels)
    judge = _by_ontology(labels) if rule == "ontology" else _by_words(labels, known, whole=rule == "phrase")
    rows = []
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            raise ClapleakError(f"text {number} is {text!r}, not a text: drop empty captions first")
        words, classes = judge(text)
        rows.append((bool(words), words, classes))
    index = texts.index if isinstance(texts, pd.Series) else None
    return pd.DataFrame(rows, index=index, columns=["leaks", "words", "classes"]).astype({"leaks": bool})


def _by_words(labels: Collection[str], known: set[str], *, whole: bool) -> _Judge:
    phrases = {label: _words(label) for label in labels}
    classes_of = {word: [label for label, phrase in phrases.items() if word in phrase] for word in known}
    order = {label: position for position, label in enumerate(phrases)}

    def judge(text: str) -> tuple[list[str], list[str]]:
        tokens = _words(text)
        if known.isdisjoint(tokens):
            return [], []
        words = [word for word in dict.fromkeys(tokens) if word in known]
        classes = {label for word in words for label in classes_of[word]}
        if whole:
            line = f" {' '.join(tokens)} "
            classes = {label for label in classes if f" {' '.join(phrases[label])} " in line}
            words = [word for word in words if not classes.isdisjoint(classes_of[word])]
        return words, sorted(classes, key=order.get)

    return judge


def _by_ontology(labels: Collection[str]) -> _Judge:
    meant: dict[str, list[dict[str, str]]] = {}  # name of a test class -> the AudioSet classes at or below it
    for row in _package_table("esc50_audioset.csv"):
        meant.setdefault(row["name"], []).append(row)
    found: dict[str, tuple[list[str], list[str]]] = {}
    for label in dict.fromkeys(labels):
        name = " ".join(_words(label))
        if name not in meant:
            raise ClapleakError(
                f"label '{label}' is no class of ESC-50, and the rule ontology knows no other: use esc50"
            )
        for row in meant[name]:
            if row["mid"]:  # else AudioSet has no such class
                found.setdefault(_plain(row["label"]), ([row["label"]], []))[1].append(label)

    def judge(text: str) -> tuple[list[str], list[str]]:
        words, classes = found.get(_plain(text), ([], []))
        return [*words], [*classes]

    return judge


def _plain(label: str) -> str:
    """A label in the spelling of AudioSet or FSD50K as bare words: "Chicken, rooster", "Chicken_and_rooster"."""
    return " ".join(word for word in _words(label) if word != "and")


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
        "labels" judges a clip by all its labels, for pre-training: it goes when any of them leaks. The rule
        "ontology" needs it.
    """
    if rule == "ontology" and on == "text":
        raise ClapleakError("the rule ontology judges labels, not captions: use on='labels', or another rule")
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
        return [row["name"] for row in _package_table("esc50_classes.csv")]
    labels = [line.strip() for line in _decode(Path(name_or_file)).splitlines() if line.strip()]
    if not labels:
        raise ClapleakError(f"{name_or_file}: no label; write one class name a line, or use esc50")
    return labels


def _package_table(name: str) -> list[dict[str, str]]:
    text = (resources.files("clapleak.datasets") / name).read_text(encoding="utf-8")
    return list(csv.DictReader(io.StringIO(text)))


def read_texts(path: str | Path, *, labels_only: bool = False) -> pd.DataFrame:
    """Texts of a CSV with a column `caption`, `caption_1` and so on, `text`, `labels` or `display_name`.

    `labels_only` takes the last two alone, for the rule "ontology".

    Returns
    -------
    DataFrame
        `row` (1 for the first below the header) and `text`. A row with several captions gives several texts, and so
        do `labels`, which commas part and whose underscores become spaces. Empty texts are left out.

    Raises
    ------
    ClapleakError
        No such file, none of the columns, no text, or a row with more fields than the header.
    """
    try:
        reader = csv.DictReader(io.StringIO(_decode(Path(path)), newline=""), restkey="")
        rows = list(reader)
    except csv.Error as error:
        raise ClapleakError(f"{path}: not a readable CSV ({error})") from error
    header = {name.strip().lower(): name for name in reader.fieldnames or []}
    several = [name for name in header if re.fullmatch(r"caption_\d+", name) and not labels_only]
    chosen = next(([name] for name in (_LABEL_COLUMNS if labels_only else _TEXT_COLUMNS) if name in header), several)
    if not chosen:
        kind, wanted = ("labels", ()) if labels_only else ("texts", ("caption", "caption_1", "text"))
        need = f"need one of {', '.join((*wanted, *_LABEL_COLUMNS))}"
        raise ClapleakError(f"{path}: no column of {kind}; found {', '.join(header) or 'nothing'}, {need}")
    texts = []
    for number, row in enumerate(rows, start=1):
        if "" in row:
            raise ClapleakError(f"{path}: row {number} has more fields than the header; quote texts that hold commas")
        cells = [row[header[name]] or "" for name in chosen]
        parts = [p.replace("_", " ") for p in cells[0].split(",")] if chosen == ["labels"] else cells
        texts += [(number, part.strip()) for part in parts if part.strip()]
    if not texts:
        raise ClapleakError(f"{path}: column {', '.join(chosen)} holds no text")
    return pd.DataFrame(texts, columns=["row", "text"])


def _decode(path: Path) -> str:
    if not path.is_file():
        raise ClapleakError(f"{path}: no such file")
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        return path.read_bytes().decode("iso-8859-1")  # Clotho's metadata
