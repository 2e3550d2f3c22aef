"""Figures, tables, comparisons and the explorer's data: they show what they are given and stay legible."""

import json
import re
from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Annotation, Text

from clapleak import metrics, results
from clapleak.book import analysis, explorer, figures, site, statistics, tables
from clapleak.config import ClapleakError, find_root
from clapleak.leakage import load_labels
from clapleak.setups import SHARES

PUBLISHED = pd.read_csv(find_root() / "reference" / "published.csv", index_col="model")


ESC50 = load_labels("esc50")
MINI, NETWORKS = find_root() / "results" / "mini", find_root() / "results" / "networks"


@pytest.fixture(scope="module")
def ours() -> pd.DataFrame:
    """Two seeds of each setup."""
    return results.table(MINI).query("seed < 2")


@pytest.fixture(scope="module")
def six() -> list[results.Run]:
    return [run for run in results.read_runs(MINI, tables.SLUGS) if run.seed == 0]


def test_figures_hold_the_means_the_runs_and_guessing(ours):
    (ax,) = figures.headline(ours, {"paper": tables.printed("accuracy")}, title="t").axes
    np.testing.assert_allclose([patch.get_height() for patch in ax.patches[:6]], tables.setup_means(ours, "accuracy"))
    points = np.concatenate([dots.get_offsets() for dots in ax.collections if len(dots.get_offsets())])[:, 1]
    assert np.isin(ours["accuracy"].round(9), points.round(9)).all()
    assert np.isin(tables.printed("accuracy"), points).all() and ax.lines[0].get_ydata()[0] == pytest.approx(1 / 50)
    table = results.table(MINI, SHARES)
    line = figures.shares(table).axes[0].lines[0]
    assert list(line.get_xdata()) == [0, 0.25, 0.5, 0.75, 1]
    assert line.get_ydata()[2] == pytest.approx(table.query("training == 'leak50'")["accuracy"].mean())
    p, q = np.random.default_rng(0).normal(size=(2, 20, 5))
    chance, curve = figures.overlap({"pair": (p, q)}).axes[0].lines[:2]
    np.testing.assert_allclose(chance.get_ydata(), np.arange(1, 20) / 19)
    np.testing.assert_allclose(curve.get_ydata(), metrics.neighborhood_overlap(p, q))
    assert plt.get_fignums() == []  # pyplot stays out


def test_confusion_is_shares_of_rows_and_names_the_largest_mistakes_of_many_classes():
    labels, answers = np.array([0, 0, 0, 0, 1, 1]), np.array([0, 0, 0, 1, 1, 0])
    few = figures.confusion(labels, answers, ["dog", "rain", "absent"]).axes[0]
    np.testing.assert_allclose(few.images[0].get_array(), [[0.75, 0.25, 0], [0.5, 0.5, 0], [0, 0, 0]])
    names, labels = ESC50, np.repeat(np.arange(50), 4)
    answers = labels.copy()
    answers[0:4], answers[44:46] = 7, 3  # every clip of class 0, half the clips of class 11
    ax = figures.confusion(labels, answers, names).axes[0]
    assert [(text.get_text(), text.get_position()[1]) for text in ax.texts] == [(names[7], 0), (names[3], 11)]


def test_fifty_names_stay_apart_and_inside():
    figure = figures.text_map(np.random.default_rng(0).normal(size=(50, 2)), ESC50, title="E_t")
    figure.draw_without_rendering()
    (ax,), renderer = figure.axes, figure._get_renderer()
    # of the text, without its line; a box has some air around its letters, 3 pixels
    boxes = [Text.get_window_extent(text, renderer) for text in ax.texts if isinstance(text, Annotation)]
    frame = ax.get_window_extent()
    assert len(boxes) == 50 and all(box.x0 >= frame.x0 - 3 and box.x1 <= frame.x1 + 3 for box in boxes)
    for one, other in combinations(boxes, 2):
        assert min(np.minimum(one.max, other.max) - np.maximum(one.min, other.min)) < 3


def test_beside_paper_by_hand():
    setups = ["dirty-dirty"] * 2 + ["none-clean"]
    mine = pd.DataFrame({"setup": setups, "group": np.nan, "seed": [0, 1, 0], "accuracy": [0.5, 0.7, 0.14]})
    mine["chance"] = 1 / 50
    shown = tables.beside_paper({"yours": mine, "published": mine.iloc[2:]}, ["accuracy"])["accuracy"]
    assert shown.index.tolist() == tables.SLUGS
    assert shown.columns.tolist() == ["yours", "published", "paper", "difference"]
    assert shown.loc["dirty-dirty"].tolist() == ["0.60 [-0.67,\u00a01.87]", "–", "0.73", "-0.13"]  # Student's, of two
    assert shown.loc["none-clean"].tolist() == ["0.14", "0.14", "0.14", "+0.00"]  # one run has no interval
    among_ten = tables.beside_paper({"yours": mine.assign(chance=0.1)}, ["accuracy"])["accuracy"]
    assert among_ten.columns.tolist() == ["yours", "paper"]  # accuracies among ten and among fifty do not compare


def test_a_user_s_mean_is_within_the_published_seeds_or_outside(ours):
    column = "accuracy"  # two seeds, each the mean of two groups
    values = {group: 0.4 + 0.2 * ours["seed"] + gap for group, gap in enumerate((-0.1, 0.1))}
    published = pd.concat([ours.assign(group=group, **{column: value}) for group, value in values.items()])
    for value, word in ((0.4, "within"), (0.5, "within"), (0.61, "outside")):
        table = tables.beside_published(ours.assign(**{column: value}), published)
        assert table.index.tolist() == [(slug, row) for slug in tables.SLUGS for row in tables.ROWS]
        line = table.loc[("none-dirty", "accuracy")].tolist()
        assert line[0] == f"{value:.2f}" and line[1].startswith("0.50 [")  # equal runs have no interval
        assert line[2:] == [f"{value - 0.5:+.2f}", f"0.40 to 0.60, {word}"]
    alone = tables.beside_published(ours[ours["setup"] == "none-dirty"], published).loc[("none-clean", "accuracy")]
    assert alone.tolist()[0] == alone.tolist()[-1] == "–"


def test_what_is_no_test_of_real_networks_stands_in_brackets_and_one_run_decides_nothing(ours):
    judged = {"real networks, titles": analysis.judge(ours), "ours": analysis.judge(ours)}
    signs = analysis.signs(judged).set_index("claim of the paper")
    bracketed = signs.map(lambda sign: sign.startswith("("))
    assert signs.index[bracketed["real networks, titles"]].str[0].tolist() == ["E", "G"] and not bracketed["ours"].any()
    alone = analysis.judge(ours[ours["seed"] == 0])
    assert {alone[letter][0] for letter in "ACDEGHI"} == {"undecided"}


def test_leak_gains_by_hand():
    values = pd.Series(dict(zip(tables.SLUGS, (0.9, 0.7, 0.5, 0.6, 0.3, 0.2), strict=True)))
    gains = analysis.leak_gains(values)
    assert gains == {"captions": pytest.approx([0.3, 0.4, 0.3]), "pre-training": pytest.approx([0.2, 0.3])}


def test_further_answers_join_in_every_order_between_the_accuracies_of_the_metrics():
    """Two targets, three others: one clip is beaten by one of the others, one by none, and one by a target."""
    E_a = np.array([[0.5, 0.1, 0.8, 0.0, 0.0], [0.1, 0.9, 0.0, 0.0, 0.0], [0.9, 0.2, 0.0, 0.0, 0.0], [0, 0, 0, 1, 0]])
    labels, targets = np.array([0, 1, 1, 3]), np.array(2)
    found = analysis.more_answers({"E_a": E_a, "E_t": np.eye(5), "labels": labels, "targets": targets})
    assert list(found) == [2, 3, 4, 5]
    np.testing.assert_allclose(found, [[1, 2 / 3, 1 / 3, 0], [0.5, 0.5, 0.5, 0.5]], atol=1e-12)
    run = results.read_run(NETWORKS / "dirty-clean" / "group0-seed0")
    ends = analysis.more_answers(run.embeddings).mean().iloc[[0, -1]].tolist()
    assert ends == pytest.approx([run.metrics["accuracy"], run.metrics["all_classes"]["unseen"]])


def test_a_slider_shows_one_frame_and_its_lines_stand_at_the_positions():
    figure = figures.overlap({"a": tuple(np.random.default_rng(0).normal(size=(2, 9, 4)))})
    shown = site.slider("Size <k>", {"k = 1": "<p>one</p>", "k = 8": "<p>eight</p>"}, 1, (figure, "curve"), [1, 8])
    assert re.findall(r'data-at="(\d)"( hidden)? data-name="([^"]+)"><p>', shown) == [
        ("0", " hidden", "k = 1"), ("1", "", "k = 8"),
    ]  # fmt: skip
    assert "Size &lt;k&gt;: <output>k = 8</output>" in shown and 'value="1" disabled' in shown
    left = [float(place) / 100 * figure.bbox.width for place in re.findall(r"left:([\d.]+)%", shown)]
    np.testing.assert_allclose(left, figure.axes[0].transData.transform([(1, 0), (8, 0)])[:, 0], atol=0.1)


def test_the_paper_s_own_values_give_its_claims_and_its_correlation():
    printed = analysis.paper_runs()
    verdicts = analysis.judge(printed)
    assert list(verdicts) == list(analysis.CLAIMS) == list("ABCDEFGHI")
    assert {letter for letter in verdicts if verdicts[letter][0] != "holds"} == {"H"}  # one printed value is lower
    assert verdicts["H"][0] == "contradicted"
    reverse = analysis.judge(printed.assign(setup=tables.SLUGS[::-1]))
    assert {reverse[letter][0] for letter in "ACDI"} == {"contradicted"}
    across, up = tables.printed("silhouette E_a"), tables.printed("accuracy")
    (ax,) = figures.correlation({"paper": (across, up), "part": (across.iloc[:4], up)}, x="x", y="y").axes
    assert "r = 0.97 (p = 0.001)" in ax.get_title()  # and no panel of an incomplete series


# --- the explorer


def test_nearest_labels_are_those_of_highest_cosine_and_a_missing_setup_has_no_map(six):
    E_a, E_t = (six[3].embeddings[name].astype(float) for name in ("E_a", "E_t"))
    shown = explorer.data_set([*six[:0:-1]], "t")["setups"]
    assert [setup["slug"] for setup in shown] == tables.SLUGS
    assert [("E_a" in setup) for setup in shown] == [False] + [True] * 5
    nearest = np.array(shown[3]["nearest"]).reshape(len(E_a), 3, 2)
    cosines = metrics.unit(E_a) @ metrics.unit(E_t).T
    np.testing.assert_array_equal(nearest[:, :, 0], np.argsort(-cosines, axis=1)[:, :3])
    np.testing.assert_allclose(nearest[:, :, 1] / 100, -np.sort(-cosines, axis=1)[:, :3], atol=0.0051)
    share = (nearest[:, 0, 0] == six[3].embeddings["labels"]).mean()
    assert shown[3]["accuracy"] == pytest.approx(share, abs=0.005)


def test_other_clips_are_refused_and_data_in_the_page_cannot_end_its_element(six):
    other = results.read_run(NETWORKS / "clean-dirty" / "group0-seed0")
    for runs, message in (([six[0], other], "clips"), ([], "one run a setup"), ([six[0], six[0]], "one run a setup")):
        with pytest.raises(ClapleakError, match=message):
            explorer.data_set(runs, "t")
    shown = explorer.data_set(six, "</script><script>alert(1)</script> & <!--")
    html = explorer.element([shown])
    (data,) = re.findall(r'<script type="application/json" id="explorer-data">(.*?)</script>', html, re.S)
    assert html.count("</script>") == 1 and not set("<>&") & set(data)
    assert json.loads(data) == [shown]


# --- published models


def test_published_models_bear_out_the_title_of_their_page():
    clusters, accuracy = PUBLISHED["clustering"], PUBLISHED["zero_shot"]
    r = statistics.correlation(clusters, accuracy)
    drawn = statistics.grouped_correlation(clusters, accuracy, PUBLISHED["family"])
    assert [r.value, drawn.value] == pytest.approx([np.corrcoef(clusters, accuracy)[0, 1]] * 2)
    assert r.verdict == drawn.verdict == "holds" and len(PUBLISHED) == 13
    (ax,) = figures.published(PUBLISHED).axes
    assert {text.get_text() for text in ax.texts} == set(PUBLISHED.index)
    heights = [text.xyann[1] for text in ax.texts if text.xyann[0] > 0.8]
    assert np.diff(sorted(heights)).min() > 0.035  # of the scale; a name is as high as 0.03
