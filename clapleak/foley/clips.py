"""Which clips the synthetic data set holds: virtual paths with their labels and captions."""

import pandas as pd

from clapleak.config import ClapleakError, Foley
from clapleak.corpora import Corpus
from clapleak.foley.synthesiser import draw_distractor
from clapleak.foley.table import classes, generator, parameters, parse, templates

FIRST_INDEX = {"pretrain": 0, "pairs": 1_000_000, "test": 2_000_000}  # so no clip is in two parts


def corpus(part: str, sizes: Foley, duration: float) -> Corpus:
    """A part of the synthetic data set. Clip ids are the virtual paths that `synthesise` reads; `root` is None.

    Parameters
    ----------
    part : str, "pretrain" (labels, no text), "pairs" (with captions) or "test" (a target alone, its name is the text)
    sizes : Foley, section `data.foley` of a profile: clips with a single event, of each class; `scenes` with events of
        two classes drawn at random, not in "test"; `limit_classes` keeps that many classes, half of them targets
    duration : float, seconds of every clip
    """
    if part not in FIRST_INDEX:
        raise ClapleakError(f"unknown part '{part}' of the synthetic sounds: use {', '.join(FIRST_INDEX)}")
    count = {"pretrain": sizes.pretrain_clips, "pairs": sizes.pair_clips, "test": sizes.test_clips}[part]
    target, scenes = classes()["target"], 0 if part == "test" else sizes.scenes
    names = _thin(list(target.index[target]), sizes.limit_classes)
    if part != "test":
        names += _thin(list(target.index[~target]), sizes.limit_classes)
    rng = generator("scenes", sizes.seed, part)
    events = [[name] for name in names for _ in range(count)]
    events += [[names[i] for i in rng.choice(len(names), 2, replace=False)] for _ in range(scenes)]
    index = [*range(count)] * len(names) + [*range(scenes)]
    paths = [f"foley@{sizes.seed}/{'+'.join(e)}/{FIRST_INDEX[part] + i}" for e, i in zip(events, index, strict=True)]
    text = {"pretrain": "", "pairs": map(caption, paths), "test": (name for name, *_ in events)}[part]
    columns = {"clip": paths, "path": paths, "offset": 0.0, "duration": duration, "text": text, "labels": events}
    others = (draw_distractor(*parse(path)) for path in paths)
    sounds = [[*e, *(other[:1] if other else ())] for e, other in zip(events, others, strict=True)]
    table = pd.DataFrame({**columns, "sounds": sounds, "recording": paths, "split": part})
    return Corpus("foley", None, table)


def _thin(names: list[str], limit: int | None) -> list[str]:
    """Half of `limit` names, evenly spread over the list."""
    half = len(names) if limit is None else min(max(1, limit // 2), len(names))
    return [names[i * len(names) // half] for i in range(half)]


def caption(path: str) -> str:
    """Caption of a clip, such as "the sound of a dog barking"; like its sound it follows from the virtual path."""
    (_, names, index), rng = parse(path), generator("caption", path)

    def one_of(choices: list[str]) -> str:  # `rng.choice` draws the same and takes ten times as long
        return choices[rng.integers(len(choices))]

    nouns = [one_of(parameters()[name]["noun_phrases"].split("|")) for name in names]
    if len(names) == 2:
        return one_of(templates()["in_sequence" if index % 2 else "at_once"]).format(*nouns)  # as they sound
    noun, clause = templates()["noun"], templates()["clause"]
    if rng.random() < len(noun) / (len(noun) + len(clause)):
        return one_of(noun).format(nouns[0])
    return one_of(clause).format(one_of(parameters()[names[0]]["clauses"].split("|")))
