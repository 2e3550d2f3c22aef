"""Profiles are whole, every number has its source, and setups keep the paper's order; see also test_bad_inputs."""

import pytest

from clapleak.config import find_root, load_profile
from clapleak.setups import CONTROLS, SETUPS, Setup


def test_setups_are_in_the_paper_s_order_and_controls_beside_them():
    slugs = ["dirty-dirty", "clean-dirty", "none-dirty", "dirty-clean", "clean-clean", "none-clean"]
    assert [(s.slug, s.figure) for s in SETUPS] == list(zip(slugs, ["2a", "2b", "2c", "2d", "2e", "2f"], strict=True))
    extra = [setup for several in CONTROLS.values() for setup in several]
    assert (
        not {*extra} & {*SETUPS}
        and len({*extra}) == len(extra)
        and all(Setup.parse(setup.slug) == setup for setup in (*SETUPS, *extra))
    )


@pytest.mark.parametrize("path", sorted((find_root() / "profiles").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_profile_loads_and_every_number_has_its_source(path):
    assert load_profile(path.stem).synthetic == (path.stem in ("smoke", "mini", "mini-long"))
    for line in path.read_text().splitlines():
        key, _, value = line.partition(":")
        assert "#" in value or not (key.startswith("  ") and value.strip()[:1].isdigit()), line
