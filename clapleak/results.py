"""Results on disk: one folder a run, written whole, refused when a field is missing or the schema is another."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from clapleak import __version__
from clapleak.config import SETUPS, ClapleakError, Profile, Setup, find_root
from clapleak.files import atomic_folder

SCHEMA = 1
MEASURES = {"x_a-E_a": "S_x_a_E_a", "x_t-E_t": "S_x_t_E_t", "E_a-E_t": "S_E_a_E_t"}
_FIELDS = (
    "schema",
    "profile",
    "pretraining",
    "training",
    "seed",
    "group",
    "synthetic",
    "data",
    "silhouette",
    "provenance",
)
_FILES = ("metrics.json", "history.csv", "embeddings.npz", "map.npz")


@dataclass(frozen=True)
class Run:
    """One trained setup, or one pre-trained backbone when `training` is None.

    `embeddings` holds x_a (N, Da), x_t (C, Dt), labels (N,), clips (N,), classes (C,) and, after cross-modal training,
    E_a (N, D), E_t (C, D); `map` their two-dimensional t-SNE under the same names.
    """

    profile: str
    pretraining: str
    training: str | None
    seed: int
    group: int | None
    metrics: dict[str, Any]
    history: pd.DataFrame
    embeddings: dict[str, np.ndarray]
    map: dict[str, np.ndarray]
    path: Path

    @property
    def slug(self) -> str:
        """Setup slug, or the pre-training of a backbone."""
        return self.pretraining if self.training is None else f"{self.pretraining}-{self.training}"


def run_name(seed: int, group: int | None) -> str:
    """Folder name of a run below its setup."""
    return f"seed{seed}" if group is None else f"group{group}-seed{seed}"


def run_folder(profile: str, slug: str, seed: int, group: int | None, root: Path | None = None) -> Path:
    """Folder of a run: results/<profile>/<slug>/[group<g>-]seed<k>; a backbone's slug is "backbone/<pre-training>"."""
    return (root or find_root()) / "results" / profile / slug / run_name(seed, group)


def header(
    profile: Profile, pretraining: str, training: str | None, seed: int, group: int | None, counts: dict[str, int]
) -> dict[str, Any]:
    """First fields of metrics.json: which run it is, and what it learnt from (`counts` of its task)."""
    which = {"pretraining": pretraining, "training": training, "seed": seed, "group": group}
    return {"schema": SCHEMA, "profile": profile.name, **which, "synthetic": profile.synthetic, "data": counts}


def provenance(profile: Profile, device: str, fingerprint: str) -> dict[str, str]:
    """What the numbers of a run hang on."""
    versions = {"code": __version__, "torch": version("torch").split("+")[0], "device": device}
    return {**versions, "profile_sha256": profile.sha256, "fingerprint": fingerprint}


def finished(folder: Path, fingerprint: str) -> bool:
    """Whether a folder holds the results of just this training."""
    path = folder / "metrics.json"
    return path.is_file() and json.loads(path.read_text())["provenance"].get("fingerprint") == fingerprint


def write_run(run: Run) -> None:
    """Write a run's folder: whole or not at all; the folder of an earlier run is replaced at the end."""
    with atomic_folder(run.path) as folder:
        (folder / "metrics.json").write_text(json.dumps(run.metrics, indent=1, allow_nan=False) + "\n")
        run.history.to_csv(folder / "history.csv", index=False, float_format="%.6g")
        half = {k: v.astype(np.float16) if v.dtype.kind == "f" else v for k, v in run.embeddings.items()}
        np.savez_compressed(folder / "embeddings.npz", **half)
        np.savez_compressed(folder / "map.npz", **{k: v.astype(np.float16) for k, v in run.map.items()})


def _again(path: Path) -> str:
    return f"run `clapleak reproduce --profile {path.parents[1].name.replace('backbone', path.parents[2].name)}` again"


def read_metrics(path: Path) -> dict[str, Any]:
    """metrics.json of a run's folder. ClapleakError as `read_run`."""
    try:
        metrics = json.loads((path / "metrics.json").read_text())
    except (ValueError, OSError) as error:
        raise ClapleakError(f"{path}: not readable ({error}); {_again(path)}") from error
    absent = [field for field in _FIELDS if field not in metrics]
    if absent or metrics["schema"] != SCHEMA:
        found = f"fields missing: {', '.join(absent)}" if absent else f"schema {metrics['schema']}, not {SCHEMA}"
        raise ClapleakError(f"{path / 'metrics.json'}: {found}; {_again(path)}")
    return metrics


def read_history(path: Path) -> pd.DataFrame:
    """history.csv of a run's folder, one row an epoch. ClapleakError when it cannot be read."""
    try:
        return pd.read_csv(path / "history.csv")
    except (ValueError, OSError) as error:
        raise ClapleakError(f"{path}: not readable ({error}); {_again(path)}") from error


def _unfrozen_epochs(history: pd.DataFrame) -> int:
    return int((history["phase"] == "unfrozen").sum())


def read_run(path: Path) -> Run:
    """Read one run. ClapleakError when a file or field is missing or another code version's schema is found."""
    absent = [name for name in _FILES if not (path / name).is_file()]
    if absent:
        raise ClapleakError(f"{path}: {', '.join(absent)} missing; {_again(path)}")
    metrics, history = read_metrics(path), read_history(path)
    try:
        embeddings, plane = (dict(np.load(path / name, allow_pickle=False)) for name in ("embeddings.npz", "map.npz"))
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        raise ClapleakError(f"{path}: not readable ({error}); {_again(path)}") from error
    keys = {k: metrics[k] for k in ("profile", "pretraining", "training", "seed", "group")}
    return Run(**keys, metrics=metrics, history=history, embeddings=embeddings, map=plane, path=path)


def _read_all(profile: str, slugs: list[str], root: Path | None) -> list[Run]:
    base = (root or find_root()) / "results" / profile
    folders = [folder for slug in slugs for folder in sorted((base / slug).glob("*seed*")) if folder.name[0] != "."]
    if not folders:
        raise ClapleakError(f"{base}: no results of this kind; make them with `clapleak reproduce --profile {profile}`")
    return [read_run(folder) for folder in folders]


def read_runs(profile: str, root: Path | None = None) -> list[Run]:
    """Every run of a profile, in the paper's order of setups, then by group and seed."""
    return _read_all(profile, [setup.slug for setup in SETUPS], root)


def read_backbones(profile: str, root: Path | None = None) -> list[Run]:
    """Every pre-trained backbone of a profile, dirty before clean."""
    return _read_all(profile, ["backbone/dirty", "backbone/clean"], root)


def table(profile: str, root: Path | None = None) -> pd.DataFrame:
    """One row a run: setup, seed, group, accuracy, chance, epochs with released backbones, silhouettes, topological
    similarities with and without chance correction."""
    rows = []
    for run in read_runs(profile, root):
        m = run.metrics
        row = {k: m[k] for k in ("pretraining", "training", "seed", "group", "accuracy", "chance", "synthetic")}
        row["epochs"] = _unfrozen_epochs(run.history)
        row |= {f"silhouette_{space}": m["silhouette"][space] for space in ("x_a", "E_a")}
        for pair, column in MEASURES.items():
            row |= {column: m["topology"][pair]["value"], f"{column}_corrected": m["topology"][pair]["corrected"]}
        rows.append({"setup": run.slug, **row})
    return pd.DataFrame(rows)


def controls(profile: str, setups: Sequence[Setup], root: Path | None = None) -> pd.DataFrame:
    """Setups with their controls, one row a run: setup, pretraining, training, seed, group, accuracy, chance, pairs,
    epochs with released backbones.

    Reads no embeddings, since the repository keeps none of a control. ClapleakError where a setup has no run, or where
    one was trained with other numbers in its profile than the others: old controls never stand by new results.
    """
    base, rows = (root or find_root()) / "results" / profile, []
    flags = "" if set(setups) <= set(SETUPS) else " --controls matched --controls doses"
    again = f"run `clapleak reproduce --profile {profile}{flags}`"
    for setup in setups:
        folders = [path.parent for path in sorted((base / setup.slug).glob("*seed*/metrics.json"))]
        if not folders:
            raise ClapleakError(f"{base / setup.slug}: no results; {again}")
        for folder in folders:
            found, epochs = read_metrics(folder), _unfrozen_epochs(read_history(folder))
            row = {k: found[k] for k in ("pretraining", "training", "seed", "group", "accuracy", "chance", "synthetic")}
            row |= {"pairs": found["data"]["pairs"], "epochs": epochs}
            rows.append({"setup": setup.slug, **row, "numbers": found["provenance"].get("profile_sha256")})
    table = pd.DataFrame(rows)
    if table["numbers"].nunique() > 1:
        raise ClapleakError(f"{base}: results of different versions of the profile lie side by side; {again}")
    return table.drop(columns="numbers")


def paper(root: Path | None = None) -> pd.DataFrame:
    """The paper's printed values: table, row, column (setup slug), value."""
    return pd.read_csv((root or find_root()) / "reference" / "paper.csv")


def hardness(root: Path | None = None) -> pd.DataFrame:
    """The comparison of `clapleak hardness`: one row a world, mean and spread over seeds of silhouette and accuracy."""
    path = (root or find_root()) / "results" / "hardness.json"
    if not path.is_file():
        raise ClapleakError(f"{path}: no such file; make it with `clapleak hardness --data-root DIR`")
    found = json.loads(path.read_text())
    names = {"foley": "embedded world (synthetic)", "esc50": "real ESC-50"}
    rows = {}
    for world, title in names.items():
        values = {measure: np.array(found[world][measure]) for measure in ("silhouette", "accuracy")}
        rows[title] = {
            f"{m}, {kind}": f for m, v in values.items() for kind, f in (("mean", v.mean()), ("sd", v.std(ddof=1)))
        }
        rows[title] |= {
            "classes": found["classes"],
            "clips to learn": found["train_clips"],
            "seeds": len(values["accuracy"]),
        }
    return pd.DataFrame(rows).T
