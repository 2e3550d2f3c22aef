"""What the explorer is given: the same clips in every map, labels by nearness, and data that cannot become HTML."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from fake_results import make_run

from clapleak import explorer, figures
from clapleak.config import ClapleakError


@pytest.fixture
def six(tmp_path):
    return [make_run("mini", *slug.split("-"), root=tmp_path, number=5) for slug in figures.SLUGS]


def test_nearest_labels_are_those_of_highest_cosine(six):
    run = six[3]
    found = explorer.world(six, "t")["setups"][3]
    E_a, E_t = run.embeddings["E_a"], run.embeddings["E_t"]
    nearest = np.array(found["nearest"]).reshape(len(E_a), 3, 2)
    for i, clip in enumerate(E_a):
        cosines = [clip @ label / np.linalg.norm(clip) / np.linalg.norm(label) for label in E_t]
        assert nearest[i, :, 0].tolist() == sorted(range(5), key=lambda c: -cosines[c])[:3]
        np.testing.assert_allclose(nearest[i, :, 1] / 100, sorted(cosines)[:1:-1], atol=0.0051)
    share = (nearest[:, 0, 0] == run.embeddings["labels"]).mean()
    assert found["accuracy"] == pytest.approx(share, abs=0.005)


def test_maps_keep_their_shape_and_turn_upside_down():
    points = np.array([[0.0, 0], [4, 0], [0, 2]])
    # x spans the square, y half of it in the middle; what was on top has the smaller y
    assert explorer._square(points) == [0, 750, 1000, 750, 0, 250]


def test_setups_are_in_the_paper_s_order_and_a_missing_one_has_no_map(six):
    world = explorer.world([*six[:0:-1]], "t")
    assert [setup["slug"] for setup in world["setups"]] == figures.SLUGS
    assert [("E_a" in setup) for setup in world["setups"]] == [False] + [True] * 5
    assert {setup["colour"] for setup in world["setups"]} == set(figures.COLOURS.values())


def test_runs_of_other_clips_are_refused(six):
    other = replace(six[1], embeddings={**six[1].embeddings, "clips": six[1].embeddings["clips"][::-1]})
    with pytest.raises(ClapleakError, match="clips"):
        explorer.world([six[0], other], "t")
    for runs in ([], [six[0], six[0]]):
        with pytest.raises(ClapleakError, match="one run a setup"):
            explorer.world(runs, "t")


def test_data_in_the_page_cannot_end_its_element(six):
    world = explorer.world(six, "</script><script>alert(1)</script> & <!--")
    html = explorer.element([world])
    (data,) = re.findall(r'<script type="application/json" id="explorer-data">(.*?)</script>', html, re.S)
    assert html.count("</script>") == 1 and not set("<>&") & set(data)
    assert json.loads(data) == [world]


def test_nothing_to_show_is_said():
    assert explorer.element([]).startswith("<p>") and "commands" in explorer.element([])
