"""The explorer of the book: the maps of all setups as one JSON, which `book/_static/explorer.js` draws."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from clapleak.book import figures
from clapleak.book.tables import cosines
from clapleak.config import ClapleakError
from clapleak.results import Run
from clapleak.setups import SETUPS

SIDE = 1000  # a map is a square of this many steps, fine enough for any screen
NEAREST = 3  # labels that are named beside a clip
_ESCAPED = str.maketrans({sign: f"\\u{ord(sign):04x}" for sign in "<>&"})  # could end or begin an element of a page


def data_set(runs: Sequence[Run], title: str) -> dict[str, Any]:
    """What the explorer shows of runs that share their test: at most one a setup, of one seed and group.

    Gives title, synthetic, classes (C), colours (C), clips (N), labels (N) and, for each of the six setups, slug,
    colour and, where a run exists, accuracy and silhouette (of all classes), E_a and E_t (x and y of every point,
    0..1000 from the upper left) and nearest (for each clip 3 times label and cosine in hundredths, closest first).
    ClapleakError for no run, two of one setup, or runs of different clips or classes.
    """
    by_slug = {run.slug: run for run in runs}
    if not runs or len(by_slug) != len(runs):
        raise ClapleakError(f"{title}: the explorer needs one run a setup; got {[run.slug for run in runs]}")
    first = runs[0].embeddings
    for run, name in ((run, name) for run in runs for name in ("clips", "classes", "labels")):
        if not np.array_equal(run.embeddings[name], first[name]):
            raise ClapleakError(f"{run.path}: other {name} than {runs[0].path}; run `clapleak reproduce` again")
    return {
        "title": title,
        "synthetic": bool(runs[0].metrics["synthetic"]),
        "classes": first["classes"].tolist(),
        "colours": [figures.class_colour(number) for number in range(len(first["classes"]))],
        "clips": first["clips"].tolist(),
        "labels": first["labels"].tolist(),
        "setups": [
            {"slug": setup.slug, "colour": figures.COLOURS[setup.slug]}
            | (_maps(by_slug[setup.slug]) if setup.slug in by_slug else {})
            for setup in SETUPS
        ],
    }


def _maps(run: Run) -> dict[str, Any]:
    similarity, whole = cosines(run.embeddings), run.metrics.get("all_classes", run.metrics)
    order = np.argsort(-similarity, axis=1, kind="stable")[:, :NEAREST]
    hundredths = np.rint(100 * np.take_along_axis(similarity, order, axis=1)).astype(int)
    return {
        "accuracy": round(whole["accuracy"], 2),
        "silhouette": round(whole["silhouette"]["E_a"], 2),
        **{space: _square(run.map[space]) for space in ("E_a", "E_t")},
        "nearest": np.stack([order, hundredths], axis=2).ravel().tolist(),
    }


def _square(points: np.ndarray) -> list[int]:
    """(N, 2) in the middle of a square, equal scale on both axes, y downwards as screens count."""
    points = points.astype(np.float64) * (1, -1)
    low, high = points.min(0), points.max(0)
    steps = (points - (low + high) / 2) / max((high - low).max(), 1e-9) * SIDE + SIDE / 2
    return np.rint(steps).astype(int).ravel().tolist()


def element(data_sets: Sequence[dict[str, Any]]) -> str:
    """HTML of the explorer with its data; without the script of the book it is one line that points to the picture."""
    if not data_sets:
        return "<p>The explorer has nothing to show yet: the lines above name the commands.</p>"
    data = json.dumps(data_sets, separators=(",", ":")).translate(_ESCAPED)
    note = "The built book draws maps here that you can search and hear; this is the still picture."
    return (
        f'<div id="explorer" data-media="../_static/foley/"><p>{note}</p></div>'
        f'<script type="application/json" id="explorer-data">{data}</script>'
    )
