"""Results on disk: one folder a run, written whole, refused when a field is missing or the schema is another.

`results/<profile>/` holds the published results and is tracked; no run of a user writes there. A user's own results lie
in `build/results/<profile>/`. Below either: `<setup>/[group<g>-]seed<k>/` and `backbone/<pre-training>/...`.
"""

import json
import os
import re
from collections.abc import Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from clapleak.config import ClapleakError, Profile, find_root
from clapleak.files import atomic_file, atomic_folder, output_root
from clapleak.run_folder import Run, again, readable
from clapleak.setups import SETUPS, Setup

SCHEMA = 2
RUNS = "runs.csv"  # the table of a profile with too many published runs for a folder each
PUBLISHED, OWN = "results", "build/results"
MEASURES = {"x_a-E_a": "S_x_a_E_a", "x_t-E_t": "S_x_t_E_t", "E_a-E_t": "S_E_a_E_t"}
_FIELDS = {"profile": str, "pretraining": str, "training": str | None, "seed": int, "group": int | None}
_FIELDS |= {"synthetic": bool} | dict.fromkeys(("data", "silhouette", "ids", "provenance"), dict)
_MEASURED = {"accuracy": float, "chance": float, "topology": dict}  # of a trained setup, not of a backbone
_SLUGS = [setup.slug for setup in SETUPS]
_RUN = re.compile(r"(group\d+-)?seed\d+")  # not a folder that is half written, whose name begins with a dot


def own_folder(profile: str) -> Path:
    """Where a user's runs of a profile go."""
    return output_root() / OWN / profile


def folder(profile: str, *, own: bool = False) -> Path:
    """Folder of a profile's results: the user's own ones where they are wanted and lie there, else the published."""
    mine = own_folder(profile)
    return mine if own and mine.is_dir() else find_root() / PUBLISHED / profile


def run_name(seed: int, group: int | None) -> str:
    """Folder name of a run below its setup."""
    return f"seed{seed}" if group is None else f"group{group}-seed{seed}"


def header(
    profile: Profile, pretraining: str, training: str | None, seed: int, group: int | None, counts: dict[str, int]
) -> dict[str, Any]:
    """First fields of metrics.json: which run it is, and what it learnt from (`counts` of its experiment)."""
    which = {"pretraining": pretraining, "training": training, "seed": seed, "group": group}
    return {"schema": SCHEMA, "profile": profile.name, **which, "synthetic": profile.synthetic, "data": counts}


def provenance(device: str) -> dict[str, str]:
    """The versions and the kind of device that gave the numbers."""
    return {"code": version("clapleak"), "torch": version("torch").split("+")[0], "device": device}


def finished(path: Path, measurement: str | None = None) -> bool:
    """Whether a folder holds results, of just this measurement if it is given, whole and readable."""
    try:
        run = read_run(path)
        _ = run.history, run.metrics.get("clouds", True) and run.embeddings
        _ = run.training and readable(path / "metrics.json", partial(_row, run, run.history))
        return "epochs" in run.metrics and measurement in (None, run.metrics["ids"].get("measurement"))
    except ClapleakError:  # absent, damaged or of another schema: it is made again
        return False


def write_run(path: Path, metrics: dict[str, Any], history: pd.DataFrame, clouds: dict[str, np.ndarray]) -> Run:
    """Write a run's folder: whole or not at all; the folder of an earlier run is replaced at the end."""
    with atomic_folder(path) as temporary:
        metrics = {**metrics, "epochs": len(history)} | ({} if clouds else {"clouds": False})
        (temporary / "metrics.json").write_text(json.dumps(metrics, indent=1, allow_nan=False) + "\n")
        history.to_csv(temporary / "history.csv", index=False, float_format="%.6g")
        if clouds:
            half = {k: v.astype(np.float16) if v.dtype.kind == "f" else v for k, v in clouds.items()}
            np.savez_compressed(temporary / "embeddings.npz", **half)
    return read_run(path)


def write_map(run: Run, maps: dict[str, np.ndarray]) -> None:
    """Keep the two-dimensional map of a run beside its results."""
    with atomic_file(run.path / "map.npz") as file:
        np.savez_compressed(file, **{name: points.astype(np.float16) for name, points in maps.items()})


def read_run(path: str | Path) -> Run:
    """Read one run. ClapleakError when metrics.json is absent, damaged, of another schema, or of another run."""
    path = Path(os.path.abspath(path))  # whose folders name the run, also when it is given as "."
    file = path / "metrics.json"
    metrics = readable(file, lambda file: dict(json.loads(file.read_text("utf-8"), parse_constant=int)))
    if metrics.get("schema") != SCHEMA:
        raise ClapleakError(f"{file}: schema {metrics.get('schema')!r}, not {SCHEMA}; {again(path)}")
    fields = _FIELDS | (_MEASURED if metrics.get("training") else {})
    if wrong := [name for name, kind in fields.items() if not isinstance(metrics.get(name, ...), kind)]:
        raise ClapleakError(f"{file}: fields missing or of another kind: {', '.join(wrong)}; {again(path)}")
    if not 0 <= metrics.get("accuracy", 0) <= 1 or not 0 <= metrics.get("chance", 0) <= 1:
        raise ClapleakError(f"{file}: accuracy and chance lie between 0 and 1; {again(path)}")
    run = Run(**{key: metrics[key] for key in list(_FIELDS)[:5]}, metrics=metrics, path=path)
    own = f"{run.profile}/{'backbone/' * (run.training is None)}{run.slug}/{run_name(run.seed, run.group)}"
    if not path.as_posix().endswith(f"/{own}"):
        raise ClapleakError(f"{file}: holds {own}, which belongs elsewhere; move it, or {again(path)}")
    return run


def read_runs(base: str | Path, slugs: Sequence[str] = _SLUGS) -> list[Run]:
    """Runs below the results folder of a profile, by setup in the order of `slugs`, then by group and seed.

    ClapleakError where there is none, or where runs of different families (data, networks, recipe) lie side by side.
    """
    base = Path(os.path.abspath(base))
    command, runs = f"`clapleak reproduce --profile {base.name}`", []
    for slug in slugs:
        found = [path for path in (base / slug).glob("*") if _RUN.fullmatch(path.name) and any(path.glob("*"))]
        runs += sorted(map(read_run, found), key=lambda run: (run.group or 0, run.seed))
    if not runs:
        raise ClapleakError(f"{base}: no such results; make them with {command}")
    by_age = sorted(runs, key=lambda run: (run.path / "metrics.json").stat().st_mtime)
    newest, latest = by_age[-1], {(run.slug, run.group): run.metrics["data"] for run in by_age}
    stale = {run.path for run in runs if run.metrics["ids"].get("family") != newest.metrics["ids"].get("family")}
    stale |= {run.path for run in runs if run.metrics["data"] != latest[run.slug, run.group]}  # seeds must agree
    if old := sorted(map(str, stale)):
        remedy = f"delete {', '.join(old[:3])}{' and so on' * (len(old) > 3)}, or run {command} again"
        fault = f"{len(old)} runs have other data, networks or a recipe than {newest.slug}, which is newer"
        raise ClapleakError(f"{base}: {fault}: {remedy} with the same --seeds and --controls")
    return runs


def read_backbones(base: Path) -> list[Run]:
    """Every pre-trained backbone of a profile, dirty before clean; ClapleakError as `read_runs`."""
    return read_runs(base, ("backbone/dirty", "backbone/clean"))


def table(base: str | Path, setups: Sequence[Setup] = SETUPS) -> pd.DataFrame:
    """One row a run: setup, seed, group, accuracy, chance, pairs, epochs with released backbones, silhouettes,
    centroid accuracies, and topological similarities with and without chance correction.

    ClapleakError as `read_runs`, and where a setup has no run at all: a control is never shown without its partner.
    """
    base, slugs = Path(os.path.abspath(base)), [setup.slug for setup in setups]
    if (kept := base / RUNS).is_file():
        rows = readable(kept, lambda file: pd.read_csv(file).dropna(subset=["setup", "accuracy"]))
        rows = pd.concat([rows[rows["setup"] == slug] for slug in dict.fromkeys(slugs)], ignore_index=True)
    else:
        runs = read_runs(base, slugs)
        rows = pd.DataFrame([readable(run.path / "metrics.json", partial(_row, run, run.history)) for run in runs])
    if absent := [slug for slug in slugs if slug not in set(rows["setup"])]:
        remedy = f"run `clapleak reproduce --profile {base.name}`, with --controls for what is not in the paper"
        raise ClapleakError(f"{base}: no results of {', '.join(absent)}; {remedy}")
    return rows


def _row(run: Run, history: pd.DataFrame, file: Path) -> dict[str, Any]:
    m = run.metrics
    row = {"setup": run.slug} | {k: m[k] for k in ("pretraining", "training", "seed", "group", "synthetic")}
    row |= {"pairs": m["data"]["pairs"], "epochs": int((history["phase"] == "unfrozen").sum()), **_measures(m)}
    if "all_classes" in m:
        row |= {f"all_{name}": value for name, value in _measures(m["all_classes"]).items()}
        row |= {name: m["all_classes"][name] for name in ("unseen", "seen", "harmonic")}
    return row


def _measures(m: dict[str, Any]) -> dict[str, float]:
    row = {"accuracy": m["accuracy"], "chance": m["chance"]}
    row |= {f"silhouette_{space}": m["silhouette"][space] for space in ("x_a", "E_a")}
    row |= {f"centroid_{space}": m.get("centroid_accuracy", {}).get(space) for space in ("x_a", "E_a")}
    for pair, column in MEASURES.items():
        row |= {column: m["topology"][pair]["value"], f"{column}_corrected": m["topology"][pair]["corrected"]}
    return row
