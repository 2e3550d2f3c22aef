"""The audit itself: every measure with its interval, three verdicts, and a gate. Never "clean", never one score."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from math import comb
from pathlib import PurePosixPath

import numpy as np
import pandas as pd

from clapleak import metrics, texts
from clapleak.audit import measures, report
from clapleak.audit.clouds import Clouds
from clapleak.config import ClapleakError

SCHEMA = 1  # of the JSON, see schema.json
WIDEST = 0.5  # accuracy: where even a gap this large might be missed, seen and unseen classes cannot be compared
EVIDENCE, NONE, UNKNOWN = "evidence of a leak", "none found", "not testable"


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
        """The report as one page that needs no network."""
        return report.page(self.json)

    def gate(self, fail_on: Collection[str] = ("labels",), max_leak: float = 0.05) -> int:
        """0: passed; 1: evidence of a leak above `max_leak`; 3: undecidable, or 1 where `fail_on` has "unknown"."""
        asked = [self.json["verdicts"][name] for name in ("labels", "recordings") if name in fail_on]
        unknown = any(verdict["state"] == UNKNOWN for verdict in asked)
        leak = any(verdict["state"] == EVIDENCE and verdict["size"] > max_leak for verdict in asked)
        return 1 if leak or (unknown and "unknown" in fail_on) else 3 if unknown else 0


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
    known = None if seen is None else np.asarray(seen["seen"] if isinstance(seen, pd.DataFrame) else seen, dtype=bool)
    if known is not None and known.shape != (classes,):
        raise ClapleakError(f"{clouds.name}: seen says {known.shape} for {classes} classes; give one answer each")
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
            notes.append("zero-shot accuracy is that of shuffled labels: are the rows of E_t in the order of classes?")
    verdicts = {
        "labels": _labels(clouds, table, known, alpha, seed),
        "recordings": _recordings(clouds, right.get("zero_shot"), recordings, duplicates),
        "backbone": _backbone(table, reference, alpha, seed),
    }
    if isinstance(seen, pd.DataFrame):
        table[list(seen)] = seen.to_numpy()
    elif known is not None:
        table["seen"] = known
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
    if p > alpha and least > WIDEST:
        now = WIDEST * (1 / named + 1 / others) ** 0.5 / least  # the error that two groups may have
        enough = next((k for k in range(needed, 9999) if (1 / k + 1 / max(k, classes - k)) ** 0.5 <= now), None)
        remedy = f"about {enough} of each are needed" if enough else "their sounds separate too differently"
        return _verdict(UNKNOWN, f": {counts}, and a gap below {least:.2f} would have been missed; {remedy}")
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
    S, U = (table["zero_shot"][group].mean() for group in (seen, ~seen))
    where = f"{counts} and named rightly in {S:.2f} of cases, the others in {U:.2f}; after false alarms are "
    where += f"subtracted, and at equal separability of their sounds in {space}, the gap is {gap:+.2f} (p = {p:.4f})"
    worth = f"worth {gain:.2f} [{low:.2f}, {high:.2f}] of the accuracy"
    found = dict(gap=gap, p=p, size=gain, interval=[low, high], detectable=least, covariate=space, seen=named)
    if p <= alpha:
        return _verdict(EVIDENCE, f", {'of unclear size, ' * (low <= 0)}{worth}: {where}", **found)
    return _verdict(NONE, f" (a gap above {least:.2f} would have been; {worth}): {where}", **found)


def _plain(recording: str) -> str:
    """A recording's id without folders and suffix: "freesound/100032" and "100032.wav" are the same."""
    return PurePosixPath(str(recording).strip()).stem.lower()


def _recordings(
    clouds: Clouds, right: np.ndarray | None, training: Collection[str] | None, duplicates: pd.DataFrame | None
) -> dict:
    """How many test clips come from a training recording, by its id or by the fingerprint of the sound."""
    if training is None and duplicates is None:
        return _verdict(UNKNOWN, ": neither training recordings (--training-recordings) nor sounds (--training-audio)")
    if training is not None and clouds.recordings is None:
        return _verdict(UNKNOWN, ": the test does not say from which recordings its clips come (column recording)")
    shared, how = np.zeros(len(clouds.labels), bool), []
    if training is not None:
        ids = {_plain(name) for name in training}
        shared |= np.array([_plain(name) in ids for name in clouds.recordings])
        how.append(f"{int(shared.sum())} by recording id")
    if duplicates is not None:
        shared[duplicates["test"].to_numpy(int)] = True
        how.append(f"{duplicates['test'].nunique()} by fingerprint of the sound")
    count, share, better = int(shared.sum()), float(shared.mean()), ""
    if right is not None:
        apart = pd.DataFrame({"y": clouds.labels, "shared": shared, "right": right}).pivot_table("right", "y", "shared")
        if len(both := apart.reindex(columns=[False, True]).dropna()):
            better = f"; in {len(both)} classes with both, accuracy differs by {(both[True] - both[False]).mean():+.2f}"
    found = {"size": share, "clips": count, "shared": np.flatnonzero(shared).tolist()}
    sentence = f"{count} of {len(shared)} test clips ({share:.1%}) are in the training ({', '.join(how)})"
    if count:
        return _verdict(EVIDENCE, f": {sentence}{better}", **found)
    return _verdict(NONE, f": {sentence}; a recording under another id may be missed", **found)


def _backbone(table: pd.DataFrame, reference: dict | None, alpha: float, seed: int) -> dict:
    """Whether classes form tighter clusters in x_a than in a reference model's, class by class."""
    if "silhouette_x_a" not in table:
        return _verdict(UNKNOWN, ": no x_a, the audio embedding before the projection")
    if reference is None:
        return _verdict(UNKNOWN, ": no audit of a reference model (--reference), without which a level says nothing")
    theirs = pd.DataFrame(reference["classes"]).set_index("name")
    if set(theirs.index) != set(table.index) or "silhouette_x_a" not in theirs:
        raise ClapleakError("the reference has other classes, or no x_a: audit it on the same test first")
    from scipy.stats import permutation_test  # slow to import

    gaps = (table["silhouette_x_a"] - theirs["silhouette_x_a"].reindex(table.index)).to_numpy(float)
    rng = np.random.default_rng(seed)
    options = {"n_resamples": measures.PERMUTATIONS, "alternative": "greater", "random_state": seed}
    p = float(permutation_test((gaps,), np.mean, permutation_type="samples", **options).pvalue)
    low, high = measures.interval(rng.choice(gaps, (measures.DRAWS, len(gaps))).mean(axis=1))
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
        if one is None or other is None or len(clouds.classes) < 4:
            continue
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
    paths = copied if clouds.paths is None else clouds.paths[copied]
    table = duplicates.assign(test=paths.astype(str), label=np.array(clouds.classes)[clouds.labels[copied]])
    return table.sort_values("errors").to_dict("records")
