"""How clean a clean training set is, and what leaks in both trainings do together."""

import numpy as np
import pandas as pd

from clapleak import leakage
from clapleak.book.statistics import estimate, estimates, interaction, of
from clapleak.book.tables import by_setup
from clapleak.config import Profile
from clapleak.setups import FILTERS, LEAK_SHARES, PRETRAININGS, SURFACE

RULES = {
    "dirty": "dirty", "clean": "word-clean, by pair", "truly_clean": "truly clean, by pair",
    "clean_by_clip": "word-clean, by clip", "truly_clean_by_clip": "truly clean, by clip",
}  # fmt: skip


def what_is_left(profile: Profile) -> pd.DataFrame:
    """Audio-text pairs of a profile that each rule keeps, and in how many of them a target class sounds."""
    from clapleak import experiment  # slow to import

    sources = experiment.read_sources(profile)
    targets, rows = sorted(sources.test.table["text"].unique()), {}
    for rule, name in RULES.items():
        kept = leakage.filtered(sources.pairs, targets, rule, on="text").table
        heard = kept["sounds"].map(lambda sounds: sorted(set(targets) & set(sounds)))
        classes = len({label for several in heard for label in several})
        rows[name] = {"pairs": len(kept), "with a target's sound": heard.map(bool).sum(), "of classes": classes}
    return pd.DataFrame(rows).T


def by_rule(accuracy: pd.DataFrame) -> pd.DataFrame:
    """Accuracy under each rule, and what word-clean has above it, a line a rule and two columns a pre-training."""
    found = {}
    for p in PRETRAININGS:
        alone, less, clean = {}, {}, f"{p}-clean"
        for rule, name in list(RULES.items())[:3]:
            pair = accuracy[[*dict.fromkeys((clean, f"{p}-{rule}"))]]
            alone[name] = str(estimate(pair, of(f"{p}-{rule}")))
            less[name] = "–" if rule == "clean" else str(estimate(pair, of(f"{p}-{rule}", clean)))
        found |= {(f"pre-training {p}", "accuracy"): alone, (f"pre-training {p}", "minus word-clean"): less}
    return pd.DataFrame(found)


def answer(accuracy: pd.DataFrame, chance: float) -> str:
    """First paragraph of the page, true of whatever was measured; `chance` is the accuracy of guessing."""
    values = accuracy[[f"{p}-{t}" for p in PRETRAININGS for t in ("dirty", "clean", "truly_clean")]]
    if values.dropna().empty:
        return "There are no results of truly clean training sets yet."

    def effects(means):
        word, truly = (sum(means[f"{p}-{t}"] for p in PRETRAININGS) / 3 for t in ("clean", "truly_clean"))
        return [word, word - truly, (word - truly) / (word - chance)]

    clean, left, share = estimates(values, effects)
    verdict = left.words(
        f"That is {share.value:.0%} (interval {share.low:.0%} to {share.high:.0%}) of what is above guessing and is "
        "reported as free of leaks; loss of pairs is in it as well",
        "Training sets without those sounds do better, so that they cannot be what clean accuracy rests on",
        "That may be chance: the sounds that the rule leaves cannot be shown to matter",
    )
    return (
        f"Word-clean training sets still hold sounds of the target classes. Taking these away as well changes accuracy "
        f"of {clean.value:.2f} by {-left:+} (mean of three pre-trainings). {verdict}."
    )


def surface(runs: pd.DataFrame) -> pd.DataFrame:
    """Mean accuracy by the share of leaks in the pre-training labels (rows) and in the captions (columns)."""
    means = runs.pivot_table("accuracy", "pretraining", "training").reindex(LEAK_SHARES, columns=LEAK_SHARES)
    shares = [f"{FILTERS[name].share:.0%}" for name in LEAK_SHARES]
    means.index, means.columns = pd.Index(shares, name="leaks in labels"), pd.Index(shares, name="leaks in captions")
    return means


def together(runs: pd.DataFrame) -> str:
    """Whether the two leaks add or multiply, from the interaction of accuracy and of its logarithm."""
    values = by_setup(runs, "accuracy", [setup.slug for setup in SURFACE])
    if values.dropna().empty:
        return "There are no results for shares of leaks in both trainings yet."
    x, y = zip(*[(FILTERS[s.pretraining].share, FILTERS[s.training].share) for s in SURFACE], strict=True)
    sums, products = interaction(values, x, y), interaction(np.log(values), x, y)
    told = "an amount that cannot be told from"
    between = "or from the product" if sums.verdict == "undecided" else f"and {told} the product"
    more = sums.words("more than the sum of both", "less than the sum of both", f"{told} the sum of both")
    times = products.words("and more than the product", "and less than the product", between)
    return (
        f"All leaks in both trainings give {more} (interaction of accuracy {sums}) {times} "
        f"(interaction of its logarithm {products}), over {len(values.dropna())} seeds."
    )
