"""Figures draw what they are given, keep their text legible and apart, and leave no pyplot state."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from fake_results import classes, make_run, write_profile
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text

from clapleak import figures, metrics, results
from clapleak.config import ClapleakError

SMALLEST = 9  # points, in a figure of 7 inches


@pytest.fixture(scope="module")
def ours(tmp_path_factory) -> pd.DataFrame:
    root = tmp_path_factory.mktemp("results")
    write_profile("mini", root, number=9, seeds=2, groups=(None,))
    return results.table("mini", root)


def runs(number: int, tmp_path) -> list[results.Run]:
    return [make_run("mini", *slug.split("-"), root=tmp_path, number=number) for slug in figures.SLUGS]


def drawn(number: int, tmp_path, ours) -> dict[str, Figure]:
    """Every figure, for a number of classes."""
    six = runs(number, tmp_path)
    run, paper = six[4], results.paper()
    shown = run.embeddings
    labels, names = shown["labels"], [str(c) for c in shown["classes"]]
    means = metrics.class_means(shown["E_a"], labels)
    printed = [paper[paper["row"] == row].set_index("column")["value"] for row in ("silhouette E_a", "accuracy")]
    return {
        "headline": figures.headline(ours, paper, title="accuracy"),
        "history": figures.history(run),
        "confusion": figures.confusion(labels, (shown["E_a"] @ shown["E_t"].T).argmax(1), names),
        "heat_map": figures.heat_map(shown["E_t"] @ shown["E_t"].T, shown["E_t"] @ shown["E_t"].T, names, lines=3),
        "cloud": figures.cloud(run.map["E_a"], labels, names, title="E_a"),
        "six_clouds": figures.six_clouds(six),
        "text_map": figures.text_map(run.map["E_t"], names, title="E_t"),
        "correlation": figures.correlation({"paper": tuple(printed)}, x="silhouette", y="accuracy"),
        "overlap": figures.overlap({"E_a and E_t": (means, shown["E_t"])}, n_permutations=20),
    }


@pytest.mark.parametrize("number", [9, 50])
def test_text_is_legible_on_a_narrow_page_and_pyplot_stays_out(number, tmp_path, ours):
    for name, figure in drawn(number, tmp_path, ours).items():
        figure.draw_without_rendering()
        width = figure.get_size_inches()[0]
        texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
        assert texts
        assert min(text.get_fontsize() for text in texts) >= SMALLEST * width / 7, name
    assert plt.get_fignums() == []


def test_a_setup_has_one_colour_and_the_paper_s_order():
    assert list(figures.COLOURS) == figures.SLUGS
    assert len(set(figures.COLOURS.values())) == 6
    assert figures.COLOURS["dirty-dirty"] == "#D55E00" and figures.COLOURS["none-clean"] == "#56B4E9"


def test_headline_shows_means_runs_paper_and_chance(ours):
    (ax,) = figures.headline(ours, results.paper(), title="t").axes
    bars = [patch.get_height() for patch in ax.patches[:6]]
    np.testing.assert_allclose(bars, figures.setup_means(ours, "accuracy"))
    points = np.concatenate([found.get_offsets() for found in ax.collections if len(found.get_offsets())])[:, 1]
    assert np.isin(ours["accuracy"].round(9), points.round(9)).all()
    assert np.isin([0.73, 0.61, 0.31, 0.48, 0.40, 0.14], points).all()
    assert ax.lines[0].get_ydata()[0] == pytest.approx(1 / 9)


def test_history_marks_the_epoch_at_which_backbones_are_released(tmp_path):
    (ax,) = figures.history(runs(9, tmp_path)[0]).axes
    assert ax.lines[2].get_xdata() == [3.5, 3.5]  # three frozen epochs


def test_confusion_is_shares_of_rows():
    labels, answers = np.array([0, 0, 0, 0, 1, 1]), np.array([0, 0, 0, 1, 1, 0])
    ax = figures.confusion(labels, answers, ["dog", "rain", "never heard"]).axes[0]
    np.testing.assert_allclose(ax.images[0].get_array(), [[0.75, 0.25, 0], [0.5, 0.5, 0], [0, 0, 0]])
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["dog", "rain", "never heard"]


def test_confusion_of_many_classes_names_the_largest_mistakes_and_no_hit():
    names = classes(50)
    labels = np.repeat(np.arange(50), 4)
    answers = labels.copy()
    answers[0:4], answers[44:46] = 7, 3  # every clip of class 0, half the clips of class 11
    ax = figures.confusion(labels, answers, names).axes[0]
    assert [text.get_text() for text in ax.texts] == [names[7], names[3]]
    assert [text.get_position()[1] for text in ax.texts] == [0, 11]


def test_heat_map_has_one_table_below_the_diagonal_and_one_above():
    lower, upper = np.array([[9, 1, 2], [1, 9, 3], [2, 3, 9]]), np.array([[9, 4, 5], [4, 9, 6], [5, 6, 9]])
    ax = figures.heat_map(lower, upper, ["dog", "rain", "wind"], lines=2).axes[0]
    shown = ax.images[0].get_array().filled(np.nan)
    np.testing.assert_array_equal(shown, [[np.nan, 4, 5], [1, np.nan, 6], [2, 3, np.nan]])
    assert ax.images[0].get_clim() == (0, 6)  # the diagonal does not set the scale
    assert sorted({line.get_ydata()[0] for line in ax.lines}) == [0, 1.5]


def boxes(figure: Figure) -> list:
    figure.draw_without_rendering()
    names = [text for text in figure.axes[0].texts if isinstance(text, Annotation)]
    renderer = figure._get_renderer()
    return [Text.get_window_extent(name, renderer) for name in names]  # of the text, without its line


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_fifty_names_stay_apart_and_inside(seed):
    points = np.random.default_rng(seed).normal(size=(50, 2))
    figure = figures.text_map(points, classes(50), title="E_t")
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


def test_fifty_classes_have_fifty_looks():
    looks = {(tuple(style["color"]), style["marker"]) for style in map(figures._style, range(50))}
    assert len(looks) == 50


def test_six_clouds_are_in_place_and_a_missing_one_is_said(tmp_path):
    six = runs(9, tmp_path)
    axes = figures.six_clouds(six[:-1]).axes
    titles = [axes[i].get_title() for i in (0, 2, 4, 1, 3, 5)]  # axes go row by row, panels column by column
    assert [title.split(",")[0] for title in titles] == [
        f"({letter}) {slug}" for letter, slug in zip("abcdef", figures.SLUGS, strict=True)
    ]
    assert titles[-1].endswith("no result") and f"{six[0].metrics['silhouette']['E_a']:.2f}" in titles[0]


def test_correlation_has_the_paper_s_numbers_and_leaves_incomplete_panels_out():
    paper = results.paper()
    across, up = (paper[paper["row"] == row].set_index("column")["value"] for row in ("silhouette E_a", "accuracy"))
    figure = figures.correlation({"paper": (across, up), "part": (across.iloc[:4], up)}, x="x", y="y")
    (ax,) = figure.axes
    assert "r = 0.97 (p = 0.001)" in ax.get_title() and "without one" in ax.get_title()
    assert figures.correlation_text(across, up * np.nan) == "no results"
    assert figures.correlation_text(across, across) == "r = 1.00 (p < 0.001)"


def test_overlap_has_curve_chance_and_band():
    p, q = np.random.default_rng(0).normal(size=(2, 20, 5))
    (ax,) = figures.overlap({"pair": (p, q)}, n_permutations=50).axes
    np.testing.assert_allclose(ax.lines[0].get_ydata(), np.arange(1, 20) / 19)
    np.testing.assert_allclose(ax.lines[1].get_ydata(), metrics.neighborhood_overlap(p, q))
    assert len(ax.collections) == 2  # the band and the point of S


def test_beside_paper_by_hand():
    table = pd.DataFrame({"setup": ["dirty-dirty"] * 2 + ["none-clean"], "accuracy": [0.5, 0.7, 0.14]})
    shown = figures.beside_paper(table, results.paper(), {"accuracy": "accuracy"})
    assert shown.index.tolist() == figures.SLUGS
    assert shown.loc["dirty-dirty"].tolist() == ["0.60\u00a0±\u00a00.14", "0.73", "-0.13"]
    assert shown.loc["none-clean"].tolist() == ["0.14", "0.14", "+0.00"]  # one run has no spread
    assert shown.loc["clean-clean"].tolist() == ["–", "0.40", "–"]


def test_origin_names_profile_kind_and_runs(ours):
    assert figures.origin("mini", ours) == (
        '<p><span class="synthetic">synthetic</span> profile mini, runs a setup: 2</p>'
    )
    real = ours.assign(synthetic=False).iloc[1:]
    assert 'class="real">real sounds</span>' in figures.origin("esc50", real)
    assert figures.origin("esc50", real).endswith("1 to 2</p>")
    assert "no results" in figures.origin("esc50", ours.iloc[:0])


def test_a_profile_without_results_is_an_empty_table_and_a_line_with_the_command(monkeypatch, capsys, ours):
    def absent(profile):
        raise ClapleakError(f"no results; make them with `clapleak reproduce --profile {profile}`")

    monkeypatch.setattr(figures.results, "table", absent)
    empty = figures.table_or_note("esc50")
    assert empty.empty and set(empty.columns) == set(ours.columns)
    assert "clapleak reproduce --profile esc50" in capsys.readouterr().out
    assert figures.setup_means(empty, "accuracy").isna().all()


def test_a_profile_without_results_is_no_run_and_a_line_with_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(results, "find_root", lambda: tmp_path)
    assert figures.runs_or_note("esc50") == []
    assert "clapleak reproduce --profile esc50" in capsys.readouterr().out
