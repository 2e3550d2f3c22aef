"""Intervals, verdicts and the sentences that follow from them."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy import stats

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
    means = {"dirty-clean": 0.4, "clean-clean": 0.3}
    accuracy = tables.by_setup(runs(means), "accuracy", list(means))
    one, difference = estimate(accuracy, of("dirty-clean")), estimate(accuracy, of("dirty-clean", "clean-clean"))
    assert one.low < one.value < one.high and one.value == pytest.approx(accuracy["dirty-clean"].mean())
    assert difference.verdict == "holds" and difference.value == pytest.approx(0.1, abs=0.02)
    assert difference.high - difference.low < one.high - one.low  # what a group adds to both cancels out
    assert estimate(accuracy, of("clean-clean", "dirty-clean")).verdict == "contradicted"


@pytest.mark.parametrize("units", [2, 3, 12])
def test_intervals_hold_the_truth_as_often_as_they_say_and_that_of_a_mean_is_student_s(units):
    index = pd.MultiIndex.from_product([[0], range(units)], names=["group", "seed"])
    drawn = np.random.default_rng(1).normal(0.5, 0.1, (300, units))
    found = [estimate(pd.DataFrame({"a": values}, index=index), of("a")) for values in drawn]
    assert 0.92 <= np.mean([one.low <= 0.5 <= one.high for one in found]) <= 0.98
    ends = stats.t.interval(0.95, units - 1, drawn[0].mean(), stats.sem(drawn[0]))
    assert (found[0].low, found[0].high) == pytest.approx(ends)


def test_one_of_many_equal_setups_is_seldom_contradicted():
    equal = [runs(dict.fromkeys(SIX, 0.5)).query("group == 0").assign(accuracy=values) for values in
             np.random.default_rng(2).normal(0.5, 0.1, (60, 36))]  # fmt: skip
    tables_of = (tables.by_setup(table, "accuracy") for table in equal)
    words = [analysis.compared(table, lambda m: analysis.claimed_differences("A", m))[0] for table in tables_of]
    assert words.count("contradicted") <= 6


def test_a_single_run_has_no_interval_and_an_absent_one_no_number():
    table = pd.DataFrame({"a": [0.4]}, pd.MultiIndex.from_tuples([(0, 0)], names=["group", "seed"]))
    single, lacking = estimate(table, of("a")), estimate(table * np.nan, of("a"))
    assert single.value == 0.4 and str(single) == "0.40" and single.verdict == "undecided"
    assert str(lacking) == "no results" and lacking.verdict == "undecided"
    signed = f"{Estimate(0.2, 0.1, 0.3):+}", f"{Estimate(-0.2, -0.3, -0.1):+}"
    assert signed == ("+0.20 [0.10, 0.30]", "-0.20 [-0.30, -0.10]")


def test_partial_correlation_takes_the_given_away():
    given, *noise = np.random.default_rng(0).normal(size=(3, 200))
    x, y = (pd.Series(given + 0.3 * some) for some in noise)
    line = np.c_[np.ones(200), given]
    left = [s - line @ np.linalg.lstsq(line, s, rcond=None)[0] for s in (x, y)]
    partial = statistics.correlation(x, y, pd.Series(given)).value
    assert partial == pytest.approx(left[0].corr(left[1])) and abs(partial) < 0.2
    assert statistics.correlation(x, y).value > 0.8


def test_a_correlation_over_groups_has_no_interval_from_two_and_none_to_speak_of_on_a_line():
    x = pd.Series([0.0, 1, 2, 3, 4, 5])
    line = statistics.grouped_correlation(x, 2 * x, list("aabbcc"))
    assert (line.value, line.low, line.high) == pytest.approx((1, 1, 1), abs=1e-5)
    few = statistics.grouped_correlation(x, x**2, list("aaabbb"))
    assert few.value == pytest.approx(x.corr(x**2)) and np.isnan([few.low, few.high]).all()


@pytest.mark.parametrize(("d", "verdict"), [(0.0, "undecided"), (0.3, "holds"), (-0.3, "contradicted")])
def test_leaks_that_add_have_no_interaction(d, verdict):
    share = {"clean": 0, "leak25": 0.25, "leak50": 0.5, "leak75": 0.75, "dirty": 1}
    shares = [(share[s.pretraining], share[s.training]) for s in SURFACE]
    assert shares == list(product(share.values(), repeat=2))
    means = {s.slug: 0.2 + 0.1 * x + 0.3 * y + d * x * y for s, (x, y) in zip(SURFACE, shares, strict=True)}
    table = runs(means, groups=1)
    values = tables.by_setup(table, "accuracy", list(means))
    found = interaction(values, *zip(*shares, strict=True))
    assert found.value == pytest.approx(d, abs=0.05) and (d == 0 or found.verdict == verdict)
    said = degrees.together(table)
    assert {0.0: "", 0.3: "more than the sum", -0.3: "less than the sum"}[d] in said
    assert degrees.surface(table).loc["0%", "100%"] == pytest.approx(0.5, abs=0.05)


def test_findings_say_what_was_measured_and_the_reverse_of_it():
    usual, reverse = runs(SIX), runs({slug: 1 - mean for slug, mean in SIX.items()})

    def findings(large, small, titled=usual[:0]):
        return ladder.findings(large, {} if small is None else {"a small network": small}, titled, pd.DataFrame())[0]

    labels, captions = findings(usual, usual)
    assert "labels looks better" in labels and "so does a small network" in labels and "in 2 of 2" in captions
    assert "a small network does not show it" in findings(usual, reverse)[0]
    both, added = ladder.findings(usual, {"one": usual, "other": reverse}, usual[:0], pd.DataFrame())
    assert "a small network does not on all" in both[0]
    assert [one.verdict for one in added["captions add"]] == ["holds", "holds", "contradicted"]
    labels, captions = findings(reverse, usual)
    assert "labels looks worse" in labels and "lower accuracy**, by -0." in captions
    unsure = findings(runs(dict.fromkeys(SIX, 0.5), spread=0.2), usual)[0]
    assert "is not shown to look better" in unsure
    assert "misses many leaks" in findings(usual, usual, runs({"dirty-clean": 0.6, "dirty-truly_clean": 0.3}))[1]
    assert "no results" in findings(usual[:0], None)[0]


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
    hits = 0
    for x, z, noise in np.random.default_rng(0).normal(size=(200, 3, 400)):
        one = statistics.lead(pd.Series(x + 0.5 * z + noise), pd.Series(x), pd.Series(z))
        hits += one.low < 0.5 / 1.5 < one.high  # the deviation of y is the root of 1 + 0.25 + 1
    assert hits > 180 and np.isnan(statistics.lead(*[pd.Series([1.0, 2.0, 3.0])] * 3).value)


def test_what_the_word_rule_leaves_is_said_as_measured():
    by_captions = {"dirty": 0.6, "clean": 0.4, "truly_clean": 0.2}
    means = {f"{p}-{t}": mean for p in PRETRAININGS for t, mean in by_captions.items()}
    for change, words in ((0.0, "is reported as free of leaks"), (0.4, "do better")):
        table = runs({slug: mean + change * slug.endswith("truly_clean") for slug, mean in means.items()}, groups=1)
        assert words in degrees.answer(tables.by_setup(table, "accuracy", list(means)), 0.02)
    assert "no results" in degrees.answer(pd.DataFrame(columns=list(means)), 0.02)


def test_verdicts_change_with_the_numbers():
    narrow, wide = runs(SIX), runs({**SIX, "clean-dirty": 0.9}, spread=0.1)
    (verdict, words), *others = (
        analysis.compared(tables.by_setup(table, "accuracy"), lambda means: analysis.claimed_differences("A", means))
        for table in (narrow, wide, wide[:0])
    )
    assert verdict == "holds" and words.startswith("of 9 differences the smallest is 0.")
    assert [verdict for verdict, _ in others] == ["undecided"] * 2


def test_an_interval_over_recordings_is_wider_where_clips_share_them():
    right, binomial = np.random.default_rng(0).random(200) < 0.7, 1.96 * (0.7 * 0.3 / 200) ** 0.5
    names = range(800), np.repeat(range(200), 4)
    index = (pd.MultiIndex.from_arrays([name, range(800)], names=["group", "seed"]) for name in names)
    hits = (pd.DataFrame({"a": np.repeat(right, 4) * 1.0}, one) for one in index)
    alone, shared = (estimate(table, of("a")) for table in hits)
    assert alone.value == shared.value == pytest.approx(right.mean())
    assert (shared.high - shared.low) / 2 == pytest.approx(binomial, rel=0.1)
    assert alone.high - alone.low < binomial * 1.2
