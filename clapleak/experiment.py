"""What a profile reads, and what one setup learns from and is tested on: sources, leak filter, targets, counts."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from clapleak import corpora
from clapleak.clipstore import ClipStore, clip_table, source_state
from clapleak.config import ClapleakError, Profile
from clapleak.corpora import Corpus, join, readers
from clapleak.identity import digest, rows_id, run_ids, stable_seed
from clapleak.leakage import filtered
from clapleak.setups import Setup

# Captions of corpora that have labels alone. No word of an ESC-50 name stands in them ("can be heard" would leak).
TEMPLATES = (
    "{}", "the sound of {}", "a recording of {}", "{} nearby", "{} in the distance", "somebody recorded {}",
    "{} with some background noise", "a short clip of {}", "this is {}", "{} and nothing else",
)  # fmt: skip


@dataclass(frozen=True)
class Sources:
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

    def state(self) -> str:
        """Id of what was read: the rows of all parts, and which files lie there in which state."""
        rows = [rows_id(corpus.table, ["clip", "text", "labels"]) for corpus in self.corpora()]
        return digest(rows, [source_state(*clip) for clip in clip_table(self.corpora()).itertuples(index=False)])

    def group_numbers(self) -> list[int | None]:
        """Group numbers to run; [None] without groups."""
        return [None] if self.groups is None else list(range(len(self.groups)))

    def refuse_group(self, group: int | None) -> None:
        """ClapleakError for a group that is not there, and for none where there are some."""
        if group not in (known := self.group_numbers()):
            has = f"class groups 0 to {known[-1]}: say which with --group" if self.groups else "no class groups"
            raise ClapleakError(f"this profile has {has}" + ("" if group is None else f"; --group is {group}"))


@dataclass(frozen=True)
class Experiment:
    """Data of one setup after the leak filter; `counts` goes into the results."""

    pretrain: Corpus | None  # None without pre-training
    pairs: Corpus
    test: Corpus
    tagging_test: Corpus | None
    targets: list[str]
    store: ClipStore
    counts: dict[str, int]
    others: list[str]  # further classes of the test, which the model has met; the paper's measures leave them out

    def ids(self, profile: Profile, seed: int, *, backbone: bool = False) -> dict[str, str]:
        """What determines the numbers of its run, or those of its pre-trained backbone; see `clapleak.identity`."""
        pretrain, pairs = (None if c is None else c.table for c in (self.pretrain, None if backbone else self.pairs))
        heard = self.store.network or pretrain
        return run_ids(self.store.id, profile, seed, heard, pairs, self.test.table, self.targets)


def read_sources(profile: Profile, data_root: Path | None = None) -> Sources:
    """Read the corpora of a profile. ClapleakError where a corpus or its root is missing."""
    data = profile.data
    names = {"pretrain": data.pretrain, "pairs": data.pairs, "test": [data.test]}
    parts = {part: join([_read(name, part, profile, data_root) for name in several]) for part, several in names.items()}
    parts["tagging_test"] = data.tagging_test and _read(data.tagging_test, "test", profile, data_root)
    per_class, groups = parts["test"].clips()["text"].value_counts(), None
    if profile.synthetic:
        return Sources(**parts, groups=None, expected_clips=int(per_class.sum()), complete_classes=len(per_class))
    complete = sorted(per_class.index[per_class == readers.ESC50_CLIPS_PER_CLASS])
    if data.class_groups is not None:
        groups = class_groups(complete, data.class_groups.size)
        templates = data.class_groups.captions == "templates"
        per_clip = data.class_groups.captions_per_clip
        parts["pairs"] = label_captions(parts["pairs"], per_clip) if templates else readers.titled(parts["pairs"])
    return Sources(**parts, groups=groups, expected_clips=readers.ESC50_CLIPS, complete_classes=len(complete))


def _read(name: str, part: str, profile: Profile, data_root: Path | None) -> Corpus:
    corpus, _, split = name.partition(":")
    if corpus in corpora.SOURCES:
        return corpora.load(corpus, data_root, split or None)
    synthesiser = corpora.synthesiser(corpus)
    if profile.data.foley is None:
        raise ClapleakError(f"profile {profile.name}: data.foley is empty but {name} is asked for; give its sizes")
    return synthesiser.corpus(part, profile.data.foley, profile.audio.segment)


def class_groups(classes: list[str], size: int) -> list[list[str]]:
    """Seeded split of the classes into groups of about `size` (Xie and Virtanen, 2019: five groups of ten)."""
    if len(classes) < size // 2:
        few = f"only {len(classes)} classes of ESC-50 with all their clips"
        raise ClapleakError(f"meta/esc50.csv lists {few}: fetch the complete table")
    order = np.random.default_rng(stable_seed("class groups")).permutation(classes)
    return [sorted(map(str, part)) for part in np.array_split(order, max(1, round(len(classes) / size)))]


def label_captions(corpus: Corpus, per_clip: int) -> Corpus:
    """Several captions a clip, made from its label; which ones follows from the clip's id."""
    rows = []
    for row in corpus.clips().to_dict("records"):
        chosen = np.random.default_rng(stable_seed("captions", row["clip"])).permutation(len(TEMPLATES))[:per_clip]
        rows += [{**row, "text": TEMPLATES[i].format(row["labels"][0])} for i in chosen]
    return Corpus(corpus.name, corpus.root, pd.DataFrame(rows))


def refuse_unusable(store: ClipStore) -> None:
    """ClapleakError that lists the clips which could not be decoded, if there are any."""
    if len(bad := store.problems):
        reasons = ", ".join(f"{n} {reason}" for reason, n in bad["reason"].value_counts().items())
        listed = "; ".join(bad["path"] + " (" + bad["reason"] + ")")
        remedy = "Repair them or give --allow-missing"
        raise ClapleakError(f"{len(bad)} clips cannot be used ({reasons}): {listed}. {remedy}")


def prepare(
    sources: Sources, profile: Profile, setup: Setup, group: int | None, store: ClipStore, *, seed: int = 0
) -> Experiment:
    """Corpora of one setup after the leak filter, without the clips that could not be decoded.

    The targets are the classes of the group, if there is one; the seed draws the pairs of the controls, which are not
    in the paper. ClapleakError for an unknown group, or where nothing is left to train on.
    """
    sources.refuse_group(group)
    pretrain, pairs, test, tagging_test = (
        None if corpus is None else corpus.keep(corpus.table["clip"].isin(store.rows.keys()))
        for corpus in (sources.pretrain, sources.pairs, sources.test, sources.tagging_test)
    )
    missing = sources.expected_clips - len(test)
    if sources.groups is None:
        # the words of a class without a usable clip leak still, so that they are names as well
        targets, names = (sorted(part.table["text"].unique()) for part in (test, sources.test))
        others = []
    else:
        targets = names = sources.groups[group]
        classes = set(test.table["text"] if profile.data.class_groups.all_classes else targets)
        others = sorted(classes.difference(targets))
        folds = [str(fold) for fold in profile.data.class_groups.test_folds]
        test = test.keep(test.table["split"].isin(folds) & test.table["text"].isin(classes))
        pretrain, pairs = (c.keep(~c.table["clip"].isin(test.table["clip"])) for c in (pretrain, pairs))
    if len(targets) < (needed := max(3, 1 + (profile.measures.k_max or 0))):  # fewer labels have no topology
        few = f"{len(targets)} classes are left to test on, at least {needed} are needed"
        raise ClapleakError(f"{few}; add data to data.test, or lower measures.k_max")
    kept_pairs, kept_pretrain = filtered(pairs, names, setup.training, on="text", seed=seed), None
    if setup.pretraining != "none" and store.network is None:
        rule = profile.data.label_rule
        kept_pretrain = filtered(pretrain, names, setup.pretraining, on="labels", rule=rule, seed=seed)
        if not len(kept_pretrain):
            raise ClapleakError(f"no clip is left for pre-training {setup.pretraining}; add data to data.pretrain")
    if len(kept_pairs) - profile.recipe.held_out(len(kept_pairs)) < profile.recipe.batch_size:
        few = f"fewer than one batch of {profile.recipe.batch_size}; lower recipe.batch_size or add data"
        raise ClapleakError(f"{len(kept_pairs)} pairs are left for {setup.slug}: {few}")
    counts = {"classes": len(targets), "test_clips": len(test)}
    counts |= {"pairs": len(kept_pairs), "pairs_removed": len(pairs) - len(kept_pairs)}
    left, all_clips = (0, 0) if kept_pretrain is None else (len(kept_pretrain), len(pretrain))
    counts |= {"pretrain_clips": left, "pretrain_removed": all_clips - left, "expected_clips": sources.expected_clips}
    counts |= {"missing_clips": missing, "complete_classes": sources.complete_classes}
    return Experiment(kept_pretrain, kept_pairs, test, tagging_test, targets, store, counts, others)
