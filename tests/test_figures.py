"""Figures, tables and comparisons: they show what they are given, stay legible, and import nothing slow."""

import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from fake_results import classes, make_run, write_profile
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text

from clapleak import metrics, results
from clapleak.book import analysis, figures, statistics, tables
from clapleak.config import find_root, load_profile
from clapleak.setups import CONTROLS, SETUPS, SHARES

SMALLEST = 9  # points, in a figure of 7 inches
PUBLISHED = pd.read_csv(find_root() / "reference" / "published.csv", index_col="model")


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return write_profile(tmp_path_factory.mktemp("results") / "mini", number=9)


@pytest.fixture(scope="module")
def ours(base) -> pd.DataFrame:
    return results.table(base)


def series(row: str) -> pd.Series:
    return tables.printed(row)


@pytest.mark.parametrize("number", [9, 50])
def test_text_is_legible_on_a_narrow_page_and_pyplot_stays_out(number, tmp_path, base, ours):
    six = [make_run(tmp_path / "mini", setup, number=number) for setup in SETUPS]
    run, shown = six[4], six[4].embeddings
    labels, names, E_a, E_t = shown["labels"], list(shown["classes"]), shown["E_a"], shown["E_t"]
    silhouette, accuracy = series("silhouette E_a"), series("accuracy")
    drawn = [
        figures.headline(ours, {"paper": accuracy, "published": accuracy}, title="accuracy"),
        figures.headline(results.table(base, CONTROLS["matched"]), slugs=["none-matched"], title="accuracy"),
        figures.shares(results.table(base, SHARES), 0.5), figures.centroids({"a": ours, "b": ours}),
        figures.history(run), figures.confusion(labels, (E_a @ E_t.T).argmax(1), names),
        figures.heat_map(E_t @ E_t.T, E_t @ E_t.T, names, lines=3),
        figures.cloud(run.map["E_a"], labels, names, title="E_a"), figures.six_clouds(six[:5]),
        figures.text_map(run.map["E_t"], names, title="E_t"),
        figures.correlation({"paper": (silhouette, accuracy)}, x="silhouette", y="accuracy"),
        figures.overlap({"E_a and E_t": (metrics.class_means(E_a, labels), E_t)}, k_max=3),
        figures.similarities({"dirty-dirty": E_t[:9, 0], "clean-clean": E_t[:9, 1]}, names[:9], title="cosines"),
        figures.published(PUBLISHED, "clustering", "zero_shot", labels=("V-measure", "accuracy")),
        figures.overlaps(pd.DataFrame({"class": names, "a": 1, "b": 2}), {"a": "some"}, total="b"),
        figures.spectrograms(["foley@0/dog/1"] * 5, names, load_profile("mini").audio),
    ]  # fmt: skip
    for figure in drawn:
        figure.draw_without_rendering()
        texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
        assert texts and min(text.get_fontsize() for text in texts) >= SMALLEST
    assert plt.get_fignums() == []


def test_headline_shows_means_runs_marks_and_guessing(ours):
    (ax,) = figures.headline(ours, {"paper": series("accuracy")}, title="t").axes
    np.testing.assert_allclose([patch.get_height() for patch in ax.patches[:6]], tables.setup_means(ours, "accuracy"))
    points = np.concatenate([dots.get_offsets() for dots in ax.collections if len(dots.get_offsets())])[:, 1]
    assert np.isin(ours["accuracy"].round(9), points.round(9)).all() and np.isin(series("accuracy"), points).all()
    assert ax.lines[0].get_ydata()[0] == pytest.approx(1 / 9)


def test_shares_and_centroids_hold_the_means(base, ours):
    table = results.table(base, SHARES)
    line = figures.shares(table).axes[0].lines[0]
    assert list(line.get_xdata()) == [0, 0.25, 0.5, 0.75, 1]
    assert line.get_ydata()[2] == pytest.approx(table.query("training == 'leak50'")["accuracy"].mean())
    as_trained, centred = figures.centroids({"a": ours}).axes[0].collections[:2]
    np.testing.assert_allclose(as_trained.get_offsets()[:, 0], tables.setup_means(ours, "accuracy"))
    np.testing.assert_allclose(centred.get_offsets()[:, 0], tables.setup_means(ours, "centroid_E_a"))


def test_confusion_is_shares_of_rows_and_names_the_largest_mistakes_of_many_classes():
    few = figures.confusion(np.array([0, 0, 0, 0, 1, 1]), np.array([0, 0, 0, 1, 1, 0]), ["dog", "rain", "absent"]).axes[
        0
    ]
    np.testing.assert_allclose(few.images[0].get_array(), [[0.75, 0.25, 0], [0.5, 0.5, 0], [0, 0, 0]])
    names, labels = classes(50), np.repeat(np.arange(50), 4)
    answers = labels.copy()
    answers[0:4], answers[44:46] = 7, 3  # every clip of class 0, half the clips of class 11
    ax = figures.confusion(labels, answers, names).axes[0]
    assert [(text.get_text(), text.get_position()[1]) for text in ax.texts] == [(names[7], 0), (names[3], 11)]


def test_heat_map_has_one_table_below_the_diagonal_and_one_above():
    lower, upper = np.array([[9, 1, 2], [1, 9, 3], [2, 3, 9]]), np.array([[9, 4, 5], [4, 9, 6], [5, 6, 9]])
    ax = figures.heat_map(lower, upper, ["dog", "rain", "wind"], lines=2).axes[0]
    shown = ax.images[0].get_array().filled(np.nan)
    np.testing.assert_array_equal(shown, [[np.nan, 4, 5], [1, np.nan, 6], [2, 3, np.nan]])
    assert ax.images[0].get_clim() == (0, 6)  # the diagonal does not set the scale


def boxes(figure: Figure) -> list:
    figure.draw_without_rendering()
    names = [text for text in figure.axes[0].texts if isinstance(text, Annotation)]
    return [Text.get_window_extent(name, figure._get_renderer()) for name in names]  # of the text, without its line


@pytest.mark.parametrize("seed", [0, 1])
def test_fifty_names_stay_apart_and_inside(seed):
    figure = figures.text_map(np.random.default_rng(seed).normal(size=(50, 2)), classes(50), title="E_t")
    found, frame = boxes(figure), figure.axes[0].get_window_extent()
    assert len(found) == 50
    for i, box in enumerate(found):
        assert box.x0 >= frame.x0 - 3 and box.x1 <= frame.x1 + 3
        for other in found[i + 1 :]:
            overlap = min(box.x1, other.x1) - max(box.x0, other.x0), min(box.y1, other.y1) - max(box.y0, other.y0)
            assert min(overlap) < 3  # pixels; a box has some air around its letters


def test_a_name_stands_at_a_clip_of_its_class():
    points = np.array([[0, 0], [0, 1], [0, 0.4], [9, 9], [9, 8], [9, 8.4]])
    (ax,) = figures.cloud(points, np.array([0, 0, 0, 1, 1, 1]), ["dog", "rain"], title="E_a").axes
    assert {text.get_text(): tuple(text.xy) for text in ax.texts} == {"dog": (0, 0.4), "rain": (9, 8.4)}


def test_correlation_has_the_paper_s_number_and_leaves_incomplete_panels_out():
    across, up = series("silhouette E_a"), series("accuracy")
    (ax,) = figures.correlation({"paper": (across, up), "part": (across.iloc[:4], up)}, x="x", y="y").axes
    assert "r = 0.97 (p = 0.001)" in ax.get_title()
    assert analysis.correlation_text(across, up * np.nan) == "no results"
    assert analysis.correlation_text(across, across) == "r = 1.00 (p < 0.001)"


def test_overlap_has_curve_and_chance():
    p, q = np.random.default_rng(0).normal(size=(2, 20, 5))
    (ax,) = figures.overlap({"pair": (p, q)}).axes
    np.testing.assert_allclose(ax.lines[0].get_ydata(), np.arange(1, 20) / 19)
    np.testing.assert_allclose(ax.lines[1].get_ydata(), metrics.neighborhood_overlap(p, q))


def test_beside_paper_by_hand():
    mine = pd.DataFrame({"setup": ["dirty-dirty"] * 2 + ["none-clean"], "accuracy": [0.5, 0.7, 0.14]})
    shown = tables.beside_paper({"yours": mine, "published": mine.iloc[2:]}, ["accuracy"])["accuracy"]
    assert shown.index.tolist() == tables.SLUGS and shown.columns.tolist() == [
        "yours",
        "published",
        "paper",
        "difference",
    ]
    assert shown.loc["dirty-dirty"].tolist() == ["0.60\u00a0±\u00a00.14", "–", "0.73", "-0.13"]
    assert shown.loc["none-clean"].tolist() == ["0.14", "0.14", "0.14", "+0.00"]  # one run has no spread


def test_a_user_s_mean_is_within_the_published_seeds_or_outside(ours):
    column = "accuracy"  # two seeds, each the mean of two groups
    published = pd.concat([ours.assign(**{column: 0.4 + 0.2 * ours["seed"] + gap}) for gap in (-0.1, 0.1)])
    for value, word in ((0.4, "within"), (0.5, "within"), (0.61, "outside")):
        line = tables.beside_published(ours.assign(**{column: value}), published).loc[("none-dirty", "accuracy")]
        assert line.tolist()[2:] == [f"{value - 0.5:+.2f}", "0.40 to 0.60", word]
    assert (tables.beside_published(ours.iloc[:0], published)["yours is"] == "–").all()


def test_whose_results_are_shown_is_said(tmp_path, monkeypatch, ours):
    (tmp_path / "profiles").mkdir()
    monkeypatch.chdir(tmp_path)
    assert "published" in tables.origin(results.folder("mini", own=True), ours)  # the user has none
    assert "no results" in tables.origin(results.folder("mini"), ours.iloc[:0])
    for base in ("results", "build/results"):
        write_profile(tmp_path / base / "mini", number=5, seeds=1)
    assert list(tables.columns("mini")) == ["ours"] and list(tables.columns("mini", own=True)) == ["yours", "published"]
    origin = tables.origin(results.folder("mini", own=True), ours.assign(synthetic=False).iloc[1:])
    assert "your run" in origin and "real sounds" in origin and origin.endswith("1 to 2</p>")


def test_leak_gains_and_the_parts_of_the_drop_by_hand(base):
    values = pd.Series(dict(zip(tables.SLUGS, (0.9, 0.7, 0.5, 0.6, 0.3, 0.2), strict=True)))
    assert analysis.mean_gains(values) == pytest.approx({"captions": (0.3 + 0.4 + 0.3) / 3, "pre-training": 0.25})
    runs = results.table(base, [*SETUPS, *CONTROLS["matched"]])
    drop = analysis.accuracy_drop(runs)
    assert len(drop) == 6  # three pre-trainings, two seeds
    np.testing.assert_allclose(drop["less data"] + drop["leakage"], drop["dirty"] - drop["clean"])


def test_the_paper_s_own_values_give_its_claims():
    printed = pd.DataFrame({column: series(row) for row, column in tables.ROWS.items()})
    verdicts = analysis.judge(printed.rename_axis("setup").reset_index().assign(seed=0, group=0))
    assert list(verdicts) == list(analysis.CLAIMS) == list("ABCDEFGH")
    assert [letter for letter, (verdict, _) in verdicts.items() if verdict != "holds"] == [
        "H"
    ]  # one printed value is lower
    worse = analysis.between_setups(*(pd.DataFrame([series(row)])[tables.SLUGS[::-1]].set_axis(tables.SLUGS, axis=1)
                                      for row in ("accuracy", "silhouette E_a")))  # fmt: skip
    assert {verdict for verdict, _ in worse.values()} == {"fails"}


def test_html_tables_escape_texts_but_not_our_own_markup():
    table = pd.DataFrame({"class": ["<i>"], "sound": ["<b>x</b>"], "share": [0.123]})
    html = tables.html_table(table, markup=["sound"])
    assert "&lt;i&gt;" in html and "<b>x</b>" in html and "0.12" in html and "<i>" not in html


def test_result_pages_start_without_slow_imports():
    code = "import sys, clapleak.book.figures; print({'torch', 'transformers', 'sklearn', 'scipy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_published_models_bear_out_the_title_of_their_page():
    clusters, accuracy = PUBLISHED["clustering"], PUBLISHED["zero_shot"]
    r = statistics.correlation(clusters, accuracy)
    drawn = statistics.grouped_correlation(clusters, accuracy, PUBLISHED["family"])
    assert [r.value, drawn.value] == pytest.approx([np.corrcoef(clusters, accuracy)[0, 1]] * 2)
    assert r.verdict == drawn.verdict == "holds" and len(PUBLISHED) == 13
    (ax,) = figures.published(PUBLISHED, "clustering", "zero_shot", labels=("V-measure", "accuracy")).axes
    assert {text.get_text() for text in ax.texts} == set(PUBLISHED.index)
    heights = [text.xyann[1] for text in ax.texts if text.xyann[0] > 0.8]
    assert np.diff(sorted(heights)).min() > 0.035  # of the scale; a name is as high as 0.03


def test_a_correlation_over_groups_has_no_interval_from_two_and_none_to_speak_of_on_a_line():
    x, groups = pd.Series([0.0, 1, 2, 3, 4, 5]), list("aabbcc")
    line = statistics.grouped_correlation(x, 2 * x, groups)
    assert (line.value, line.low, line.high) == pytest.approx((1, 1, 1))
    few = statistics.grouped_correlation(x, x**2, list("aaabbb"))
    assert few.value == pytest.approx(x.corr(x**2)) and np.isnan([few.low, few.high]).all()
