"""Which texts and labels leak the names of the test classes, and the one leak filter (section 2.2).

The paper removes "all audio examples whose captions contain words that were present in the ESC50 class set". Words
here are runs of letters, with their marks, and digits in lower case, compared whole: "can" of "can opening" is found in
"birds can be heard", not in "candle". The rule looks at words, not at meaning: "French horn" leaks "car horn", and
"Cough" passes beside "coughing". Other rules stand beside it for comparison. "lemma" compares words without their
endings, so that "Cough" leaks. "phrase" asks for the whole class name in a row. "ontology" judges labels of AudioSet
and FSD50K alone: one leaks when it means a test class, or lies below such a class in AudioSet's ontology, by
`corpora/esc50_audioset.csv`. `texts.find_leaks` adds a rule that compares meanings and needs a network.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cache
from typing import Literal
from unicodedata import category, normalize

import numpy as np
import pandas as pd

from clapleak.corpora import Corpus, package_table
from clapleak.files import ClapleakError
from clapleak.identity import stable_seed
from clapleak.setups import FILTERS

RULES = ("word", "lemma", "phrase", "ontology")
_WORD = re.compile(r"[^\W_]+")
_UNSEEN = re.compile("[\u034f\ufe00-\ufe0f]")  # marks that show nothing; so do soft hyphens and their like, Cf
_NO_LIST = (str, bytes, Mapping, pd.DataFrame)  # what would be taken apart into letters, keys or columns
_Judge = Callable[[str], tuple[list[str], list[str]]]  # a text -> what it shares, and with which classes


def _words(text: str) -> list[str]:
    if text.isascii():
        return _WORD.findall(text.lower())
    text = normalize("NFKC", _UNSEEN.sub("", text)).lower().replace("i\u0307", "i")  # of a capital I with a dot
    text = "".join(letter for letter in text if category(letter) not in ("Cf", "Me"))
    kinds = "".join(category(letter)[0] for letter in text)  # letters L, numbers N, marks M
    return [text[slice(*found.span())] for found in re.finditer("[LN][LNM]*", kinds)]


def lemma(word: str) -> str:
    """An English word without the ending of plural, participle or past: "coughs", "coughing" and "coughed" are "cough".

    By rule, not by dictionary, in the manner of Porter (1980): "sneezing" and "sneeze" are both "sneez", and a word as
    short as "wing" stays whole. Irregular forms ("teeth") and derived words ("laughter") stay apart.
    """
    if len(word) > 3 and word.endswith("ies"):
        word = word[:-3] + "y"
    elif len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    for ending in ("ing", "ed"):
        stem = word.removesuffix(ending)
        if stem != word and len(stem) > 2 and re.search("[aeiouy]", stem):
            doubled = len(stem) > 3 and stem[-1] == stem[-2] and stem[-1] not in "lsz"
            word = stem[:-1] if doubled else stem
    return word.removesuffix("e") if len(word) > 4 else word


def label_words(labels: Collection[str]) -> set[str]:
    """All words of some class names: {"door wood knock", "dog"} has door, wood, knock and dog.

    ClapleakError for no label at all, for a label without a letter or digit, and for what is no list of labels.
    """
    if isinstance(labels, _NO_LIST) or not isinstance(labels, Collection) or not len(labels):
        raise ClapleakError(f"labels must be a list with at least one class name; got {str(labels)[:60]!r}")
    if wrong := [label for label in labels if not isinstance(label, str) or not _words(label)]:
        raise ClapleakError(f"label {wrong[0]!r} holds no word: give class names of letters and digits")
    return {word for label in labels for word in _words(label)}


def find_leaks(texts: Iterable[str], labels: Collection[str], rule: str = "word") -> pd.DataFrame:
    """What each text gives away of the class names.

    Parameters
    ----------
    texts : captions or labels; a Series lends its index to the result. For the rule "ontology" labels of AudioSet or
        FSD50K, one a text ("Chicken, rooster" or "Chicken_and_rooster"); others do not leak.
    labels, rule : names of the test classes, for "ontology" out of ESC-50's; one of RULES, see the module

    Returns
    -------
    DataFrame with one row a text: `leaks` (bool), `words` (list, in order of appearance; by ontology AudioSet's name of
        the label), `classes` (list of the names that leak, in the order of `labels`)

    Examples
    --------
    >>> find_leaks(["A French horn plays", "Cough"], ["car horn", "coughing"])
       leaks   words     classes
    0   True  [horn]  [car horn]
    1  False      []          []
    """
    if rule not in RULES:
        raise ClapleakError(f"unknown rule '{rule}': use {', '.join(RULES[:-1])} or {RULES[-1]}")
    if isinstance(texts, _NO_LIST) or not isinstance(texts, Iterable):
        raise ClapleakError(f"texts must be a list of texts or one column of a table; got {type(texts).__name__}")
    label_words(labels)  # refuses what holds no word
    judge, rows = _by_ontology(labels) if rule == "ontology" else _by_words(labels, rule), []
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            raise ClapleakError(f"text {number} is {text!r}, not a text: drop empty captions first")
        words, classes = judge(text)
        rows.append((bool(words), [*words], [*classes]))
    index = texts.index if isinstance(texts, pd.Series) else None
    return pd.DataFrame(rows, index=index, columns=["leaks", "words", "classes"]).astype({"leaks": bool})


def _by_words(labels: Collection[str], rule: str) -> _Judge:
    form = cache(lemma) if rule == "lemma" else str
    names = {label: [form(word) for word in _words(label)] for label in labels}
    sought = {label: [" ".join(words)] if rule == "phrase" else words for label, words in names.items()}

    def judge(text: str) -> tuple[list[str], list[str]]:
        tokens = _words(text)
        line = f" {' '.join(map(form, tokens))} "
        classes = [label for label, parts in sought.items() if any(f" {part} " in line for part in parts)]
        shared = {word for label in classes for word in names[label]}
        return [word for word in dict.fromkeys(tokens) if form(word) in shared], classes

    return judge


def _by_ontology(labels: Collection[str]) -> _Judge:
    table = package_table("esc50_audioset.csv")  # names of test classes, AudioSet's at or below each
    leaking: dict[str, tuple[list[str], list[str]]] = {}  # a label of AudioSet -> itself, and the test classes
    for label in dict.fromkeys(labels):
        meant = table[table["name"] == " ".join(_words(label))]
        if meant.empty:
            raise ClapleakError(f"label '{label}' is no class of ESC-50, the only ones that the rule ontology knows")
        for name in meant.loc[meant["mid"] != "", "label"]:  # else AudioSet has no such class
            leaking.setdefault(_plain(name), ([name], []))[1].append(label)
    return lambda text: leaking.get(_plain(text), ([], []))


def _plain(label: str) -> str:
    """A label in the spelling of AudioSet or FSD50K as bare words: "Chicken, rooster", "Chicken_and_rooster"."""
    return " ".join(word for word in _words(label) if word != "and")


def filtered(
    corpus: Corpus, targets: Collection[str], name: str, *, on: Literal["text", "labels"], rule: str = "word",
    seed: int = 0,
) -> Corpus:  # fmt: skip
    """The rows that a training set keeps: the leak filter of both trainings. ClapleakError for what it cannot judge.

    Parameters
    ----------
    corpus, targets, rule : the names of the test classes, and how a text gives them away, see `find_leaks`
    name, seed : one of `setups.FILTERS`, and the seed of what it draws
    on : "text" judges a pair by its caption, for cross-modal training; "labels" a clip by its labels, for pre-training
    """
    chosen, table = FILTERS[name], corpus.table
    if on == "text" and rule == "ontology":
        raise ClapleakError("the rule ontology judges labels, not captions: use on='labels', or another rule")
    rows = table["labels"] if on == "labels" else [[text] for text in table["text"]]
    texts = pd.Series(list(dict.fromkeys(text for row in rows for text in row)), dtype=object)
    leaking = set(texts[find_leaks(texts, targets, rule)["leaks"]])
    leaks = np.array([not leaking.isdisjoint(row) for row in rows], dtype=bool)
    if chosen.sounds:
        if table["sounds"].isna().any():
            raise ClapleakError(f"corpus {corpus.name}: what sounds in its clips is not known; use clean, not {name}")
        leaks |= np.array([not set(targets).isdisjoint(row) for row in table["sounds"]], dtype=bool)
    if chosen.by_clip or on == "labels":
        leaks = table["clip"].isin(table.loc[leaks, "clip"]).to_numpy()
    stays, drawn = ~leaks, np.random.default_rng(stable_seed("control", name, seed)).permutation(len(corpus))
    if chosen.share is None:  # as many rows, whether they leak or not
        stays[drawn] = np.arange(len(corpus)) < stays.sum()
    else:
        stays[drawn[leaks[drawn]][: round(chosen.share * leaks.sum())]] = True
    return corpus.keep(pd.Series(stays))


def load_labels(name: str) -> list[str]:
    """Class names of ESC-50, in the order of its numbers; `texts.load_labels` reads those of others, and of files."""
    if name != "esc50":
        raise ClapleakError(f"unknown labels '{name}': use esc50, or texts.load_labels for a file")
    return package_table("esc50_classes.csv")["name"].tolist()
