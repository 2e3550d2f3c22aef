"""What a machine has run, in the place of the published results."""

import shutil
from pathlib import Path

from clapleak import results
from clapleak.config import ClapleakError, find_root
from clapleak.files import atomic_folder
from clapleak.setups import NETWORK_SETUPS, PRETRAININGS, SETUPS, TRAININGS

MEASURES_ALONE = ("mini-long", "networks-titles", "networks-unfrozen")  # profiles of which no page shows an embedding
PARTIAL = ("networks-unfrozen",)  # trained for hours, so that not every setup has been


def publish(profile: str) -> Path:
    """Put a user's own results of a profile in the place of the published ones, whole; returns their folder.

    Of all but the first seed of the six setups and of the backbones, the measures alone are kept.
    """
    source, target = results.own_folder(profile), find_root() / results.PUBLISHED / profile
    every = [setup for setup in NETWORK_SETUPS if (source / setup.slug).is_dir()]
    results.table(source, every if profile in PARTIAL else SETUPS)  # all, of one family, or nothing is published
    if find_root() not in (Path.cwd(), *Path.cwd().parents):
        raise ClapleakError(f"{Path.cwd()}: publish inside a clone of the project, whose results change")
    places = [path.parent for path in sorted(source.rglob("metrics.json")) if not path.parent.name.startswith(".")]
    runs = [results.read_run(path) for path in places]  # what a kill left has a name with a dot
    many = not all(run.has_clouds for run in runs)
    with atomic_folder(target) as temporary:
        if many:
            results.table(source, every).to_csv(temporary / results.RUNS, index=False, float_format="%.5g")
        for run in runs:
            paper = run.pretraining in PRETRAININGS and run.training in (None, *TRAININGS)
            shown = paper and run.seed == 0 and run.has_clouds and profile not in MEASURES_ALONE
            if many and run.training is not None and not shown:
                continue
            known = {"metrics.json", "history.csv", *(("embeddings.npz", "map.npz") if shown else ())}
            place = temporary / run.path.relative_to(source)
            shutil.copytree(run.path, place, ignore=lambda _, names, known=known: {*names} - known)
    return target
