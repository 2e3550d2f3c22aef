"""What a profile costs: sizes counted or official, steps, and a table that a stranger can read."""

import pytest
from click.testing import CliRunner

from clapleak import plan
from clapleak.cli import main
from clapleak.config import load_profile


def test_sizes_of_the_embedded_world_are_counted():
    sizes = plan.counted(load_profile("smoke"), None)
    assert sizes.clips == {"dirty": 88, "clean": sizes.clips["clean"]}  # 8 classes x 8 clips + 24 scenes
    assert 0 < sizes.clips["clean"] < 88
    assert 0 < sizes.pairs["clean"] < sizes.pairs["dirty"] == 88
    assert sizes.seconds == pytest.approx(2.0 * (88 + 88 + 24))


def test_official_sizes_are_those_of_the_releases():
    sizes = plan.official(load_profile("paper"), "no data")
    assert sizes.clips["dirty"] == 22160 + 2041789
    assert sizes.pairs["dirty"] == 36796 + 29645 + 49838 + 17275  # MS-CLAP names 128,010 with 44,292 of AudioCaps
    assert "no data" in sizes.source


def test_the_table_has_six_setups_and_the_steps_of_the_recipe():
    done = CliRunner().invoke(main, ["plan", "--profile", "smoke"])
    assert done.exit_code == 0, done.output
    rows = {line.split()[0]: line.split()[1:] for line in done.output.splitlines() if "-" in line.split(" ")[0]}
    assert list(rows) == ["dirty-dirty", "clean-dirty", "none-dirty", "dirty-clean", "clean-clean", "none-clean"]
    assert rows["dirty-dirty"][:3] == ["18", "8", "12"]  # 6 batches x 3 epochs; 4 x 2; 4 x 3
    assert rows["none-dirty"][0] == "0"
    assert "GB at batch 16" in done.output and "all six setups" in done.output
