"""Tables and sentences about the audio encoders of others, from those that saw the labels down to random weights."""

from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from clapleak import results
from clapleak.book.analysis import mean_gains
from clapleak.book.statistics import Estimate, correlation, estimate, estimates, grouped_correlation, lead, of
from clapleak.book.tables import by_setup, setup_means
from clapleak.config import ClapleakError, load_profile
from clapleak.setups import NETWORK_SETUPS, OTHER_NETWORKS, PRETRAININGS, SETUPS, Setup, network_facts

STEPS = (*PRETRAININGS, *OTHER_NETWORKS)  # as setups and folders name them


def present(folder: Path) -> list[Setup]:
    """The setups of networks that a folder of results holds; the paper's six where it holds none."""
    kept = folder / results.RUNS
    found = set(pd.read_csv(kept)["setup"]) if kept.is_file() else {path.name for path in folder.glob("*-*")}
    return [setup for setup in NETWORK_SETUPS if setup.slug in found] or list(SETUPS)


def slugs(training: str) -> list[str]:
    """The setups of all networks with one training."""
    return [f"{step}-{training}" for step in STEPS]


@cache  # a page asks hundreds of times
def title(step: str) -> str:
    """Name of the network that stands for a pre-training in the profile networks."""
    name = load_profile("networks").network(step) or step
    return network_facts()[name.removeprefix("random_")]["title"] + ", random weights" * name.startswith("random_")


def backbones(folder: Path) -> pd.DataFrame:
    """What each network learnt from, what its x_a knows and how it is clustered, on all classes of the test."""
    rows, facts, settings = {}, network_facts(), load_profile("networks")
    for step in STEPS:
        try:
            run = results.read_run(folder / "backbone" / step / "group0-seed0")
        except ClapleakError:
            continue
        name, probe = settings.network(step), run.metrics["linear_probe"]
        told = "nothing" if name.startswith("random_") else "{heard}; labels: {labels}".format(**facts[name])
        clusters = (run.metrics[measure]["x_a"] for measure in ("silhouette", "centroid_accuracy"))
        rows[step] = [title(step), told, probe["all"], probe["128"], *clusters]
    names = ["network", "learnt from", "probe", "probe, 128", "silhouette", "centroids"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=names)


def by_captions(accuracy: pd.DataFrame) -> dict[str, dict[str, Estimate]]:
    """Accuracy with dirty and with clean captions of every network, from `tables.by_setup` of all setups."""
    found = {}
    for step in STEPS:
        wanted = {training: f"{step}-{training}" for training in ("dirty", "clean")}
        if set(wanted.values()) <= set(accuracy):
            found[title(step)] = {training: estimate(accuracy[[slug]], of(slug)) for training, slug in wanted.items()}
    return found


def points(probes: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """One row a network: linear probe, silhouette and centroid accuracy of x_a, accuracy by captions."""
    found = {name: setup_means(runs, "accuracy", slugs(name)).set_axis(list(STEPS)) for name in ("clean", "dirty")}
    return probes.assign(**found).set_index("network").dropna()


def followed(points: pd.DataFrame) -> pd.DataFrame:
    """What accuracy follows over networks, with clean and with dirty captions: a line each, of `Estimate`.

    "clusters" is the partial correlation with the silhouette of x_a where the probe is held equal, "knowledge" that
    with the probe where the silhouette is; "lead" is how much more closely clusters are followed.
    """
    lines = {}
    for captions in ("clean", "dirty"):
        y, clusters, probe = (points[name] for name in (captions, "silhouette", "probe, 128"))
        both = correlation(clusters, y, given=probe), correlation(probe, y, given=clusters)
        lines[captions] = dict(zip(("clusters", "knowledge", "lead"), (*both, lead(y, clusters, probe)), strict=True))
    return pd.DataFrame(lines).T


def inheritance(points: pd.DataFrame) -> str:
    """What accuracy follows, clusters or knowledge, with clean and with dirty captions, and the evidence in brief."""
    if len(points) < 6:
        return "**What does accuracy follow?** There are too few networks for an answer."
    answers, evidence, few = [], [], f"though {len(points)} networks are too few to tell the two apart"
    for captions, one in followed(points).iterrows():
        where = "no caption names the test classes" if captions == "clean" else "captions name them"
        unsure = {
            (True, False): f"seems to follow clusters, {few}",
            (False, True): f"seems to follow knowledge, {few}",
            (True, True): "follows clusters and knowledge alike",
            (False, False): "is shown to follow neither clusters nor knowledge",
        }[one["clusters"].low > 0, one["knowledge"].low > 0]
        sure = "follows clusters more than knowledge", "follows knowledge more than clusters"
        answers.append(f"where {where}, it {one['lead'].words(*sure, unsure)}")
        evidence.append(f"where {where}, {one['clusters']} with clusters and {one['knowledge']} with knowledge")
    return (
        "**Does accuracy follow clusters (the silhouette of the audio embedding) or knowledge (what a linear probe "
        f"finds in it)? {'; '.join(answers).capitalize()}.** Partial correlations over {len(points)} networks: "
        f"{'; '.join(evidence)}."
    )


def correlations(templates: pd.DataFrame, titles: pd.DataFrame) -> pd.DataFrame:
    """Correlation of accuracy with the silhouette of E_a and with S(E_a, E_t), over networks and setups.

    Intervals come from leaving out networks in turn, since the setups of one network are not independent.
    """
    rows = {}
    templates = templates[templates["training"] != "truly_clean"]  # every caption names its class: the same as clean
    both = pd.concat({"templates": templates, "titles": titles}, names=["captions"])
    means = both.groupby(["pretraining", "training", "captions"])[["accuracy", "silhouette_E_a", "S_E_a_E_t"]].mean()
    parts = {"dirty and clean captions": means, "clean captions": means.query("training != 'dirty'")}
    for part, values in parts.items():
        for name, column in {"silhouette of E_a": "silhouette_E_a", "S(E_a, E_t)": "S_E_a_E_t"}.items():
            networks = values.index.get_level_values("pretraining")
            r = grouped_correlation(values[column], values["accuracy"], networks)
            rows[part, name] = {"r": str(r), "n": len(values), "networks": networks.nunique()}
    return pd.DataFrame(rows).T


def three_degrees(runs: pd.DataFrame) -> pd.DataFrame:
    """Accuracy with dirty, word-clean and truly clean captions, and what the word rule leaves, a line a network."""
    lines, columns = {}, ["dirty", "word-clean", "truly clean"]
    accuracy = by_setup(runs, "accuracy", [*slugs("dirty"), *slugs("clean"), *slugs("truly_clean")])
    for step in STEPS:
        values = accuracy[[f"{step}-{t}" for t in ("dirty", "clean", "truly_clean")]].set_axis(columns, axis=1)
        if values.notna().any().all():
            left = estimate(values, of("word-clean", "truly clean"))
            line = {name: str(estimate(values[[name]], of(name))) for name in columns}
            lines[title(step)] = {**line, "word-clean minus truly clean": str(left), "above 0": left.verdict}
    return pd.DataFrame(lines).T


def fine_tuning(frozen: pd.DataFrame, unfrozen: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """YAMNet with frozen weights beside YAMNet that learns on, from the same groups and seeds, and what that says."""
    names = {"accuracy": "ten answers", "all_accuracy": "fifty answers", "silhouette_x_a": "silhouette of x_a"}
    lines, sides = {}, {"frozen": frozen, "learns on": unfrozen}
    for slug, (column, measure) in product(("dirty-dirty", "dirty-clean"), names.items()):
        values = pd.DataFrame({side: by_setup(runs, column)[slug] for side, runs in sides.items()}).dropna()
        if len(values):
            gain = estimate(values, of("learns on", "frozen"))
            if column == "all_accuracy":  # all groups are tested with the same clips
                gain = Estimate(gain.value, np.nan, np.nan)
            lines[slug, measure] = {**values.mean(), "difference": gain, "groups": len(values)}
    table = pd.DataFrame.from_dict(lines, orient="index", columns=["frozen", "learns on", "difference", "groups"])
    if ("dirty-clean", "ten answers") not in lines:
        return table, "There are no results of a network that learns on yet."
    gain = lines["dirty-clean", "ten answers"]["difference"]
    does = gain.words("raises", "lowers", "is not shown to change")
    return table, f"Learning on {does} YAMNet's accuracy with clean captions among ten answers: by {gain}."


def leaks(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """What leaks add to accuracy: an `Estimate` of each path and of their difference, a row a table of runs.

    Labels of the pre-training with clean captions; names in the captions as the mean of three pre-trainings.
    """

    def effects(m: pd.Series) -> list:
        labels, captions = m["dirty-clean"] - m["clean-clean"], mean_gains(m)["captions"]
        return [labels, captions, captions - labels]

    found = {name: values for name, runs in tables.items() if len(values := by_setup(runs, "accuracy").dropna())}
    rows = [estimates(values, effects) for values in found.values()]
    return pd.DataFrame(rows, list(found), ["labels add", "captions add", "captions beyond labels"])


def findings(
    networks: pd.DataFrame, small: dict[str, pd.DataFrame], titled: pd.DataFrame, points: pd.DataFrame
) -> tuple[list[str], pd.DataFrame]:
    """The findings of the book, true of whatever was measured, and what leaks add in each data set, see `leaks`.

    `small` are tables of the small network, by the sounds that it was trained on.
    """
    truly = titled[titled["training"] != "clean"].replace({"setup": {"truly_clean": "clean"}}, regex=True)
    named = {"real networks": networks, "real networks, titles": titled, "the same, without any clip of a class": truly}
    added = leaks(named | small)
    if added.empty:
        return ["There are no results yet: run `clapleak reproduce`."], added
    labels, captions = added["labels add"], added["captions add"]
    seen = labels.iloc[0].words("looks better", "looks worse", "is not shown to look better")
    others = [one.low > 0 for name, one in labels.iloc[1:].items() if name in small]
    little = f"but a small network does not {'on all sounds' if any(others) else 'show it'}"
    little = "and so does a small network" if all(others) else little
    agree = f", {little}" if others and labels.iloc[0].low > 0 else ""
    lines = [f"**A network that was told the test's labels {seen} at zero-shot than one that was not{agree}.**"]
    pair = [title(step) for step in ("dirty", "clean")]
    if "real networks" in added.index and set(pair) <= set(points.index):
        told, heard = points.loc[pair, "clean"]
        lines[0] += (
            f" With captions that never name a test class, {pair[0]}, which was told AudioSet's labels, reaches "
            f"{told:.2f} among ten answers and {pair[1]}, which heard the same sounds without labels, {heard:.2f}. "
            "This is one pair of networks, which differ in more than their labels."
        )
    if "real networks" in added.index and "unseen" in networks:
        unseen, seen = networks.loc[networks["setup"] == "dirty-clean", ["unseen", "seen"]].mean()
        lines[0] += (
            f" With every name on offer, those that the captions taught as well, {pair[0]} names {unseen:.1%} of the "
            f"clips of unseen classes rightly (guessing {1 / 50:.1%}), and {seen:.0%} of the others."
        )
    does = captions.iloc[0].words("raise accuracy", "lower accuracy", "may raise accuracy")
    more = [one.low > 0 for one in added["captions beyond labels"]]
    lines.append(
        f"**Captions that name the test classes {does}**, by {captions.iloc[0]} with {added.index[0]}; they are shown "
        f"to add more than labels do in {sum(more)} of {len(more)} comparisons below."
    )
    accuracy = by_setup(titled, "accuracy", ["dirty-clean", "dirty-truly_clean"]).dropna()
    if len(accuracy):
        left, (words, whole) = estimate(accuracy, of(*accuracy)), accuracy.groupby(level="group").mean().mean()
        misses = left.words("misses many leaks", "takes more than leaks", "may miss leaks")
        lines[-1] += (
            f" The paper's rule, no word of a label, {misses}: with titles {pair[0]} reaches {words:.2f} after it and "
            f"{whole:.2f} when every clip of the test classes is left out, which is less data as well (by {left})."
        )
    return [*lines, *([inheritance(points)] if len(points) >= 6 else [])], added
