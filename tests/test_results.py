"""Results are read whole or refused with the command that makes them; own ones stand beside the published ones."""

import json
import os
import shutil
from pathlib import Path

import pytest
from fake_results import make_run
from helpers import files

from clapleak import results
from clapleak.book.publish import publish
from clapleak.config import ClapleakError
from clapleak.setups import MATCHED, SETUPS

AGAIN = "run `clapleak reproduce --profile mini`"


def write(base, setup=SETUPS[0], seed=0, family="f") -> results.Run:
    """A run whose accuracy and id tell its seed; a backbone where the setup is a word."""
    ids = {"family": family, "measurement": f"m{seed}"}
    return make_run(base, setup, seed=seed, ids=ids, accuracy=0.25 + seed / 100)


def test_table_is_in_the_paper_s_order_with_one_row_a_run(here):
    base = here / "results" / "mini"
    for setup in (SETUPS[5], SETUPS[0], MATCHED[0]):
        for seed in (10, 0, 2):
            write(base, setup, seed)
    found = results.table(base, [SETUPS[0], SETUPS[5], MATCHED[0]])
    assert found["setup"].tolist() == ["dirty-dirty"] * 3 + ["none-clean"] * 3 + ["dirty-matched"] * 3
    assert found["seed"].tolist() == [0, 2, 10] * 3 and found["accuracy"].tolist() == [0.25, 0.27, 0.35] * 3
    run = results.read_runs(base, ["dirty-dirty"])[0].metrics
    columns = {
        "silhouette_x_a": run["silhouette"]["x_a"], "centroid_E_a": run["centroid_accuracy"]["E_a"], "epochs": 3,
        "S_E_a_E_t": run["topology"]["E_a-E_t"]["value"],
        "S_x_t_E_t_corrected": run["topology"]["x_t-E_t"]["corrected"],
    }  # fmt: skip
    assert found.loc[0, list(columns)].to_dict() == columns
    with pytest.raises(ClapleakError, match=rf"no results of clean-dirty, .*; {AGAIN}, with --controls"):
        results.table(base)
    with pytest.raises(ClapleakError, match="no such results; make them with `clapleak reproduce --profile mini`"):
        results.read_backbones(base)


def test_a_run_is_read_by_any_of_its_names(here, monkeypatch):
    run = write(here / "results" / "mini")
    monkeypatch.chdir(run.path)
    for name in (".", "../seed0", Path("."), Path("../seed0"), str(run.path)):
        assert results.read_run(name).path == run.path
    monkeypatch.chdir(run.path.parents[1])
    assert [found.path for found in results.read_runs(".", ["dirty-dirty"])] == [run.path]
    assert len(results.table("../mini", [SETUPS[0]])) == 1
    monkeypatch.chdir(run.path.parent)
    with pytest.raises(ClapleakError, match="metrics.json: not readable"):
        results.read_run(Path("seed1"))


def test_neither_what_a_kill_left_nor_runs_of_another_family_or_of_other_data_are_read(here):
    base = here / "build" / "results" / "mini"
    old = write(base, SETUPS[0], family="old")
    for left in (".seed0.k1ll3d", ".seed1.k1ll3d"):
        shutil.copytree(old.path, old.path.with_name(left))
    assert [run.path.name for run in results.read_runs(base, ["dirty-dirty"])] == ["seed0"]
    write(base, SETUPS[0], family="old")
    assert sorted(path.name for path in old.path.parent.iterdir()) == [".seed1.k1ll3d", "seed0"]
    os.utime(old.path / "metrics.json", (1, 1))
    write(base, SETUPS[1], family="new")
    message = f"1 runs .* than clean-dirty, which is newer.*: delete {old.path}, or {AGAIN}"
    with pytest.raises(ClapleakError, match=message):
        results.read_runs(base)
    numbers = write(base, SETUPS[0], family="new").metrics  # one family, but a pair less in one seed
    write(base, SETUPS[0], seed=1, family="new")
    assert len(results.read_runs(base)) == 3
    numbers["data"]["pairs"] -= 1
    (old.path / "metrics.json").write_text(json.dumps(numbers))
    with pytest.raises(ClapleakError, match=f"1 runs .* than dirty-dirty.*: delete .*/seed1, or {AGAIN}"):
        results.read_runs(base)


def test_own_results_are_shown_where_they_are_wanted_and_published_whole_or_not_at_all(here):
    own, published = here / "build" / "results" / "mini", here / "results" / "mini"
    assert results.folder("mini", own=True) == results.folder("mini") == published
    write(published, SETUPS[0], seed=7)
    for setup in SETUPS[:-1]:
        write(results.own_folder("mini"), setup)
    assert results.folder("mini", own=True) == own and results.folder("mini") == published
    with pytest.raises(ClapleakError, match="no results of none-clean"):  # incomplete: nothing changes
        publish("mini")
    assert (published / "dirty-dirty" / "seed7").is_dir()
    (own / "none-clean" / "seed9").mkdir(parents=True)  # empty: made by hand, or of a copy that broke off
    (own / "dirty-dirty" / "seed0" / "notes.txt").write_text("mine")
    (own / "dirty-dirty" / "seed0" / "all").symlink_to(here)
    for setup, seed in ((SETUPS[5], 0), (SETUPS[5], 1), (SETUPS[0], 1), (MATCHED[0], 0), ("dirty", 0), ("dirty", 1)):
        write(own, setup, seed)
    assert publish("mini") == published
    clouds = {name.removesuffix("/embeddings.npz") for name in files(published) if name.endswith("embeddings.npz")}
    assert clouds == {f"{s.slug}/seed0" for s in SETUPS} | {"backbone/dirty/seed0"}  # of seed 0 alone
    others = {f"{name}/seed1" for name in ("dirty-dirty", "none-clean", "backbone/dirty")} | {"dirty-matched/seed0"}
    assert {name.rpartition("/")[0] for name in files(published)} == clouds | others
    assert results.table(published)["accuracy"].tolist() == results.table(own)["accuracy"].tolist()
