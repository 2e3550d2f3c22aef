"""What the explorer is given: the same clips in every map, labels by nearness, and data that cannot become HTML."""

import json
import re

import numpy as np
import pytest
from fake_results import make_run

from clapleak.book import explorer, tables
from clapleak.config import ClapleakError
from clapleak.setups import SETUPS


@pytest.fixture
def six(tmp_path):
    return [make_run(tmp_path / "mini", setup, number=5) for setup in SETUPS]


def test_nearest_labels_are_those_of_highest_cosine(six):
    E_a, E_t = (six[3].embeddings[name].astype(float) for name in ("E_a", "E_t"))
    found = explorer.data_set(six, "t")["setups"][3]
    nearest = np.array(found["nearest"]).reshape(len(E_a), 3, 2)
    for i, clip in enumerate(E_a):
        cosines = [clip @ label / np.linalg.norm(clip) / np.linalg.norm(label) for label in E_t]
        assert nearest[i, :, 0].tolist() == sorted(range(5), key=lambda c: -cosines[c])[:3]
        np.testing.assert_allclose(nearest[i, :, 1] / 100, sorted(cosines)[:1:-1], atol=0.0051)
    share = (nearest[:, 0, 0] == six[3].embeddings["labels"]).mean()
    assert found["accuracy"] == pytest.approx(share, abs=0.005)


def test_maps_keep_their_shape_and_turn_upside_down():
    # x spans the square, y half of it in the middle; what was on top has the smaller y
    assert explorer._square(np.array([[0.0, 0], [4, 0], [0, 2]])) == [0, 750, 1000, 750, 0, 250]


def test_setups_are_in_the_paper_s_order_and_a_missing_one_has_no_map(six):
    shown = explorer.data_set([*six[:0:-1]], "t")
    assert [setup["slug"] for setup in shown["setups"]] == tables.SLUGS
    assert [("E_a" in setup) for setup in shown["setups"]] == [False] + [True] * 5


def test_runs_of_other_clips_or_of_one_setup_are_refused(six, tmp_path):
    with pytest.raises(ClapleakError, match="clips"):
        explorer.data_set([six[0], make_run(tmp_path / "other", SETUPS[1], number=6)], "t")
    for runs in ([], [six[0], six[0]]):
        with pytest.raises(ClapleakError, match="one run a setup"):
            explorer.data_set(runs, "t")


def test_data_in_the_page_cannot_end_its_element(six):
    shown = explorer.data_set(six, "</script><script>alert(1)</script> & <!--")
    html = explorer.element([shown])
    (data,) = re.findall(r'<script type="application/json" id="explorer-data">(.*?)</script>', html, re.S)
    assert html.count("</script>") == 1 and not set("<>&") & set(data)
    assert json.loads(data) == [shown]
    assert explorer.element([]).startswith("<p>")
