"""What one setup learns from and is tested on: corpora, leak filter, targets, and the count of everything left out."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from clapleak import datasets, leakage
from clapleak.audio import ClipStore
from clapleak.compute import code_sha256, stable_seed
from clapleak.config import LEAKED, ClapleakError, Profile, Setup
from clapleak.datasets import esc50, foley
from clapleak.datasets.corpus import Corpus, join

# Captions of corpora that have labels alone. No word of an ESC-50 name stands in them ("can be heard" would leak).
TEMPLATES = (
    "{}",
    "the sound of {}",
    "a recording of {}",
    "{} nearby",
    "{} in the distance",
    "somebody recorded {}",
    "{} with some background noise",
    "a short clip of {}",
    "this is {}",
    "{} and nothing else",
)


@dataclass(frozen=True)
class World:
    """Everything that a profile reads, before any filter."""

    pretrain: Corpus
    pairs: Corpus
    test: Corpus
    tagging_test: Corpus | None
    groups: list[list[str]] | None  # target classes of each group; None: all classes of the test at once
    expected_clips: int  # clips of the complete test corpus
    complete_classes: int  # classes of the test corpus that lack no clip

    def corpora(self) -> list[Corpus]:
        """All parts, for the clip store."""
        return [c for c in (self.pretrain, self.pairs, self.test, self.tagging_test) if c is not None]

    def group_numbers(self) -> list[int | None]:
        """Group numbers to run; [None] without groups."""
        return [None] if self.groups is None else list(range(len(self.groups)))


@dataclass(frozen=True)
class Task:
    """Data of one setup after the filter; `counts` goes into the results."""

    pretrain: Corpus
    pairs: Corpus
    test: Corpus
    tagging_test: Corpus | None
    targets: list[str]
    store: ClipStore
    counts: dict[str, int]

    def fingerprint(self, stage: str, profile: Profile, seed: int) -> str:
        """Identity of one training: numbers, code, seed and data. Checkpoints, weights and results carry it."""
        table = (self.pretrain if stage.startswith("backbone") else self.pairs).table[["clip", "text", "labels"]]
        rows = pd.util.hash_pandas_object(table.assign(labels=table["labels"].map("|".join)), index=False)
        content = (stage, profile.sha256, code_sha256(), seed, self.targets, self.store.identity, list(rows))
        return hashlib.sha256(repr(content).encode()).hexdigest()


def world(profile: Profile, data_root: Path | None = None) -> World:
    """Read the corpora of a profile. ClapleakError where a corpus or its root is missing."""
    data, parts = profile.data, {}
    sources = {"pretrain": data.pretrain, "pairs": data.pairs, "test": [data.test]}
    for part, names in sources.items():
        parts[part] = join([_read(name, part, profile, data_root) for name in names])
    parts["tagging_test"] = data.tagging_test and _read(data.tagging_test, "test", profile, data_root)
    test = parts["test"].clips()
    per_class = test["text"].value_counts()
    if profile.synthetic:
        return World(**parts, groups=None, expected_clips=len(test), complete_classes=len(per_class))
    complete = sorted(per_class.index[per_class == esc50.CLIPS_PER_CLASS])
    split = profile.data.class_groups
    groups = None
    if split is not None:
        groups = class_groups(complete, split.size)
        parts["pairs"] = label_captions(parts["pairs"], split.captions_per_clip)
    return World(**parts, groups=groups, expected_clips=esc50.CLIPS, complete_classes=len(complete))


def _read(name: str, part: str, profile: Profile, data_root: Path | None) -> Corpus:
    corpus, _, split = name.partition(":")
    if corpus != "foley":
        return datasets.load(corpus, data_root, split or None)
    settings = profile.data.foley
    if settings is None:
        raise ClapleakError(f"profile {profile.name}: data.foley is empty but {name} is asked for; give its sizes")
    return foley.corpus(
        part,
        seed=settings.seed,
        clips_per_class={"pretrain": settings.pretrain_clips, "pairs": settings.pair_clips}.get(
            part, settings.test_clips
        ),
        scenes=0 if part == "test" else settings.scenes,
        duration=profile.audio.segment,
        limit_classes=settings.limit_classes,
    )


def class_groups(classes: list[str], size: int) -> list[list[str]]:
    """Seeded split of the classes into groups of about `size` (Xie and Virtanen, 2019: five groups of ten)."""
    if len(classes) < size // 2:
        raise ClapleakError(f"only {len(classes)} classes of ESC-50 have all their clips: fetch the missing files")
    order = np.random.default_rng(stable_seed("class groups")).permutation(classes)
    return [sorted(map(str, part)) for part in np.array_split(order, max(1, round(len(classes) / size)))]


def label_captions(corpus: Corpus, per_clip: int) -> Corpus:
    """Several captions a clip, made from its label; which ones follows from the clip's id."""
    rows = []
    for row in corpus.clips().to_dict("records"):
        chosen = np.random.default_rng(stable_seed("captions", row["clip"])).permutation(len(TEMPLATES))[:per_clip]
        rows += [{**row, "text": TEMPLATES[i].format(row["labels"][0])} for i in chosen]
    return Corpus(corpus.name, corpus.root, pd.DataFrame(rows))


def prepare(
    world: World, profile: Profile, setup: Setup, group: int | None, store: ClipStore, *, allow_missing: bool,
    seed: int = 0,
) -> Task:  # fmt: skip
    """Corpora of one setup after the leak filter.

    Parameters
    ----------
    world : World
    setup : Setup
    group : int or None
        Class group whose classes are the targets.
    store : ClipStore
        Clips that could not be decoded are dropped, counted, and refused unless `allow_missing`.
    seed : int
        Draws the pairs of the controls, which are not in the paper.

    Raises
    ------
    ClapleakError
        Unusable clips without `allow_missing`, an unknown group, or nothing left to train on.
    """
    if len(store.problems) and not allow_missing:
        reasons = ", ".join(f"{n} {reason}" for reason, n in store.problems["reason"].value_counts().items())
        listed = "; ".join(store.problems["path"] + " (" + store.problems["reason"] + ")")
        raise ClapleakError(
            f"{len(store.problems)} clips cannot be used ({reasons}): {listed}. Repair them or give --allow-missing"
        )
    pretrain, pairs, test, tagging_test = (
        corpus and corpus.keep(corpus.table["clip"].isin(store.rows.keys()))
        for corpus in (world.pretrain, world.pairs, world.test, world.tagging_test)
    )
    if world.groups is None:
        targets = sorted(test.table["text"].unique())
    else:
        if group is None or not 0 <= group < len(world.groups):
            raise ClapleakError(
                f"profile {profile.name} has class groups 0 to {len(world.groups) - 1}; group is {group}"
            )
        targets = world.groups[group]
        folds = [str(f) for f in profile.data.class_groups.test_folds]
        test = test.keep(test.table["text"].isin(targets) & test.table["split"].isin(folds))
        pretrain, pairs = (c.keep(~c.table["clip"].isin(list(test.table["clip"]))) for c in (pretrain, pairs))
    kept_pretrain = pretrain
    if setup.pretraining == "clean":
        kept_pretrain = leakage.clean(pretrain, targets, profile.data.label_rule, on="labels")[0]
    kept_pairs = training_pairs(pairs, targets, setup.training, seed)
    counts = {
        "classes": len(targets),
        "test_clips": len(test),
        "pairs": len(kept_pairs),
        "pairs_removed": len(pairs) - len(kept_pairs),
        "pretrain_clips": 0 if setup.pretraining == "none" else len(kept_pretrain),
        "pretrain_removed": 0 if setup.pretraining == "none" else len(pretrain) - len(kept_pretrain),
        "expected_clips": world.expected_clips,
        "missing_clips": world.expected_clips - int(world.test.table["clip"].isin(list(store.rows)).sum()),
        "complete_classes": world.complete_classes,
    }
    if math.floor(len(kept_pairs) * (1 - profile.recipe.validation_share)) < profile.recipe.batch_size:
        raise ClapleakError(
            f"{len(kept_pairs)} pairs are left for {setup.slug}: fewer than one batch of {profile.recipe.batch_size}; "
            "lower recipe.batch_size or add data"
        )
    if setup.pretraining != "none" and kept_pretrain.table.empty:
        raise ClapleakError(f"no clip is left for pre-training {setup.pretraining}; add data to data.pretrain")
    return Task(kept_pretrain, kept_pairs, test, tagging_test, targets, store, counts)


def training_pairs(pairs: Corpus, targets: list[str], training: str, seed: int) -> Corpus:
    """The audio-text pairs that one training sees, of those that do not hold test clips.

    "dirty": all; "clean": none whose text leaks; "leak25" and its like: clean, with that share of the leaking pairs,
    drawn at random; "matched": as many as clean, drawn from all, so that it lacks data but not leaks.
    """
    leaks = leakage.find_leaks(pairs.table["text"], targets)["leaks"].to_numpy()
    drawn = np.random.default_rng(stable_seed("control", training, seed)).permutation(len(pairs))
    if training == "matched":
        kept = drawn[: int((~leaks).sum())]
    else:
        leaking = drawn[leaks[drawn]]
        kept = np.concatenate([np.flatnonzero(~leaks), leaking[: round(LEAKED[training] * len(leaking))]])
    return pairs.keep(pd.Series(np.isin(np.arange(len(pairs)), kept)))
