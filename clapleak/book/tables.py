"""What pages read and show as tables and HTML; a result that lacks becomes an empty table and a line that says so."""

import html
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from clapleak import metrics, results
from clapleak.book.statistics import Estimate, estimate, of
from clapleak.config import ClapleakError, find_root
from clapleak.results import MEASURES, Run
from clapleak.setups import SETUPS, Setup

SLUGS = [setup.slug for setup in SETUPS]
# rows of the paper's tables, and our columns for them
ROWS = {"accuracy": "accuracy", "silhouette x_a": "silhouette_x_a", "silhouette E_a": "silhouette_E_a"}
ROWS |= {f"S({pair.replace('-', ',')})": column for pair, column in MEASURES.items()}
_TEXTS = ["setup", "pretraining", "training", "synthetic"]
_NUMBERS = ["seed", "group", "all_accuracy", "chance", "pairs", "epochs", "centroid_x_a", "centroid_E_a"]
_NUMBERS += [*ROWS.values(), *(f"{column}_corrected" for column in MEASURES.values())]


def table_or_note(folder: Path, setups: Sequence[Setup] = SETUPS) -> pd.DataFrame:
    """`results.table`; where a setup has no results, an empty one after a line that names the command for them."""
    try:
        return results.table(folder, setups)
    except ClapleakError as error:
        print(error)
        return pd.DataFrame(columns=[*_TEXTS, *_NUMBERS]).astype(dict.fromkeys(_NUMBERS, float))


def clouds_or_note(folder: Path, read: Callable[[Path], list[Run]] = results.read_runs) -> list[Run]:
    """The runs whose embeddings are kept; none after a line that names the command for them."""
    try:
        return [run for run in read(folder) if run.has_clouds]
    except ClapleakError as error:
        print(error)
        return []


def is_own(folder: Path) -> bool:
    """Whether a folder of results holds the user's own ones."""
    return folder == results.own_folder(folder.name)


def columns(profile: str, *, own: bool = False) -> dict[str, pd.DataFrame]:
    """Tables of runs that stand side by side: "ours", or "yours" and "published" where the user has own results."""
    mine, published = (results.folder(profile, own=which) for which in (own, False))
    if not is_own(mine):
        return {"ours": table_or_note(published)}
    return {"yours": table_or_note(mine), "published": table_or_note(published)}


def origin(folder: Path, runs: pd.DataFrame) -> str:
    """HTML line above a table: kind of sounds, profile, whose runs these are, and how many a setup has."""
    name = html.escape(folder.name)
    if runs.empty:
        return f"<p>profile {name}: no results</p>"
    badge = "synthetic" if runs["synthetic"].any() else "real sounds"
    whose = "your run" if is_own(folder) else "published"
    counts = runs.groupby("setup").size()
    number = " to ".join(map(str, sorted({counts.min(), counts.max()})))
    of_each = f"{number} run{'' if number == '1' else 's'} of each setup"
    return f'<p><span class="{badge.split()[0]}">{badge}</span> {of_each}, {whose} (profile <code>{name}</code>)</p>'


def by_setup(runs: pd.DataFrame, column: str, slugs: Sequence[str] = SLUGS) -> pd.DataFrame:
    """A column of a table of runs, one row a run (group and seed) and one column a setup."""
    runs = runs.assign(group=runs["group"].astype(float).fillna(-1))
    return runs.pivot(index=["group", "seed"], columns="setup", values=column).reindex(columns=slugs)


def setup_means(runs: pd.DataFrame, column: str, slugs: Sequence[str] = SLUGS) -> pd.Series:
    """Mean of a column over the runs of each setup, every group counting alike; NaN for a setup without a run."""
    return by_setup(runs, column, slugs).groupby(level="group").mean().mean()


def printed(row: str) -> pd.Series:
    """One row of the paper's tables, such as "accuracy" or "S(E_a,E_t)", by setup."""
    paper = pd.read_csv(find_root() / "reference" / "paper.csv")
    return paper[paper["row"] == row].set_index("column")["value"].reindex(SLUGS)


def with_intervals(values: pd.DataFrame) -> list[str]:
    """Mean of each column of `by_setup` with its interval of 95 % over groups and seeds; a dash where there is none."""
    found = (estimate(values[[name]], of(name)) for name in values)
    # a text may break between the two
    return ["–" if np.isnan(one.value) else str(one).replace(", ", ",\u00a0") for one in found]


def intervals(runs: pd.DataFrame, column: str) -> list[str]:
    """Mean of a column with its interval, a text a setup."""
    return with_intervals(by_setup(runs, column))


def difference(values: pd.Series) -> list[str]:
    """Differences with their sign and two decimals; a dash where one lacks."""
    return ["–" if np.isnan(value) else f"{value:+z.2f}" for value in values]


def beside_paper(ours: dict[str, pd.DataFrame], rows: Iterable[str]) -> pd.DataFrame:
    """Tables of runs as means with intervals of 95 %, the paper's value, and how the first table differs from it.

    The notebook of Table 1 has `beside_paper(columns("mini"), ["accuracy"])`: `rows` are keys of `ROWS`, lines setups.
    Accuracies and silhouettes among fewer classes than the paper's fifty have no difference: they do not compare.
    """
    found, first = {}, next(iter(ours.values()))
    comparable = not (first["chance"] > 1.5 / 50).any()
    for row in rows:
        for name, runs in ours.items():
            found[row, name] = intervals(runs, ROWS[row])
        found[row, "paper"] = [f"{value:.2f}" for value in printed(row)]
        if comparable:
            found[row, "difference"] = difference(setup_means(first, ROWS[row]) - printed(row))
    return pd.DataFrame(found, index=pd.Index(SLUGS, name="setup"))


def real_table(runs: pd.DataFrame, clouds: Sequence[Run]) -> pd.DataFrame:
    """Accuracy of the six setups among the target classes and among all classes, beside the paper's Table 1.

    Every group is tested with the same clips among all classes, so that groups give no honest interval there: it comes
    from the recordings of the test, in the runs whose embeddings are kept (`clouds`).
    """
    right, fifty = hits(clouds).reindex(columns=SLUGS), []
    for slug, mean in setup_means(runs, "all_accuracy").items():
        one = estimate(right[[slug]], of(slug))
        fifty.append(str(Estimate(mean, mean + one.low - one.value, mean + one.high - one.value)))
    found = {
        ("ten answers", "ours"): intervals(runs, "accuracy"),
        ("fifty answers", "ours"): fifty,
        ("fifty answers", "paper"): [f"{value:.2f}" for value in printed("accuracy")],
    }
    return pd.DataFrame(found, index=pd.Index(SLUGS, name="setup"))


def cosines(embeddings: dict[str, np.ndarray]) -> np.ndarray:
    """Cosine of every clip in E_a with every label in E_t, (N, C)."""
    E_a, E_t = (metrics.unit(embeddings[space].astype(float)) for space in ("E_a", "E_t"))
    return E_a @ E_t.T


def hits(clouds: Sequence[Run]) -> pd.DataFrame:
    """Whether each clip is named rightly among all classes, 0 or 1, a column a setup; the groups are its recordings."""
    found = {run.slug: (cosines(run.embeddings).argmax(axis=1) == run.embeddings["labels"]) * 1.0 for run in clouds}
    recordings = clouds[0].embeddings["recordings"] if found else []
    index = pd.MultiIndex.from_arrays([recordings, range(len(recordings))], names=["group", "seed"])
    return pd.DataFrame(found, index)


def beside_published(yours: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """A user's results and the published ones with intervals of 95 %, a line for each setup and measure.

    "within" the published seeds means that the user's mean lies between the lowest and the highest of them (a seed's
    value is the mean over its groups, where there are groups).
    """
    parts, names = {}, ["yours", "published", "difference", "published seeds"]
    for row, column in ROWS.items():
        mine, ours = (by_setup(runs, column).groupby("seed").mean() for runs in (yours, published))
        mean, low, high = mine.mean(), ours.min(), ours.max()
        word = mean.between(low, high).map({True: ", within", False: ", outside"})
        seeds = (low.map("{:.2f} to ".format) + high.map("{:.2f}".format) + word).where((mean - low).notna(), "–")
        columns = intervals(yours, column), intervals(published, column), difference(mean - ours.mean()), seeds
        parts[row] = pd.DataFrame(dict(zip(names, columns, strict=True)), index=SLUGS)
    return pd.concat(parts, names=["measure", "setup"]).swaplevel().loc[SLUGS]


def html_table(table: pd.DataFrame, markup: Sequence[str] = ()) -> str:
    """HTML of a table without its index. Texts are escaped, but in the columns of our own HTML named in `markup`."""
    texts = [name for name in table if name not in markup and not pd.api.types.is_numeric_dtype(table[name])]
    escaped = table.assign(**{name: table[name].map(lambda text: html.escape(str(text))) for name in texts})
    return escaped.to_html(index=False, escape=False, float_format="{:.2f}".format)


def bars(title: str, names: Sequence[str], accuracy: pd.DataFrame) -> str:
    """HTML of a table of names, under their title, and of the accuracy of each column as a bar with its interval."""
    drawn = [f'<span class="bar"><i style="width:{mean:.0%}"></i></span> ' for mean in accuracy.mean()]
    scores = [bar + text for bar, text in zip(drawn, with_intervals(accuracy), strict=True)]
    return html_table(pd.DataFrame({title: names, "accuracy": scores}), ["accuracy"])


def hardness() -> pd.DataFrame:
    """The comparison of `benchmarks/hardness.py`, a row a kind of sounds: mean and spread over seeds, and counts."""
    path = find_root() / "results" / "hardness.json"
    if not path.is_file():
        raise ClapleakError(f"{path}: no such file; make it with `python benchmarks/hardness.py`")
    found, rows = json.loads(path.read_text()), {}
    for name, title in {"foley": "synthetic sounds", "esc50": "real ESC-50"}.items():
        scores = pd.DataFrame(found[name])
        rows[title] = {**scores.mean().add_suffix(", mean"), **scores.std().add_suffix(", sd")}
        rows[title] |= {"classes": found["classes"], "clips to learn": found["train_clips"], "seeds": len(scores)}
    return pd.DataFrame(rows).T
