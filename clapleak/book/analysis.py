"""What compares setups: differences that a leak path makes, correlations, the paper's claims, and pairs of classes."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from clapleak import metrics
from clapleak.book.statistics import Estimate, correlation, estimates
from clapleak.book.tables import ROWS, SLUGS, by_setup, cosines, printed, setup_means
from clapleak.results import MEASURES
from clapleak.setups import PRETRAININGS, TRAININGS

CLAIMS = {
    "A": "accuracy falls with the leaks", "B": "accuracy correlates with the silhouette of E_a",
    "C": "clusters are least clear without pre-training", "D": "leaks in the captions make clearer clusters",
    "E": "S(E_a, E_t) is below both other S", "F": "log accuracy correlates with S(E_a, E_t)",
    "G": "projection does not make clusters clearer", "H": "leaks in the pre-training make clearer clusters",
    "I": "any pre-training is worth more than names in the captions",
}  # fmt: skip
SIGNS = {"holds": "✓", "contradicted": "✗", "undecided": "?"}
NO_TEST = {"real networks": "EG"}  # compare x_a, which does not learn there, with an E_a of fewer dimensions
Verdict = tuple[str, str]  # "holds", "contradicted" or "undecided", and the evidence in words


def leak_gains(values: pd.DataFrame | pd.Series) -> dict[str, list]:
    """What leaks through one path add, the other path left as it is; a setup's slug selects from `values`.

    "captions" has a difference for each pre-training, "pre-training" one for dirty and one for clean captions.
    """
    return {
        "captions": [values[f"{p}-dirty"] - values[f"{p}-clean"] for p in PRETRAININGS],
        "pre-training": [values[f"dirty-{t}"] - values[f"clean-{t}"] for t in TRAININGS],
    }


def mean_gains(values: pd.DataFrame | pd.Series) -> dict[str, Any]:
    """`leak_gains` as the mean of each path; NaN where a setup lacks."""
    return {path: sum(gaps) / len(gaps) for path, gaps in leak_gains(values).items()}


def correlation_text(across: pd.Series, up: pd.Series) -> str:
    """Pearson's r of two Series over the six setups: "r = 0.97 (p = 0.001)"; "no results" where a setup has none."""
    from scipy.stats import pearsonr  # slow to import, and few pages need it

    pair = [series.reindex(SLUGS) for series in (across, up)]
    r, p = pearsonr(*pair) if np.isfinite(pair).all() else (np.nan, np.nan)
    return "no results" if np.isnan(r) else f"r = {r:.2f} ({'p < 0.001' if p < 0.001 else f'p = {p:.3f}'})"


def accuracy_drop(runs: pd.DataFrame) -> pd.DataFrame:
    """Accuracy with dirty, matched and clean captions, a row a run, and the parts of the drop, which add up to it."""
    runs = runs.assign(group=runs["group"].astype(float).fillna(-1))
    wide = runs.pivot(index=["pretraining", "group", "seed"], columns="training", values="accuracy")
    wide = wide.reindex(columns=["dirty", "matched", "clean"]).astype(float)
    return wide.assign(**{"less data": wide["dirty"] - wide["matched"], "leakage": wide["matched"] - wide["clean"]})


def claimed_differences(letter: str, means: pd.Series | pd.DataFrame) -> list:
    """Differences that are positive where a claim about accuracy or the silhouette of E_a is right, by setup."""
    gains = leak_gains(means)
    pretrained = [means[f"{p}-{t}"] - means[f"none-{t}"] for t in TRAININGS for p in ("dirty", "clean")]
    return {
        "A": [*gains["captions"], *gains["pre-training"], *pretrained],
        "C": pretrained,
        "D": gains["captions"],
        "H": gains["pre-training"],
        "I": [means[f"{p}-clean"] - means["none-dirty"] for p in ("dirty", "clean")],
    }[letter]


def compared(
    values: pd.DataFrame, differences: Callable[[Any], list], *, tie: bool = False, printed: bool = False
) -> Verdict:
    """Verdict from a table with a row a run and a column a setup, and from differences that are positive as claimed.

    The claim holds if the interval of every difference lies above 0 (or ends there, where a tie counts as right), is
    contradicted if that of any lies below, and is undecided otherwise. The evidence is the smallest difference. One of
    several lies below by chance the more often the more there are, so that these intervals are as much wider
    (Bonferroni). Values that are `printed` have no interval, and their signs decide.
    """
    if values.dropna().empty:
        return "undecided", "no results"
    if printed:
        found = wider = [Estimate(*[float(value)] * 3) for value in differences(values.mean())]
    else:
        found = estimates(values, differences)
        wider = estimates(values, differences, 0.05 / len(found))
    right = all(one.low > 0 or (tie and one.low >= 0) for one in found)
    verdict = "holds" if right else "contradicted" if any(one.high < 0 for one in wider) else "undecided"
    return verdict, f"of {len(found)} differences the smallest is {min(found, key=lambda one: one.value)}"


def correlated(x: pd.Series, y: pd.Series) -> Verdict:
    """Verdict on a positive correlation of two Series over the setups, and r with its interval."""
    r = correlation(x, y)
    return r.verdict, f"r = {r}, n = {len(SLUGS)}"


def judge(runs: pd.DataFrame) -> dict[str, Verdict]:
    """Verdicts of all `CLAIMS` from a table of runs, or from what the paper prints, see `paper_runs`."""
    before, after, *S = (by_setup(runs, name) for name in ("silhouette_x_a", "silhouette_E_a", *MEASURES.values()))
    accuracy, means = by_setup(runs, "accuracy"), setup_means(runs, "accuracy")
    decide = partial(compared, printed="epochs" not in runs)  # nothing was trained
    tables = dict.fromkeys("AI", accuracy) | dict.fromkeys("CDH", after)
    verdicts = {letter: decide(table, partial(claimed_differences, letter)) for letter, table in tables.items()}
    verdicts |= {
        "B": correlated(setup_means(runs, "silhouette_E_a"), means),
        "E": decide(np.minimum(S[0], S[1]) - S[2], lambda means: [means[slug] for slug in SLUGS]),
        "F": correlated(setup_means(runs, "S_E_a_E_t"), np.log(means)),
        "G": decide(before - after, lambda means: [means[slug] for slug in SLUGS], tie=True),
    }
    return dict(sorted(verdicts.items()))


def signs(judged: dict[str, dict[str, Verdict]]) -> pd.DataFrame:
    """One line a claim, one column a data set: ✓ holds, ✗ contradicted, ? undecided; in brackets what is no test."""
    columns = {}
    for name, verdicts in judged.items():
        aside = next((letters for start, letters in NO_TEST.items() if name.startswith(start)), "")
        columns[name] = [("({})" if k in aside else "{}").format(SIGNS[word]) for k, (word, _) in verdicts.items()]
    return pd.DataFrame({"claim of the paper": [f"{k}: {claim}" for k, claim in CLAIMS.items()], **columns})


def answer(letter: str, claim: str, judged: dict[str, dict[str, Verdict]]) -> str:
    """One of `CLAIMS` as a sentence, and its verdict for each data set with the evidence."""
    parts = []
    for verdict in SIGNS:
        if names := [f"{name} ({of[letter][1]})" for name, of in judged.items() if of[letter][0] == verdict]:
            parts.append(f"*{'is ' * (verdict != 'holds')}{verdict}* {', '.join(names)}")
    return f"**{claim}.** This {'; it '.join(parts)}."


def paper_runs() -> pd.DataFrame:
    """The values that the paper prints, as a table of runs with one run a setup."""
    values = pd.DataFrame({column: printed(row) for row, column in ROWS.items()})
    return values.rename_axis("setup").reset_index().assign(seed=0, group=0, chance=1 / 50)


def mixed_neighbours(emb: np.ndarray, labels: np.ndarray, k: int = 10) -> np.ndarray:
    """Share (C, C) of mixed nearest neighbours of every pair of classes: what the paper names by eye (section 3.2).

    M_ij is the share of class j among the k closest other points, by cosine, to each point of class i. The result is
    (M + M.T) / 2, since a wide class can run into a tight one whose neighbours are all its own. From 0 (never
    neighbours) to 1; n_i points of N give (n_i + n_j) / 2 / (N - 1) by chance, on the diagonal (n_i - 1) / (N - 1).
    `emb` is (N, D), `labels` (N,) integers; every class 0..C-1 needs a point, and k is less than N.
    """
    from sklearn.neighbors import kneighbors_graph  # slow to import as well

    members = np.eye(labels.max() + 1)[labels]  # (N, C)
    shares = members.T @ (kneighbors_graph(emb, k, metric="cosine") @ members) / (k * members.sum(axis=0)[:, None])
    return (shares + shares.T) / 2


def closeness(embeddings: dict[str, np.ndarray], space: str, k: int) -> np.ndarray:
    """Of every pair of classes, (C, C): share of mixed neighbours among k in x_a and E_a, cosine in x_t and E_t."""
    cloud = embeddings[space].astype("float32")
    if space in ("x_a", "E_a"):
        return mixed_neighbours(cloud, embeddings["labels"].astype(int), k)
    return metrics.unit(cloud) @ metrics.unit(cloud).T


def more_answers(embeddings: dict[str, np.ndarray]) -> pd.DataFrame:
    """Accuracy of each of T target classes (rows) with T, T + 1, ... all labels as answers, for `statistics.estimate`.

    The S others join in random order, and the mean over all orders is exact: a right label that is nearer than all
    other targets is nearer than m others as well, if b of S beat it, with probability C(S - b, m) / C(S, m).
    """
    labels, T = embeddings["labels"].astype(int), int(embeddings["targets"])
    labels, near = labels[labels < T], cosines(embeddings)[labels < T]
    right, C = np.take_along_axis(near, labels[:, None], axis=1), near.shape[1]
    wins, beaten = (near[:, :T] <= right).all(axis=1), (near[:, T:] > right).sum(axis=1)
    stays = np.clip(1 - beaten[:, None] / np.arange(C - T, 0, -1), 0, 1)  # as each other label joins
    table = pd.DataFrame(np.cumprod(np.column_stack([wins, stays]), axis=1), columns=range(T, C + 1))
    return table.groupby([np.zeros(len(labels)), labels]).mean().rename_axis(["group", "class"])
