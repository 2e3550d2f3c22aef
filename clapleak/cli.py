"""`clapleak`: thin commands over the package."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import click
import yaml

from clapleak import __version__
from clapleak.config import (
    CONTROLS,
    DOSES,
    MATCHED,
    PRETRAININGS,
    SETUPS,
    TRAININGS,
    ClapleakError,
    Setup,
    find_root,
    load_profile,
    profile_path,
)

PROFILE = click.option("--profile", default="mini", show_default=True, help="Name in profiles/ or path of a YAML file.")
DATA_ROOT = click.option(
    "--data-root",
    "--root",
    type=click.Path(path_type=Path),
    help="Folder of the real data, such as ESC-50. Default: CLAPLEAK_DATA.",
)
ALLOW_MISSING = click.option(
    "--allow-missing", is_flag=True, help="Train without the clips that cannot be decoded; they are counted."
)
SEED = click.option("--seed", default=0, show_default=True, help="Seed of the run.")
GROUP = click.option("--group", type=int, help="Class group, for profiles that split the classes (esc50).")
CONTROL_SETUPS = {"matched": MATCHED, "doses": DOSES[1:-1]}
SLUGS = click.Choice([setup.slug for setup in (*SETUPS, *CONTROLS)])


class _OneLineErrors(click.Group):
    """Mistakes of the user's end as one line and exit code 2."""

    def invoke(self, context: click.Context) -> object:
        try:
            return super().invoke(context)
        except ClapleakError as error:
            message = str(error)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            message = f"{error.filename or 'a file'}: the disk is full; free some space and give the same command again"
        click.echo(f"clapleak: {' '.join(message.split())}", err=True)
        sys.exit(2)


@click.group(cls=_OneLineErrors)
@click.version_option(__version__)
def main() -> None:
    """How much of zero-shot audio-text accuracy is leakage: the reproduction of Tavares et al. (2024).

    Start with `clapleak reproduce`, which runs the six setups on synthetic sounds and builds the book.
    """


@main.command()
@PROFILE
@click.option("--seeds", type=click.IntRange(1), help="Seeds a setup. Default: as the profile says.")
@click.option("--cores", type=click.IntRange(1), help="To use at once. Default: all, or as the workflow profile says.")
@DATA_ROOT
@ALLOW_MISSING
@click.option(
    "--workflow-profile",
    type=click.Path(path_type=Path),
    help="Folder that says where Snakemake runs the jobs, such as workflow/slurm. Default: on this machine.",
)
@click.option(
    "--controls",
    type=click.Choice(sorted(CONTROL_SETUPS)),
    multiple=True,
    help="Also setups that are not in the paper: matched (as many pairs as clean), doses (shares of the leaks).",
)
@click.option("--book/--no-book", default=True, show_default=True, help="Build the HTML at the end.")
def reproduce(
    profile: str,
    seeds: int | None,
    cores: int | None,
    data_root: Path | None,
    allow_missing: bool,
    workflow_profile: Path | None,
    controls: tuple[str, ...],
    book: bool,
) -> None:
    """Run the six setups, write results and pages, build the book.

    Goes on where it was stopped: what is finished and unchanged is not run again.
    """
    from clapleak.datasets import data_root as resolve
    from clapleak.files import atomic_file

    root, settings = find_root(), load_profile(profile)
    place = None if workflow_profile is None else _runnable(workflow_profile)
    found, groups = resolve(data_root), [None]
    if settings.data.foley is None:
        from clapleak.task import world  # slow to import

        groups = world(settings, found).group_numbers()  # also refuses a wrong data root before anything starts
    target = "book" if book and settings.name in ("mini", "mini-long", "esc50") else "runs"
    path = profile_path(profile)
    config = {
        "profile": profile if path.stem == profile else str(path),
        "name": settings.name,
        "file": str(path),
        "seeds": seeds or settings.seeds,
        "data_root": str(found or ""),
        "groups": [] if groups == [None] else groups,
        "allow_missing": allow_missing,
        "threads": settings.compute.threads + settings.compute.workers,
        "controls": [setup.slug for name in controls for setup in CONTROL_SETUPS[name]],
    }
    settings_file = root / "build" / settings.name / "workflow.json"
    with atomic_file(settings_file) as file:  # on the command line Snakemake would read "false" as a text
        file.write(json.dumps(config).encode())
    command = [Path(sys.executable).parent / "snakemake", target]
    options = ["--rerun-incomplete", "--rerun-triggers", "mtime", "--configfile", settings_file]
    if place is None:
        options += ["--cores", str(cores or os.cpu_count()), "--quiet", "rules"]
    else:  # not quiet about rules, since that would hide why a job on another machine failed
        options += ["--workflow-profile", place, *(["--cores", str(cores)] if cores else [])]
    # a killed run leaves the folder locked; two runs at once are the user's to avoid
    if any((root / ".snakemake" / "locks").glob("*")):
        subprocess.run([*command, *options, "--unlock"], cwd=root, check=False, capture_output=True)
    started = time.time()
    if subprocess.run([*command, *options], cwd=root, check=False).returncode:
        logs = sorted((root / ".snakemake" / "slurm_logs").rglob("*.log"), key=lambda log: log.stat().st_mtime)
        # Slurm's executor removes the log of a job that succeeds; of the others the last attempt counts
        failed = {log.parent: str(log.relative_to(root)) for log in logs if log.stat().st_mtime > started}
        raise ClapleakError(
            f"profile {profile} did not finish; {' and '.join(['the lines above', *failed.values()])} say why; "
            "the same command goes on from there"
        )
    if target == "book":
        click.echo(f"The book: {root / '_build' / 'html' / 'index.html'}")


def _runnable(workflow_profile: Path) -> Path:
    """The absolute path of a Snakemake profile, once its settings and its executor are found."""
    path = workflow_profile / "config.yaml"
    try:
        executor = (yaml.safe_load(path.read_text()) or {}).get("executor", "local")
    except (OSError, ValueError, AttributeError, yaml.YAMLError) as error:
        raise ClapleakError(f"{path}: no settings for Snakemake, as workflow/slurm/config.yaml shows them") from error
    if executor not in ("local", "dryrun") and not find_spec(f"snakemake_executor_plugin_{executor.replace('-', '_')}"):
        extra = "'clapleak[cluster]'" if executor == "slurm" else f"snakemake-executor-plugin-{executor}"
        raise ClapleakError(f"{path}: the executor {executor} is absent: pip install {extra}")
    if executor == "slurm" and shutil.which("sbatch") is None:
        raise ClapleakError(f"{path}: sbatch is not found: run this on a machine of the cluster that submits jobs")
    return workflow_profile.resolve()


@main.command()
@PROFILE
@click.option("--setup", "slug", type=SLUGS, required=True, help="Pre-training first, training second.")
@SEED
@GROUP
@DATA_ROOT
@ALLOW_MISSING
def train(profile: str, slug: str, seed: int, group: int | None, data_root: Path | None, allow_missing: bool) -> None:
    """Train one setup and write its results.

    A killed run goes on from its last epoch when the same command is given again.
    """
    from clapleak import train as training

    run = training.run(
        load_profile(profile),
        Setup.parse(slug),
        seed=seed,
        group=group,
        data_root=data_root,
        allow_missing=allow_missing,
    )
    click.echo(f"{run.path}: accuracy {run.metrics['accuracy']:.3f}, chance {run.metrics['chance']:.3f}")


@main.command()
@PROFILE
@click.option("--pretraining", type=click.Choice(PRETRAININGS[:2]), required=True, help="What the labels may hold.")
@SEED
@GROUP
@DATA_ROOT
@ALLOW_MISSING
def pretrain(
    profile: str, pretraining: str, seed: int, group: int | None, data_root: Path | None, allow_missing: bool
) -> None:
    """Train one audio backbone on labels, dirty or clean."""
    from clapleak import train as training

    setup = Setup(pretraining, TRAININGS[0])
    run = training.run_backbone(
        load_profile(profile), setup, seed=seed, group=group, data_root=data_root, allow_missing=allow_missing
    )
    click.echo(str(run))


@main.command()
@PROFILE
@click.option(
    "--cores", type=click.IntRange(1), default=os.cpu_count(), show_default=True, help="Processes that decode."
)
@DATA_ROOT
def store(profile: str, cores: int, data_root: Path | None) -> None:
    """Decode every clip of a profile once and pass every caption through the frozen text layers."""
    from clapleak import train as training

    _, kept, _, _ = training.prepare_stores(load_profile(profile), data_root, cores=cores)
    for clip in kept.problems.itertuples():
        click.echo(f"{clip.path}: {clip.reason}")
    click.echo(f"{len(kept.rows)} clips, {len(kept.problems)} unusable")


@main.command()
@PROFILE
@DATA_ROOT
def plan(profile: str, data_root: Path | None) -> None:
    """Print what a profile costs on this machine: steps, hours, disk and memory of each setup.

    Takes a minute or two: a few training steps are measured.
    """
    from clapleak import plan as costs
    from clapleak.datasets import data_root as resolve

    click.echo(costs.plan(load_profile(profile), resolve(data_root)))


@main.group()
def data() -> None:
    """The real corpora: what they are, how to get them, whether they are complete."""


@data.command("list")
@DATA_ROOT
def data_list(data_root: Path | None) -> None:
    """Show every corpus: its use, size and licence, and where it was found."""
    from clapleak.datasets import check

    click.echo(check.overview(data_root))


@data.command("check")
@click.argument("name")
@DATA_ROOT
@click.option("--split", help="One part of the corpus, in its own naming. Default: every part that lies there.")
@click.option("--quick", is_flag=True, help="Read the headers of the sounds alone; otherwise each is decoded whole.")
@click.option("--cores", type=click.IntRange(1), default=os.cpu_count(), show_default=True, help="Threads that decode.")
@ALLOW_MISSING
@click.option("--output", type=click.Path(path_type=Path), help="CSV of every problem that was found.")
def data_check(
    name: str,
    data_root: Path | None,
    split: str | None,
    quick: bool,
    cores: int,
    allow_missing: bool,
    output: Path | None,
) -> None:
    """Compare a corpus with its official release and look at every clip.

    Ends with whether training may start: exit code 0 if it may, with --allow-missing where that is given; 2 if not.
    """
    from clapleak.datasets import check
    from clapleak.files import atomic_file

    report = check.check(name, data_root, split, quick=quick, cores=cores)
    if output is not None:
        with atomic_file(output) as target:
            target.write(report.problems.to_csv(index=False).encode())
    may, sentence = report.verdict(allow_missing)
    click.echo(f"{report}\n\n{sentence}")
    sys.exit(0 if may else 2)


@data.command()
@click.argument("name")
@DATA_ROOT
@click.option("--yes", is_flag=True, help="Begin without a question: the licence is accepted.")
def fetch(name: str, data_root: Path | None, yes: bool) -> None:
    """Download what is public of a corpus (or `panns`, the weights), verify it and unpack it below the data root.

    Goes on where it was stopped; what is verified and unpacked is not fetched again.
    """
    from clapleak.datasets import data_root as resolve
    from clapleak.datasets import download

    if (root := resolve(data_root)) is None:
        raise ClapleakError(f"corpus {name}: where to? give --data-root DIR or set CLAPLEAK_DATA")
    if plan := download.plan(name, root):
        click.echo(plan)
        if not yes and not sys.stdin.isatty():
            raise ClapleakError(f"corpus {name}: nobody to ask here; give --yes to accept the licence and begin")
        if not yes and not click.confirm("Accept the licence and begin?"):
            return
    download.fetch(name, root)
    click.echo(download.GUIDES.get(name, f"{name}: complete"))


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--labels", default="esc50", show_default=True, help="esc50, or a text file with one label a line.")
@click.option("--rule", default="word", show_default=True, help="word (the paper's), phrase, or ontology (of labels).")
@click.option("--output", type=click.Path(path_type=Path), help="CSV of the texts with what leaks in each.")
def leaks(file: Path, labels: str, rule: str, output: Path | None) -> None:
    """Count the texts of a CSV that leak test labels, by class and by word."""
    from clapleak import leakage
    from clapleak.files import atomic_file

    texts = leakage.read_texts(file, labels_only=rule == "ontology")
    found = leakage.find_leaks(texts["text"], leakage.load_labels(labels), rule)
    click.echo(leakage.report(found))
    gone = texts.loc[found["leaks"], "row"].nunique()
    click.echo(f"\n{gone} of {texts['row'].nunique()} rows hold a leak")
    if output is not None:
        joined = found.assign(words=found["words"].map("; ".join), classes=found["classes"].map("; ".join))
        with atomic_file(output) as target:
            target.write(texts[["row", "text"]].join(joined).to_csv(index=False).encode())


@main.command()
@click.option("--profile", default="esc50", show_default=True, help="Network and settings of both sides.")
@click.option("--seeds", default=3, show_default=True, type=click.IntRange(1))
@DATA_ROOT
def hardness(profile: str, seeds: int, data_root: Path | None) -> None:
    """Compare how hard the embedded world and real ESC-50 are for the same network; writes results/hardness.json."""
    from clapleak import hardness as comparison

    click.echo(str(comparison.compare(load_profile(profile), data_root, seeds)))


@main.command()
@click.argument("notebook")
@click.argument("output", type=click.Path(path_type=Path))
@click.option("-p", "parameters", type=(str, str), multiple=True, help="Name and value of a parameter, as YAML.")
def page(notebook: str, output: Path, parameters: tuple[tuple[str, str], ...]) -> None:
    """Execute a notebook of notebooks/ into a page, for example `clapleak page world world.ipynb`."""
    from clapleak import pages

    root = find_root()
    values = {name: yaml.safe_load(value) for name, value in parameters}
    pages.execute(root / "notebooks" / f"{notebook}.py", output, values, root=root)


@main.command()
def book() -> None:
    """Build the HTML of the book from the executed pages in book/pages, and the table of the README from results/."""
    from clapleak import pages

    root = find_root()
    first_page = pages.build_book(root)
    pages.write_summary(root)
    click.echo(f"The book: {first_page}")


@main.command()
def pdf() -> None:
    """Print the built book as one PDF with Chromium; run `clapleak book` before."""
    from clapleak import pdf as printer

    root = find_root()
    html = root / "_build" / "html"
    click.echo(f"The PDF: {printer.write_pdf(html, printer.chapters(root), root / '_build' / 'clapleak.pdf')}")
