"""What a machine has run, in the place of the published results, and the table in the README."""

import shutil
from pathlib import Path

from clapleak import results
from clapleak.book import tables
from clapleak.config import find_root
from clapleak.files import atomic_file, atomic_folder
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
    places = [path.parent for path in sorted(source.rglob("metrics.json")) if not path.parent.name.startswith(".")]
    runs = [results.read_run(path) for path in places]  # what a kill left has a name with a dot
    many = not all(run.has_clouds for run in runs)
    with atomic_folder(target) as temporary:
        if many:
            results.table(source, every).to_csv(temporary / results.RUNS, index=False, float_format="%.5g")
        for run in runs:
            paper = run.pretraining in PRETRAININGS and run.training in (None, *TRAININGS)
            shown = paper and run.seed == 0 and (run.has_clouds or not many) and profile not in MEASURES_ALONE
            if many and run.training is not None and not shown:
                continue
            left_out = shutil.ignore_patterns(".*", *(() if shown else ("embeddings.npz", "map.npz")))
            shutil.copytree(run.path, temporary / run.path.relative_to(source), ignore=left_out)
    return target


def write_summary(root: Path) -> None:
    """Put the table of published accuracies into the README, between its two markers."""
    shown = {}
    for title, profile in (
        ("real networks on ESC-50", "networks"),
        ("synthetic sounds", "mini"),
        ("small network on ESC-50", "esc50"),
    ):
        runs = results.table(results.folder(profile))
        beside = tables.beside_paper({"ours": runs}, ["accuracy"])["accuracy"]
        shown |= {"paper": beside["paper"], title: beside["ours"].str.replace("\u00a0", " ")}
        shown[title]["guessing"] = f"{runs['chance'].mean():.2f}"
    lines = [["pre-training-training", *shown], ["---"] * (1 + len(shown))]
    lines += [[name, *(column.get(name, "") for column in shown.values())] for name in (*tables.SLUGS, "guessing")]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    readme = root / "README.md"
    before, rest = readme.read_text(encoding="utf-8").split("<!-- results -->")
    text = "Zero-shot accuracy, mean with its interval of 95 %, over seeds (and groups); written by `clapleak publish`."
    content = f"{before}<!-- results -->\n{text}\n\n{table}\n<!-- /results -->{rest.split('<!-- /results -->')[1]}"
    with atomic_file(readme) as file:
        file.write(content.encode())
