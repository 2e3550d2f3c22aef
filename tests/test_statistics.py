"""Intervals, verdicts and the sentences that follow from them."""

import numpy as np
import pandas as pd
import pytest

from clapleak.book import analysis, degrees, ladder, statistics, tables
from clapleak.book.statistics import Estimate, estimate, interaction, of
from clapleak.setups import PRETRAININGS, SURFACE


def runs(means, spread=0.02, groups=3, seeds=6, **more):
    """A table of runs: some setups with a mean accuracy each, class groups that differ, and seeds."""
    rng, rows = np.random.default_rng(0), []
    for group in range(groups):
        easy = rng.normal(0, spread)
        for seed in range(seeds):
            for slug, mean in means.items():
                p, t = slug.split("-")
                value = mean + easy + rng.normal(0, spread / 2)
                rows.append({"setup": slug, "pretraining": p, "training": t, "group": group, "seed": seed,
                             "accuracy": value, "silhouette_E_a": value, "S_E_a_E_t": value, **more})  # fmt: skip
    return pd.DataFrame(rows)


SIX = dict(zip(tables.SLUGS, (0.9, 0.8, 0.5, 0.45, 0.25, 0.14), strict=True))


def test_an_interval_holds_the_mean_and_pairs_setups():
    accuracy = tables.by_setup(
        runs({"dirty-clean": 0.4, "clean-clean": 0.3}), "accuracy", ["dirty-clean", "clean-clean"]
    )
    one, difference = estimate(accuracy, of("dirty-clean")), estimate(accuracy, of("dirty-clean", "clean-clean"))
    assert one.low < one.value < one.high and one.value == pytest.approx(accuracy["dirty-clean"].mean())
    assert difference.verdict == "holds" and difference.value == pytest.approx(0.1, abs=0.02)
    assert difference.high - difference.low < one.high - one.low  # what a group adds to both cancels out
    assert estimate(accuracy, of("clean-clean", "dirty-clean")).verdict == "contradicted"


def test_nine_in_ten_intervals_hold_the_truth():
    rng, held = np.random.default_rng(1), 0
    for _ in range(100):
        index = pd.MultiIndex.from_product([[0], range(12)], names=["group", "seed"])
        found = estimate(pd.DataFrame({"a": rng.normal(0.5, 0.1, 12)}, index=index), of("a"))
        held += found.low <= 0.5 <= found.high
    assert 85 <= held <= 99


def test_a_single_run_has_no_interval_and_an_absent_one_no_number():
    single = estimate(
        tables.by_setup(runs({"dirty-clean": 0.4}, groups=1, seeds=1), "accuracy", ["dirty-clean"]), of("dirty-clean")
    )
    assert single.low == single.value == single.high and str(single) == f"{single.value:.2f}"
    lacking = estimate(
        pd.DataFrame({"a": [np.nan]}, pd.MultiIndex.from_tuples([(0, 0)], names=["group", "seed"])), of("a")
    )
    assert str(lacking) == "no results" and lacking.verdict == "undecided"
    assert f"{Estimate(0.2, 0.1, 0.3):+}" == "+0.20 [0.10, 0.30]" and f"{Estimate(-0.2, -0.3, -0.1):+}".startswith(
        "-0.20"
    )


def test_partial_correlation_takes_the_given_away():
    rng = np.random.default_rng(0)
    given = pd.Series(rng.normal(size=200))
    x, y = (given + 0.3 * pd.Series(rng.normal(size=200)) for _ in range(2))
    assert statistics.correlation(x, y).value > 0.8
    assert abs(statistics.partial_correlation(x, y, given).value) < 0.2
    residual = [pd.Series(np.linalg.lstsq(np.c_[np.ones(200), given], s, rcond=None)[0]) for s in (x, y)]
    left = [s - (b[0] + b[1] * given) for s, b in zip((x, y), residual, strict=True)]
    assert statistics.partial_correlation(x, y, given).value == pytest.approx(left[0].corr(left[1]))


@pytest.mark.parametrize(("d", "verdict"), [(0.0, "undecided"), (0.3, "holds"), (-0.3, "contradicted")])
def test_leaks_that_add_have_no_interaction(d, verdict):
    shares = [(x, y) for x in (0, 0.25, 0.5, 0.75, 1) for y in (0, 0.25, 0.5, 0.75, 1)]
    assert [(analysis_share(s.pretraining), analysis_share(s.training)) for s in SURFACE] == shares
    means = {s.slug: 0.2 + 0.1 * x + 0.3 * y + d * x * y for s, (x, y) in zip(SURFACE, shares, strict=True)}
    table = runs(means, groups=1)
    values = tables.by_setup(table, "accuracy", list(means))
    found = interaction(values, *zip(*shares, strict=True))
    assert found.value == pytest.approx(d, abs=0.05) and (d == 0 or found.verdict == verdict)
    said = degrees.together(table)
    assert {0.0: "", 0.3: "more than the sum", -0.3: "less than the sum"}[d] in said
    grid = degrees.surface(table)
    assert grid.loc["0%", "100%"] == pytest.approx(0.5, abs=0.05)


def analysis_share(name):
    return {"clean": 0, "leak25": 0.25, "leak50": 0.5, "leak75": 0.75, "dirty": 1}[name]


def test_findings_say_what_was_measured_and_the_reverse_of_it():
    none, points, small = runs(SIX).iloc[:0], pd.DataFrame(), {"a small network": runs(SIX)}
    shown = ladder.findings(runs(SIX), small, none, points)
    assert "labels look better" in shown[0] and "so does a small network" in shown[0] and len(shown) == 2
    assert "matter more" in shown[1]
    reverse = runs({slug: 1 - mean for slug, mean in SIX.items()})
    assert (
        "a small network does not on all" in ladder.findings(runs(SIX), {"a small network": reverse}, none, points)[0]
    )
    shown = ladder.findings(reverse, small, none, points)
    assert "labels look worse" in shown[0] and "-0." in shown[0] and "do harm" in shown[1]
    shown = ladder.findings(runs(dict.fromkeys(SIX, 0.5), spread=0.2), small, none, points)
    assert "are not shown to look better" in shown[0] and "may be chance" in shown[0]
    titled = runs({"dirty-clean": 0.6, "dirty-truly_clean": 0.3})
    assert "misses many leaks" in ladder.findings(runs(SIX), small, titled, points)[1]
    assert "no results" in ladder.findings(none, {}, none, points)[0]


@pytest.mark.parametrize(
    ("follows", "says"),
    [("silhouette", "follows clusters more"), ("probe, 128", "follows knowledge more"), ("", "neither clusters nor")],
)
def test_what_zero_shot_follows_is_said_as_measured(follows, says):
    rng = np.random.default_rng(0)
    points = pd.DataFrame(rng.normal(size=(12, 4)), columns=["silhouette", "probe, 128", "clean", "dirty"])
    for captions in ("clean", "dirty") if follows else ():
        points[captions] = points[follows] + rng.normal(0, 0.1, 12)
    words = ladder.inheritance(points)
    assert words.count(says) == 2 and "12 networks" in words and "too few" in ladder.inheritance(points[:5])
    points["clean"] = points["silhouette"] + points["probe, 128"] + rng.normal(0, 0.5, 12)
    assert "alike" in ladder.inheritance(points)


def test_a_lead_is_the_difference_of_standardised_coefficients_and_covers_the_truth():
    rng, hits = np.random.default_rng(0), 0
    for _ in range(200):
        x, z, noise = pd.DataFrame(rng.normal(size=(400, 3))).to_numpy().T
        one = statistics.lead(pd.Series(x + 0.5 * z + noise), pd.Series(x), pd.Series(z))
        hits += one.low < 0.5 / 1.5 < one.high  # the deviation of y is the root of 1 + 0.25 + 1
    assert hits > 180 and np.isnan(statistics.lead(*[pd.Series([1.0, 2.0, 3.0])] * 3).value)


def test_what_the_word_rule_leaves_is_said_as_measured():
    means = {
        f"{p}-{t}": mean for p in PRETRAININGS for t, mean in (("dirty", 0.6), ("clean", 0.4), ("truly_clean", 0.2))
    }
    for change, words in ((0.0, "of what is reported as free of leaks"), (0.4, "do better")):
        table = runs({slug: mean + change * slug.endswith("truly_clean") for slug, mean in means.items()}, groups=1)
        assert words in degrees.answer(tables.by_setup(table, "accuracy", list(means)))
    assert "no results" in degrees.answer(pd.DataFrame(columns=list(means)))


def test_verdicts_change_with_the_numbers():
    verdicts = analysis.compared(tables.by_setup(runs(SIX), "accuracy"), lambda m: analysis.claimed_differences("A", m))
    assert verdicts[0] == "holds" and verdicts[1].startswith("of 9 differences the smallest is 0.")
    wide = tables.by_setup(runs({**SIX, "clean-dirty": 0.9}, spread=0.1), "accuracy")
    assert analysis.compared(wide, lambda m: analysis.claimed_differences("A", m))[0] == "undecided"
    assert analysis.compared(wide.iloc[:0], lambda m: [m["dirty-dirty"]])[0] == "undecided"


def test_an_interval_over_recordings_is_wider_where_clips_share_them():
    right = np.random.default_rng(0).random(400) < 0.7
    alone, shared = (
        statistics.over_recordings(np.repeat(right, 4), names) for names in (range(1600), np.repeat(range(400), 4))
    )
    binomial = 1.96 * (0.7 * 0.3 / 400) ** 0.5
    assert alone.value == shared.value == pytest.approx(right.mean())
    assert (shared.high - shared.low) / 2 == pytest.approx(
        binomial, rel=0.1
    ) and alone.high - alone.low < binomial * 1.2
