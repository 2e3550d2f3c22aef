"""The audit itself: every measure with its interval, three verdicts, and a gate. Never "clean", never one score."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from math import comb
from pathlib import Path

import numpy as np
import pandas as pd
from jinja2 import Environment

from clapleak import metrics, texts
from clapleak.audit import measures
from clapleak.audit.clouds import Clouds
from clapleak.config import ClapleakError

SCHEMA = 1  # of the JSON, see schema.json
WIDEST = 0.5  # accuracy: where even a gap this large might be missed, seen and unseen classes cannot be compared
EVIDENCE, NONE, UNKNOWN = "evidence of a leak", "none found", "not testable"
GUESSED = "zero-shot accuracy is no better than guessing: are the rows of E_t in the order of classes?"
SUFFIX = re.compile(r"\.(wav|flac|ogg|opus|mp3|mp4|m4a|aac|aiff?|webm)$|(?<=\d)\.0$")  # of a sound, or of a number
GATED = ("labels", "recordings")  # the verdicts that a gate may ask


def seen_classes(names: Collection[str], training: Iterable[str], rule: str = "word") -> pd.DataFrame:
    """Which classes the training texts give away by a rule of `clapleak leaks`, indexed by the class.

    Columns: `seen` (bool), `texts` (how many leak it) and `quotes` (three of them at most).
    """
    given, plain = list(dict.fromkeys(training)), [name.replace("_", " ") for name in names]
    found = texts.find_leaks(given, plain, rule).assign(text=given).explode("classes")
    leaking = dict.fromkeys(plain, []) | found.groupby("classes")["text"].agg(list).to_dict()
    rows = [(bool(leaking[name]), len(leaking[name]), leaking[name][:3]) for name in plain]
    return pd.DataFrame(rows, columns=["seen", "texts", "quotes"], index=list(names))


@dataclass(frozen=True)
class Audit:
    """What was found: `json`, a dict that follows schema.json; the report; the gate."""

    json: dict

    def html(self) -> str:
        """The report as one page that needs no network; report.html escapes every text that comes from a user."""
        page = Environment(autoescape=True, trim_blocks=True, extensions=["jinja2.ext.do"])
        return page.from_string(Path(__file__).with_name("report.html").read_text("utf-8")).render(self.json, path=Path)

    def gate(self, fail_on: Collection[str] = ("labels",), max_leak: float = 0.05) -> int:
        """0: passed; 1: evidence of a leak above `max_leak`; 3: undecidable, or 1 where `fail_on` has "unknown"."""
        states = self.stopped(fail_on, max_leak).values()
        return 0 if not states else 1 if EVIDENCE in states or "unknown" in fail_on else 3

    def stopped(self, fail_on: Collection[str], max_leak: float) -> dict[str, str]:
        """Which verdicts do not let a gate pass, and their state."""
        found = {name: self.json["verdicts"][name] for name in asked(fail_on)}
        return {name: v["state"] for name, v in found.items() if v["state"] != NONE and v.get("size", 2) > max_leak}


def asked(fail_on: Collection[str]) -> list[str]:
    """The verdicts that a gate asks: those that are named, else all; ClapleakError for what is no gate."""
    if wrong := set(fail_on) - {*GATED, "unknown"}:
        raise ClapleakError(f"--fail-on {min(wrong)}: use {', '.join(GATED)}, unknown, with commas between")
    return [name for name in GATED if name in fail_on] or list(GATED)


def audit(
    clouds: Clouds, seen: pd.DataFrame | Collection[bool] | None = None, recordings: Collection[str] | None = None,
    reference: dict | None = None, *, duplicates: pd.DataFrame | None = None, alpha: float = 0.01, seed: int = 0,
) -> Audit:  # fmt: skip
    """Measure a model and give the verdicts.

    `seen` says of every class whether the training texts name it (`seen_classes`), `recordings` are ids of training
    recordings, `reference` is the JSON of an audit of a reference model on the same test, `duplicates` a table of
    `sounds.duplicates`. What is not given is not tested. `alpha` is the level of the tests.
    """
    y, classes = clouds.labels, len(clouds.classes)
    source = np.arange(len(y)) if clouds.recordings is None else np.unique(clouds.recordings, return_inverse=True)[1]
    right, false_alarms, shuffled, prompts = _zero_shot(clouds, seed)
    seen = seen.reindex(list(clouds.classes)) if isinstance(seen, pd.DataFrame) else seen
    known = None if seen is None else np.asarray(seen["seen"] if isinstance(seen, pd.DataFrame) else seen)
    if known is not None and (known.dtype != bool or known.shape != (classes,)):
        raise ClapleakError(f"{clouds.name}: seen must say True or False of each of the {classes} classes")
    for name in ("x_a", "E_a", "floor"):
        if (points := getattr(clouds, name)) is not None:
            right[f"centroid_{name}"] = measures.won(metrics.centroid_cosines(points, y, source), y)
            right[f"probe_{name}"] = measures.won(measures.linear_probe(points, y, source, seed), y)
            if name != "floor":
                right[f"silhouette_{name}"] = measures.silhouettes(points, y)
    by_class = measures.over_recordings(right, y, source, seed)
    means = {name: np.nanmean(values, axis=1) for name, values in by_class.items()}
    if {"zero_shot", "centroid_E_a"} <= means.keys():
        means["efficiency"] = means["zero_shot"] / np.maximum(means["centroid_E_a"], 1e-9)
    columns = {"clips": np.bincount(y)} | {name: values[0] for name, values in by_class.items()}
    table = pd.DataFrame(columns, index=list(clouds.classes))
    notes = list(clouds.notes)
    if shuffled is not None:
        table["false_alarms"] = false_alarms
        if means["zero_shot"][0] <= shuffled[1]:
            notes.append(GUESSED)
    verdicts = {
        "labels": _labels(clouds, table, known, alpha, seed)
        if GUESSED not in notes
        else _verdict(UNKNOWN, f": {GUESSED}"),
        "recordings": _recordings(clouds, recordings, duplicates),
        "backbone": _backbone(table, reference, alpha, seed),
    }
    if known is not None:
        table = table.join(seen) if isinstance(seen, pd.DataFrame) else table.assign(seen=known)
    return Audit(
        {
            "schema": SCHEMA, "model": clouds.name, "clips": len(y), "recordings": int(source.max()) + 1,
            "chance": 1 / classes, "alpha": alpha, "seed": seed, "prompts": prompts, "shuffled_labels": shuffled,
            "measures": {name: _measure(values) for name, values in means.items()}, "verdicts": verdicts,
            "generalised": _generalised(by_class.get("zero_shot"), known),
            "topology": _topology(clouds, seed), "duplicates": _copies(clouds, duplicates), "notes": notes,
            "classes": table.rename_axis("name").reset_index().to_dict("records"),
        }
    )  # fmt: skip


def _measure(values: np.ndarray) -> dict:
    """What was found, the first of the values, and the interval of those with recordings drawn again."""
    return {"value": float(values[0]), "interval": measures.interval(values[1:])}


def _cosines(clouds: Clouds) -> Iterable[np.ndarray]:
    """Cosines (N, C) of every prompt."""
    audio = metrics.unit(clouds.E_a)
    return (audio @ metrics.unit(text).T for text in clouds.E_t)


def _zero_shot(clouds: Clouds, seed: int) -> tuple:
    """Means over prompts: how right each clip is, (N,) as "zero_shot", and how often each class is wrongly the answer.

    Then the band of accuracy for shuffled labels, and the accuracy of every prompt. Without E_a and E_t there are none.
    """
    if clouds.E_a is None or clouds.E_t is None:
        return {}, None, None, {}
    y, rng = clouds.labels, np.random.default_rng(seed)
    chosen = np.array([cosines.argmax(axis=1) for cosines in _cosines(clouds)])
    right = (chosen == y).astype(float)
    orders = [rng.permutation(y) for _ in range(200)]
    null = [measures.class_mean(np.mean(chosen == order, axis=0), order).mean() for order in orders]
    names = clouds.prompts or [f"prompt {i + 1}" for i in range(len(right))]
    accuracies = {name: float(measures.class_mean(one, y).mean()) for name, one in zip(names, right, strict=True)}
    wrong = sum(np.bincount(one[one != y], minlength=len(clouds.classes)) for one in chosen) / len(chosen)
    false_alarms = wrong / (len(y) - np.bincount(y))
    return {"zero_shot": np.mean(right, axis=0)}, false_alarms, measures.interval(null), accuracies


def _verdict(state: str, why: str, **found) -> dict:
    return {"state": state, "sentence": state + why, **found}


def compared(table: pd.DataFrame, space: str) -> tuple[np.ndarray, np.ndarray]:
    """What is compared between seen and unseen classes, (C,), and what is held equal, (C, 3)."""
    # a name that many clips are close to is right often by chance: its false alarms are taken off
    values = (table["zero_shot"] - table["false_alarms"]).to_numpy(float)
    # centroid accuracy alone is near 1 for many classes and a straight line over silhouettes hides how much easier some
    # are: benchmarks/audit_power.py then finds more alarms than the level
    centroid, silhouette = (table[f"{name}_{space}"].to_numpy(float) for name in ("centroid", "silhouette"))
    return values, np.column_stack([centroid, silhouette, silhouette**2])


def _labels(clouds: Clouds, table: pd.DataFrame, seen: np.ndarray | None, alpha: float, seed: int) -> dict:
    """Whether classes that the training names are better than the others at equal separability of their sounds."""
    if "zero_shot" not in table:
        return _verdict(UNKNOWN, ": no joint embeddings of sounds and of class names (E_a and E_t)")
    if seen is None:
        return _verdict(UNKNOWN, ": no training texts (--training-captions), so nobody knows which classes were seen")
    classes, named, others = len(seen), int(seen.sum()), int((~seen).sum())
    needed = next(k for k in range(2, classes + 9) if comb(max(classes, 2 * k), k) * alpha >= 1)
    counts = f"{named} of {classes} classes are seen"
    if min(named, others) < needed:
        return _verdict(UNKNOWN, f": {counts}; at least {needed} seen and {needed} unseen classes are needed")
    space = "x_a" if clouds.x_a is not None else "E_a"
    values, offered = compared(table, space)
    gap, error = measures.adjusted(values, offered, seen)
    least, p = measures.detectable(error, alpha), measures.freedman_lane(values, offered, seen, seed)
    if least > WIDEST and (p > alpha or not np.isfinite(least)):
        why = "seen and unseen classes are too few, or their sounds too different, to compare"
        return _verdict(UNKNOWN, f": {counts}; {why}: even a gap of {WIDEST} might be missed")
    # what names are worth: seen against unseen classes, each kind alone but among as many answers as there are classes,
    # less what is lost because both kinds are answers at once, where names win clips of classes without
    apart = np.mean([measures.won(cosines, clouds.labels, seen) for cosines in _cosines(clouds)], axis=0)
    apart, rng = measures.class_mean(apart, clouds.labels), np.random.default_rng(seed)
    lost = apart - table["zero_shot"].to_numpy(float)

    def size(c: np.ndarray) -> float:
        return float(seen.mean() * measures.adjusted(apart[c], offered[c], seen[c])[0] - lost[c].mean())

    groups = np.flatnonzero(seen), np.flatnonzero(~seen)
    drawn = (np.concatenate([rng.choice(group, len(group)) for group in groups]) for _ in range(measures.DRAWS))
    low, high = measures.interval(map(size, drawn))
    gain = size(np.arange(classes))
    where = f"{counts}. Their names are worth {gain:.2f} [{low:.2f}, {high:.2f}] of the accuracy. Without false "
    where += f"alarms, among classes as easy to tell apart in {space}, the gap of seen ones is {gap:+.2f} (p = {p:.4f})"
    found = dict(gap=gap, p=p, size=gain, interval=[low, high], detectable=least, covariate=space, seen=named)
    if p <= alpha:
        return _verdict(EVIDENCE, f"{', of unclear size' * (low <= 0)}: {where}", **found)
    return _verdict(NONE, f": {where}; a gap above {least:.2f} would have been found", **found)


def _same(*recordings: Iterable[str]) -> np.ndarray:
    """Which of some recordings are among others; suffixes never count, and folders where some names need them."""
    plain = [[SUFFIX.sub("", str(name).strip().lower().replace("\\", "/")) for name in side] for side in recordings]
    stems = [[name.rpartition("/")[2] for name in side] for side in plain]
    alone = [len({*side}) == len({*stem}) for side, stem in zip(plain, stems, strict=True)]
    return np.isin(*(stems if all(alone) or plain[0] == stems[0] or plain[1] == stems[1] else plain))


def _recordings(clouds: Clouds, training: Collection[str] | None, duplicates: pd.DataFrame | None) -> dict:
    """How many test clips come from a training recording, by its id or by the fingerprint of the sound."""
    ids = training is not None and clouds.recordings is not None
    if not ids and duplicates is None:
        return _verdict(
            UNKNOWN, ": it takes --training-recordings and a column recording in the test, or --training-audio"
        )
    by = {"recording id": _same(clouds.recordings, training)} if ids else {}
    if duplicates is not None:
        by["fingerprint of the sound"] = np.isin(np.arange(len(clouds.labels)), duplicates["test"].to_numpy(int))
    shared = np.any(list(by.values()), axis=0)
    count, share = int(shared.sum()), float(shared.mean())
    how = [f"{each.sum()} by {name}" for name, each in by.items()]
    found = {"size": share, "clips": count, "shared": np.flatnonzero(shared).tolist()}
    sentence = f": {count} of {len(shared)} test clips ({share:.1%}) are in the training ({', '.join(how)})"
    sentence += "" if ids or training is None else "; the test has no column recording to compare ids"
    return _verdict(EVIDENCE if count else NONE, sentence, **found)


def _backbone(table: pd.DataFrame, reference: dict | None, alpha: float, seed: int) -> dict:
    """Whether classes form tighter clusters in x_a than in a reference model's, class by class."""
    if "silhouette_x_a" not in table:
        return _verdict(UNKNOWN, ": no x_a, the audio embedding before the projection")
    if reference is None:
        return _verdict(UNKNOWN, ": no audit of a reference model (--reference), without which a level says nothing")
    theirs = pd.DataFrame(reference["classes"]).set_index("name")
    if set(theirs.index) != set(table.index) or "silhouette_x_a" not in theirs:
        raise ClapleakError(f"the reference, {reference['model']}, has other classes, or no x_a: audit it on this test")
    from scipy.stats import permutation_test  # slow to import

    gaps = (table["silhouette_x_a"] - theirs["silhouette_x_a"].reindex(table.index)).to_numpy(float)
    options = {"n_resamples": measures.PERMUTATIONS, "alternative": "greater", "random_state": seed}
    p = float(permutation_test((gaps,), np.mean, permutation_type="samples", **options).pvalue)
    low, high = measures.interval(np.random.default_rng(seed).choice(gaps, (measures.DRAWS, len(gaps))).mean(axis=1))
    least = measures.detectable(gaps.std(ddof=1) / len(gaps) ** 0.5, alpha)
    found = {"size": float(gaps.mean()), "interval": [low, high], "p": p, "detectable": least}
    where = f"silhouette of x_a {gaps.mean():+.2f} [{low:.2f}, {high:.2f}] against {reference['model']}"
    if p <= alpha:
        return _verdict(EVIDENCE, f", if that model is a fair reference: {where}", **found)
    return _verdict(NONE, f" (a gap above {least:.2f} would have been): {where}", **found)


def _generalised(by_class: np.ndarray | None, seen: np.ndarray | None) -> dict | None:
    """Accuracy of unseen (U) and seen (S) classes among all answers, and their harmonic mean H."""
    if seen is None or by_class is None or seen.all() or not seen.any():
        return None
    values, draws = by_class[0], np.ma.masked_invalid(by_class[1:])  # NaN: none of the class was drawn
    u, s = (np.append(values[part].mean(), draws[:, part].mean(axis=1).filled(np.nan)) for part in (~seen, seen))
    return {"U": _measure(u), "S": _measure(s), "H": _measure(2 * u * s / np.maximum(u + s, 1e-9))}


def _topology(clouds: Clouds, seed: int) -> dict:
    """Which neighbours the classes share in sound and text, and how far apart the two clouds lie."""
    found = {}
    for audio, text in (("x_a", "x_t"), ("E_a", "E_t")):
        one, other = getattr(clouds, audio), getattr(clouds, text)
        if one is not None and other is not None and len(clouds.classes) >= 4:
            p, q = metrics.class_means(one, clouds.labels), other.mean(axis=0)
            S = metrics.topological_similarity(p, q)
            low, _, high = metrics.permutation_band(p, q, n_permutations=200, seed=seed)[:, S.k - 1].tolist()
            found[f"S_{audio}_{text}"] = {"value": S.value, "k": S.k, "corrected": S.corrected, "chance": [low, high]}
    if clouds.E_a is not None and clouds.E_t is not None:
        audio, text = (metrics.unit(points).mean(axis=0) for points in (clouds.E_a, clouds.E_t.mean(axis=0)))
        found["modality_gap"] = {"value": float(np.linalg.norm(audio - text))}
    return found


def _copies(clouds: Clouds, duplicates: pd.DataFrame | None) -> list[dict]:
    if duplicates is None:
        return []
    copied = duplicates["test"].to_numpy(int)
    names = copied.astype(str) if clouds.paths is None else clouds.paths[copied]
    table = duplicates.assign(test=names, label=np.array(clouds.classes)[clouds.labels[copied]])
    return table.sort_values("errors").to_dict("records")
