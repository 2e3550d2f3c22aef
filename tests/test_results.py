"""Results are read whole or refused with the command that makes them."""

import json

import numpy as np
import pandas as pd
import pytest

from clapleak import results
from clapleak.config import MATCHED, SETUPS, ClapleakError


def make_run(root, setup=SETUPS[0], seed=0, group=None) -> results.Run:
    topology = {
        name: {"value": 0.5, "k": 2, "curve": [0.5], "chance": [0.1], "corrected": 0.4} for name in results.MEASURES
    }
    metrics = {
        "schema": results.SCHEMA, "profile": "mini", "pretraining": setup.pretraining, "training": setup.training,
        "seed": seed, "group": group, "synthetic": True, "chance": 0.5, "data": {"pairs": 9}, "accuracy": 0.25 + seed,
        "silhouette": {"x_a": 0.1, "E_a": 0.2}, "topology": topology, "provenance": {"fingerprint": "abc"},
    }  # fmt: skip
    rng = np.random.default_rng(0)
    clouds = {name: rng.random((4, 3), np.float32) for name in ("x_a", "E_a", "x_t", "E_t")}
    clouds |= {"labels": np.array([0, 1, 0, 1]), "clips": np.array(list("abcd")), "classes": np.array(["x", "y"])}
    plane = {"E_a": rng.random((4, 2)), "E_t": rng.random((4, 2))}
    folder = results.run_folder("mini", setup.slug, seed, group, root)
    names = ("mini", setup.pretraining, setup.training, seed, group)
    history = pd.DataFrame({"phase": ["frozen"] + ["unfrozen"] * 3, "epoch": [0, 0, 1, 2]})
    return results.Run(*names, metrics, history, clouds, plane, folder)


def test_what_is_written_is_read_back(tmp_path):
    run = make_run(tmp_path)
    results.write_run(run)
    back = results.read_run(run.path)
    assert back.metrics == run.metrics and back.slug == "dirty-dirty"
    assert back.embeddings["x_a"].dtype == np.float16
    np.testing.assert_allclose(back.embeddings["x_a"], run.embeddings["x_a"], atol=1e-3)
    assert back.embeddings["clips"].tolist() == list("abcd")
    assert results.finished(run.path, "abc") and not results.finished(run.path, "other")


def test_table_is_in_the_paper_s_order_with_one_row_a_run(tmp_path):
    for setup in (SETUPS[5], SETUPS[0]):
        for seed in (1, 0):
            results.write_run(make_run(tmp_path, setup, seed))
    found = results.table("mini", tmp_path)
    assert found["setup"].tolist() == ["dirty-dirty"] * 2 + ["none-clean"] * 2
    assert found["accuracy"].tolist() == [0.25, 1.25] * 2
    assert {"silhouette_x_a", "S_E_a_E_t", "S_x_t_E_t_corrected"} <= set(found.columns)
    assert found["epochs"].tolist() == [3] * 4  # those of the second phase


def test_controls_need_no_embeddings_and_name_the_command(tmp_path):
    for setup in (SETUPS[0], MATCHED[0]):
        run = make_run(tmp_path, setup)
        results.write_run(run)
        for name in ("embeddings.npz", "map.npz"):
            (run.path / name).unlink()
    found = results.controls("mini", [SETUPS[0], MATCHED[0]], tmp_path)
    assert found["training"].tolist() == ["dirty", "matched"] and found["epochs"].tolist() == [3, 3]
    with pytest.raises(ClapleakError, match="`clapleak reproduce --profile mini`$"):
        results.controls("mini", SETUPS, tmp_path)
    with pytest.raises(ClapleakError, match="--controls matched --controls doses`$"):
        results.controls("mini", MATCHED, tmp_path)
    (run.path / "history.csv").unlink()
    with pytest.raises(ClapleakError, match=r"dirty-matched/seed0: not readable .*history.csv.* again"):
        results.controls("mini", MATCHED[:1], tmp_path)


def test_groups_have_folders_of_their_own(tmp_path):
    results.write_run(make_run(tmp_path, group=1))
    assert (tmp_path / "results" / "mini" / "dirty-dirty" / "group1-seed0" / "metrics.json").is_file()
    assert results.read_runs("mini", tmp_path)[0].group == 1


@pytest.mark.parametrize("name", ["metrics.json", "history.csv", "embeddings.npz", "map.npz"])
def test_a_missing_file_is_named_with_the_command(tmp_path, name):
    run = make_run(tmp_path)
    results.write_run(run)
    (run.path / name).unlink()
    with pytest.raises(ClapleakError, match=rf"{name} missing; run `clapleak reproduce --profile mini`"):
        results.read_run(run.path)


def test_other_schema_missing_field_and_damage_are_refused(tmp_path):
    run = make_run(tmp_path)
    for change, message in ({"schema": 99}, "schema 99, not 1"), ({"silhouette": None}, "fields missing: silhouette"):
        results.write_run(run)
        metrics = {k: v for k, v in {**run.metrics, **change}.items() if v is not None or k in ("group",)}
        (run.path / "metrics.json").write_text(json.dumps(metrics))
        with pytest.raises(ClapleakError, match=message):
            results.read_run(run.path)
    results.write_run(run)
    (run.path / "embeddings.npz").write_bytes(b"PK broken")
    with pytest.raises(ClapleakError, match="not readable"):
        results.read_run(run.path)


def test_no_results_names_the_command(tmp_path):
    with pytest.raises(ClapleakError, match="clapleak reproduce --profile mini"):
        results.read_runs("mini", tmp_path)


def test_a_failed_write_leaves_the_old_results(tmp_path, monkeypatch):
    run = make_run(tmp_path)
    results.write_run(run)

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(results.np, "savez_compressed", full)
    with pytest.raises(OSError):
        results.write_run(make_run(tmp_path))
    assert results.read_run(run.path).metrics == run.metrics
    assert [p.name for p in run.path.parent.iterdir()] == [run.path.name]
