"""`clapleak`: thin commands over the package. Each imports what it needs, so that `clapleak --help` answers at once."""

from __future__ import annotations

import errno
import functools
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import requires
from importlib.util import find_spec
from pathlib import Path

import click

from clapleak.config import ClapleakError, find_root, load_profile, profile_path
from clapleak.files import absolute, locked, output_root, read_yaml, write
from clapleak.setups import CONTROLS, NETWORK_SETUPS, PRETRAININGS, SETUPS, Setup, network_facts

BOOK_PROFILES = ("mini", "mini-long", "esc50", "networks", "networks-titles", "networks-unfrozen")  # shown in the book
PATH, POSITIVE, SEEDS = click.Path(path_type=Path), click.IntRange(1, 1000), click.IntRange(0, 2**31 - 1)
OPTION = functools.partial(click.option, show_default=True)
CORES = functools.partial(OPTION, "--cores", type=POSITIVE, default=os.cpu_count())
MANY = "may be repeated."
PROFILE = OPTION("--profile", default="mini", help="Name in profiles/ or path of a YAML file.")
SEED = OPTION("--seed", "seeds", default=(0,), multiple=True, type=SEEDS, help=f"Seed of the run; {MANY}")
GROUP = OPTION("--group", "groups", multiple=True, type=SEEDS, help=f"Class group, where the profile has some; {MANY}")
OWN = OPTION("--own", is_flag=True, help="Of the results of this machine, in build/, not of the published ones.")
MISSING = OPTION("--allow-missing", is_flag=True, help="Train without clips that cannot be decoded; they are counted.")
SETUP = "Pre-training first, training second, such as clean-dirty; may be repeated."
WHERE = "Folder of the real data, such as ESC-50. Default: CLAPLEAK_DATA."
ROOT = "Where build/ comes, with all that is made. Default: the clone that you are in, else the working directory."
NOT_IN_PAPER = """Also setups that are not in the paper: matched (as many pairs as clean, with leaks), shares (of the
leaks), surface (of the leaks in both trainings), cleaner (without any sound of a target class)."""
DATA_ROOT = OPTION("--data-root", envvar="CLAPLEAK_DATA", type=absolute, metavar="DIR", help=WHERE)


def training_options(command: Callable) -> Callable:
    """The options of a command that trains; the last two are what `runs.open_study` takes."""
    for option in (MISSING, DATA_ROOT, GROUP, SEED, PROFILE):
        command = option(command)
    return command


@contextmanager
def _one_line() -> Iterator[None]:
    """Report user errors as one line and exit with code 2; Ctrl-C with code 130."""
    code = 2
    try:
        yield
        return
    except ClapleakError as error:
        message = str(error)
    except click.exceptions.NoArgsIsHelpError:  # shows the help
        raise
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "clapleak"
        message = f"{error.format_message().rstrip('.')}; see {where} --help"
    except ModuleNotFoundError as error:
        message = f"{error.name} is not installed: pip install 'clapleak[{_extra_of(error.name or '')}]'"
        if error.name == "fcntl":
            message = "training needs Linux or macOS; on Windows use its Subsystem for Linux"
        elif "[]" in message:
            raise
    except KeyboardInterrupt:
        message, code = "stopped; the same command goes on from there", 130
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        if not (full or error.filename):  # a defect, or a pipe that was closed
            raise
        fault = "the disk is full; free some" if full else f"{error.strerror}; mend the path or its permissions"
        message = f"{error.filename or 'a file'}: {fault} and give the same command again"
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in message).split())
    line = line if len(line) < 2000 else f"{line[:1000]} ... {line[-1000:]}"  # names may be of any length
    click.echo(f"clapleak: {line}", err=True)
    sys.exit(code)


def _extra_of(module: str) -> str:
    """The smallest extra that installs a module, by the metadata of the package; "" where none does."""
    parts = [re.match(r"([\w.-]+).*?(?:extra == .(\w+).)?$", line).groups("") for line in requires("clapleak") or ()]
    sizes, wanted = Counter(extra for _, extra in parts), module.partition(".")[0].lower()
    having = [extra for name, extra in parts if extra and name.replace("-", "_").lower() == wanted]
    return min(having, key=sizes.get, default="")


class _OneLineErrors(click.Group):
    parse_args, invoke = _one_line()(click.Group.parse_args), _one_line()(click.Group.invoke)


@click.group("clapleak", cls=_OneLineErrors)
@click.version_option(package_name="clapleak")
@OPTION("--root", envvar="CLAPLEAK_ROOT", type=absolute, metavar="DIR", help=ROOT)
def main(root: Path | None) -> None:
    """How much of zero-shot audio-text accuracy is leakage: the reproduction of Tavares et al. (2024).

    Start with `clapleak reproduce`, which runs the six setups on synthetic sounds and builds the book.
    """
    if root is not None:
        os.environ["CLAPLEAK_ROOT"] = str(root)  # for the processes of the workflow as well
    with suppress(AttributeError):  # of no file; another encoding than UTF-8 need not know every letter of a label
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


@main.command()
@PROFILE
@OPTION("--seeds", type=POSITIVE, help="Seeds a setup. Default: as the profile says.")
@OPTION("--cores", type=POSITIVE, help="To use at once. Default: all, or as the workflow profile says.")
@DATA_ROOT
@MISSING
@OPTION("--workflow-profile", type=PATH, help="Folder that tells Snakemake where to run, such as workflow/slurm.")
@OPTION("--controls", type=click.Choice(sorted(CONTROLS)), multiple=True, help=NOT_IN_PAPER)
@OPTION("--book/--no-book", default=True, help="Build the HTML at the end.")
def reproduce(
    profile: str, seeds: int | None, cores: int | None, data_root: Path | None, allow_missing: bool,
    workflow_profile: Path | None, controls: tuple[str, ...], book: bool,
) -> None:  # fmt: skip
    """Run the six setups, make the pages and build the book of this run, all below build/.

    Goes on where it was stopped. The published results stay; the book shows them beside those of this run.
    """
    root, settings, path, groups, setups = output_root(), load_profile(profile), profile_path(profile), [None], SETUPS
    state = ""  # of real data, whose change makes finished runs old
    place = workflow_profile and _runnable(workflow_profile)
    if settings.networks is not None:
        from clapleak.models.networks import refuse_absent  # imports torch

        known = settings.networks.by_pretraining()
        refuse_absent(known.values())
        setups = [setup for setup in NETWORK_SETUPS if setup.pretraining in known]
    if settings.data.foley is None:
        from clapleak.experiment import read_sources  # slow to import

        sources = read_sources(settings, data_root)  # refuses a wrong data root before anything starts
        groups, state = sources.group_numbers(), sources.state()
    config = dict(
        profile=profile if path.stem == profile else str(path), name=settings.name, file=str(path),
        seeds=seeds or settings.seeds, groups=[] if groups == [None] else groups, data_root=str(data_root or ""),
        allow_missing=allow_missing, threads=settings.compute.threads + settings.compute.workers,
        setups=[setup.slug for setup in setups], data=state,
        controls=[setup.slug for name in controls for setup in CONTROLS[name]], together=settings.networks is not None,
        book=book and settings.name in BOOK_PROFILES, cores=None if place else cores or os.cpu_count(),
    )  # fmt: skip
    for module in ("torch", "snakemake"):  # of processes that it starts
        if not find_spec(module):
            raise ModuleNotFoundError(name=module)
    with locked(root / "build" / "reproduce.lock", wait=False) as lock:
        settings_file = root / "build" / settings.name / "workflow.json"
        write(settings_file, json.dumps(config).encode())  # on the command line Snakemake would read "false" as a text
        _unmark_damaged(settings.name, groups)
        _snakemake(root, settings_file, place, cores, profile, lock)
    if config["book"]:
        click.echo(f"The book of this run: {root / 'build' / 'html' / 'index.html'}")


def _unmark_damaged(name: str, groups: Sequence[int | None]) -> None:
    """Take away the marks of finished processes whose results are no longer whole, so that these are made again."""
    from clapleak import results

    for mark in (output_root() / "build" / name / "trained").glob("*-*seed*[0-9].done"):  # older ones say "all"
        slugs, run, seeds = re.fullmatch(r"(.+?)-((?:group\d+-)?seeds?(\d+))", mark.stem).groups()
        several = itertools.product(range(int(seeds)), groups) if run.startswith("seeds") else ()
        names = [results.run_name(*one) for one in several] or [run]
        paths = (results.own_folder(name) / slug / run for slug in slugs.split("+") for run in names)
        if not all(map(results.finished, paths)):
            mark.unlink()


def _snakemake(root: Path, settings: Path, place: Path | None, cores: int | None, profile: str, lock: int) -> None:
    """Run the workflow, which holds the lock should this process be killed. ClapleakError where a job fails."""
    os.environ.setdefault("PATH", os.defpath)  # Snakemake asks for it
    command = [Path(sys.executable).parent / "snakemake", "--rerun-incomplete", "--rerun-triggers", "mtime"]
    command += ["--snakefile", find_root() / "Snakefile", "--configfile", settings]
    if place is None:
        command += ["--cores", str(cores or os.cpu_count()), "--quiet", "rules"]
    else:  # not quiet about rules, since that would hide why a job on another machine failed
        command += ["--workflow-profile", place, *(["--cores", str(cores)] if cores else [])]
    if any((root / ".snakemake" / "locks").glob("*")):  # left by a killed run, since no other one is at work
        subprocess.run([*command, "--unlock"], cwd=root, check=False, capture_output=True)
    started = time.time()
    if subprocess.run(command, cwd=root, check=False, pass_fds=[lock]).returncode:
        logs = sorted((root / ".snakemake" / "slurm_logs").rglob("*.log"), key=lambda log: log.stat().st_mtime)
        # Slurm's executor removes the log of a job that succeeds; of the others the last attempt counts
        failed = {log.parent: str(log.relative_to(root)) for log in logs if log.stat().st_mtime > started}
        where = " and ".join(["the lines above", *failed.values()])
        raise ClapleakError(f"profile {profile} did not finish; {where} say why; the same command goes on from there")


def _runnable(workflow_profile: Path) -> Path:
    """The absolute path of a Snakemake profile, once its settings and its executor are found."""
    path = workflow_profile / "config.yaml"
    settings = read_yaml(path) if path.is_file() else None
    executor = settings.get("executor", "local") if isinstance(settings, dict) else None
    if not isinstance(executor, str) or not re.fullmatch(r"[\w-]+", executor):
        raise ClapleakError(f"{path}: no settings for Snakemake, as workflow/slurm/config.yaml shows them")
    if executor not in ("local", "dryrun") and not find_spec(f"snakemake_executor_plugin_{executor.replace('-', '_')}"):
        extra = "'clapleak[cluster]'" if executor == "slurm" else f"snakemake-executor-plugin-{executor}"
        raise ClapleakError(f"{path}: the executor {executor} is absent: pip install {extra}")
    if executor == "slurm" and shutil.which("sbatch") is None:
        raise ClapleakError(f"{path}: sbatch is not found: run this on a machine of the cluster that submits jobs")
    return absolute(workflow_profile)


@main.command()
@OPTION("--setup", "slugs", multiple=True, required=True, help=SETUP)
@training_options
def train(slugs: tuple[str, ...], profile: str, seeds: tuple[int, ...], groups: tuple[int, ...], **where) -> None:
    """Train setups, one after the other, and write their results; a killed run goes on from its last epoch."""
    from clapleak import runs

    setups, chosen = [Setup.parse(slug) for slug in slugs], groups or (None,)
    study = runs.open_study(load_profile(profile), {s.pretraining for s in setups}, groups=chosen, **where)
    for seed, group, setup in itertools.product(seeds, chosen, setups):
        run = runs.run(study, setup, seed=seed, group=group)
        click.echo(f"{run.path}: accuracy {run.metrics['accuracy']:.3f}, chance {run.metrics['chance']:.3f}")


@main.command()
@OPTION("--pretraining", type=click.Choice(PRETRAININGS[:2]), required=True, help="What the labels may hold.")
@training_options
def pretrain(pretraining: str, profile: str, seeds: tuple[int, ...], groups: tuple[int, ...], **where) -> None:
    """Train one audio encoder on labels, dirty or clean."""
    from clapleak import results, runs

    chosen = groups or (None,)
    study = runs.open_study(load_profile(profile), {pretraining}, groups=chosen, **where)
    for seed, group in itertools.product(seeds, chosen):
        prepared = study.experiment(Setup(pretraining, "dirty"), group, seed)
        runs.run_backbone(study, pretraining, prepared, seed=seed, group=group)
        click.echo(results.own_folder(study.profile.name) / "backbone" / pretraining / results.run_name(seed, group))


@main.command()
@PROFILE
@CORES(help="Processes that decode.")
@DATA_ROOT
def store(profile: str, cores: int, data_root: Path | None) -> None:
    """Decode every clip of a profile once and pass every caption through the frozen text layers."""
    from clapleak import runs

    kept = runs.open_study(load_profile(profile), data_root=data_root, allow_missing=True, cores=cores).store
    for clip in kept.problems.itertuples():
        click.echo(f"{clip.path}: {clip.reason}")
    click.echo(f"{len(kept.rows)} clips, {len(kept.problems)} unusable")


@main.command()
@PROFILE
@DATA_ROOT
def plan(profile: str, data_root: Path | None) -> None:
    """Measure for a minute what a profile costs on this machine: steps, hours, disk and memory of each setup."""
    from clapleak import plan as costs

    click.echo(costs.plan(load_profile(profile), data_root))


@main.command()
@PROFILE
def publish(profile: str) -> None:
    """Put the results of this machine in the place of the published ones, in results/."""
    from clapleak.book import publish as publishing

    folder = publishing.publish(load_profile(profile).name)
    click.echo(f"{folder}: published; now `clapleak pages`, `clapleak book` and `python workflow/readme.py`")


@main.group()
def data() -> None:
    """The real corpora: what they are, how to get them, whether they are complete."""


@data.command("list")
@DATA_ROOT
def data_list(data_root: Path | None) -> None:
    """Show every corpus: its use, size and licence, and where it was found."""
    from clapleak.fetch import check

    click.echo(check.overview(data_root))


@data.command("check")
@click.argument("name")
@DATA_ROOT
@OPTION("--split", help="One part of the corpus, in its own naming. Default: every part that lies there.")
@OPTION("--quick", is_flag=True, help="Read the headers of the sounds alone; otherwise each is decoded whole.")
@CORES(help="Threads that decode.")
@MISSING
@OPTION("--output", type=PATH, help="CSV of every problem that was found.")
def data_check(name: str, data_root: Path | None, allow_missing: bool, output: Path | None, **options) -> None:
    """Compare a corpus with its official release and look at every clip.

    Ends with whether training may start: exit code 0 if it may, with --allow-missing where that is given; 2 if not.
    """
    from clapleak.fetch import check

    if output and absolute(check.corpora.find(name, data_root)) in absolute(output).parents:
        raise ClapleakError(f"{output}: lies in the corpus {name}; write it to another folder")
    report = check.check(name, data_root, **options)
    if output:
        write(output, report.problems.to_csv(index=False).encode())
    may, sentence = report.verdict(allow_missing)
    click.echo(f"{report}\n\n{sentence}")
    sys.exit(0 if may else 2)


@data.command()
@click.argument("name")
@DATA_ROOT
@OPTION("--yes", is_flag=True, help="Begin without a question: the licence is accepted.")
def fetch(name: str, data_root: Path | None, yes: bool) -> None:
    """Download what is public of a corpus (or `panns`, the weights), verify it and unpack it below the data root.

    Also weights of audio encoders that the profile networks uses (yamnet, byola, soundnet, aisfx), into build/weights.
    Goes on where it was stopped; what is verified and unpacked is not fetched again.
    """
    from clapleak.fetch import download

    if name in network_facts():
        from clapleak.fetch import networks  # with torch

        plan, begin = networks.plan(name), functools.partial(networks.fetch, name)
    elif data_root is None:
        raise ClapleakError(f"corpus {name}: where to? give --data-root DIR or set CLAPLEAK_DATA")
    else:
        plan, begin = download.plan(name, data_root), functools.partial(download.fetch, name, data_root)
    if plan:
        click.echo(plan)
        if not (yes or sys.stdin.isatty()):
            raise ClapleakError(f"{name}: nobody to ask here; give --yes to accept the licence and begin")
        if not (yes or click.confirm("Accept the licence and begin?")):
            return
        begin()
    click.echo(download.GUIDES.get(name, f"{name}: complete"))


@main.command("leaks")
@click.argument("files", type=PATH, nargs=-1, required=True)
@OPTION("--labels", default="esc50", help="esc50, another corpus, a table, or a text file with one label a line.")
@OPTION("--rule", default="word", help="word (the paper's), lemma, phrase, ontology (of labels) or meaning.")
@OPTION("--column", help="Column of the texts. Default: caption, text, labels, display_name, or caption_1 and on.")
@DATA_ROOT
@OPTION("--output", type=PATH, help="CSV of the texts with what leaks in each.")
def count_leaks(
    files: tuple[Path, ...], labels: str, rule: str, column: str | None, data_root: Path | None, output: Path | None
) -> None:
    """Count the texts of some CSV, TSV, Parquet or JSON lines files that leak test labels, by class and by word."""
    from clapleak import texts

    if output and any(os.path.exists(path) and output.samefile(path) for path in (*files, labels) if output.exists()):
        raise ClapleakError(f"{output}: is an input; name another --output")
    table = texts.read_files(files, rule, column)
    leaks = texts.find_leaks(table["text"], texts.load_labels(labels, data_root), rule)
    leaking, rows = (len(part[["file", "row"]].drop_duplicates()) for part in (table[leaks["leaks"]], table))
    if output:
        joined = leaks.assign(words=leaks["words"].map("; ".join), classes=leaks["classes"].map("; ".join))
        write(output, table[["file", "row", "text"][len(files) == 1 :]].join(joined).to_csv(index=False).encode())
    by_row = f"\n\n{leaking} of {rows} rows hold a leak" if rows < len(table) else ""
    click.echo(texts.count(leaks) + by_row)


@main.command("audit")
@click.argument("model")
@click.argument("test", type=PATH, required=False)
@OPTION("--training-labels", type=PATH, multiple=True, help="Labels of its training: CSV, Parquet or JSON lines.")
@OPTION("--training-captions", type=PATH, multiple=True, help="Captions of its training; both may be repeated.")
@OPTION("--training-recordings", type=PATH, help="CSV with a column recording: ids of its recordings.")
@OPTION("--training-audio", type=PATH, help="Folder of its sounds, to find the test's sounds in.")
@OPTION("--rule", default="word", help="How a text gives a class away, as in `clapleak leaks`.")
@OPTION("--prompts", type=PATH, help="Text file of prompts, one a line, with {} for the class. Default: five.")
@OPTION("--reference", type=PATH, help="audit.json of a reference model on the same test.")
@OPTION("--fail-on", default="labels", help="What fails the gate, of labels, recordings, unknown; commas part them.")
@OPTION("--max-leak", default=0.05, help="Accuracy, or share of clips, that a leak may be worth, from 0 to 1.")
@OPTION("--alpha", default=0.01, help="Level of the tests, from 0.0001 to 0.2.")
@OPTION("--seed", default=0, type=SEEDS, help="Seed of what is drawn.")
@OPTION("--allow-missing", is_flag=True, help="Leave out sounds that cannot be read; they are counted.")
@OPTION("--output", "-o", type=PATH, default=Path("audit"), help="Folder of report.html, audit.json, clouds.npz.")
def audit_model(**options) -> None:
    """Audit any audio-text model: how much of its zero-shot accuracy is leakage?

    MODEL is a folder or hub id of transformers' ClapModel, msclap:VERSION, laion:CHECKPOINT, arrays.npz or
    file.py:function. TEST is ESC-50's folder, or a CSV with the columns path, label and, if known, recording; an .npz
    with labels and classes needs none. Exit code: 0 the gate passed, 1 it failed, 2 bad input, 3 undecidable.
    """
    from clapleak.audit import command

    audited = command.run(**options)
    click.echo(command.summary(audited, options["output"]))
    sys.exit(audited.json["gate"]["code"])


@main.command()
@click.argument("notebook")
@click.argument("output", type=PATH)
@OPTION("-p", "parameters", type=(str, str), multiple=True, help="Name and value of a parameter, as YAML.")
def page(notebook: str, output: Path, parameters: tuple[tuple[str, str], ...]) -> None:
    """Execute a notebook of notebooks/ into a page, for example `clapleak page sounds sounds.ipynb`."""
    from clapleak.book import execute

    values = {name: read_yaml(value, f"-p {name}") for name, value in parameters}
    job = find_root() / "notebooks" / f"{notebook}.py", output.absolute(), values
    execute.execute_pages([job], find_root(), place=output_root())


@main.command()
@PROFILE
@OWN
@CORES(help="Pages at once.")
def pages(profile: str, own: bool, cores: int) -> None:
    """Execute the pages of the book from finished results; with --own those alone that show your runs.

    Of a profile that the book does not show, the six setup pages are made in build/PROFILE/pages.
    """
    from clapleak.book import execute

    root, settings = find_root(), load_profile(profile)
    if settings.name in BOOK_PROFILES:
        jobs = execute.jobs(_places(own, "")[0], root, own=own)
        jobs = execute.without_published(jobs, root) if own else jobs
    else:
        setup, folder = root / "notebooks" / "setup.py", output_root() / "build" / settings.name / "pages"
        values = {"profile": profile, "own": True, "group": -1 if settings.data.class_groups is None else 0}
        jobs = [(setup, folder / f"setup_{s.slug}.ipynb", {**values, **vars(s)}) for s in SETUPS]
    execute.execute_pages(jobs, root, cores, place=output_root())


@main.command()
@OWN
def book(own: bool) -> None:
    """Build the HTML of the book from its executed pages."""
    from clapleak.book import site

    click.echo(f"The book: {site.build(*_places(own, 'html'))}")


@main.command()
@OWN
def pdf(own: bool) -> None:
    """Print the book as one PDF with Chromium."""
    from clapleak.book import pdf as printer

    click.echo(f"The PDF: {printer.write_pdf(*_places(own, 'clapleak.pdf'))}")


def _places(own: bool, product: str) -> tuple[Path, Path, Path]:
    """Executed pages of the book, where a product of them goes, and the root of the project."""
    pages = output_root() / "build" / "pages" if own else find_root() / "book" / "pages"
    return pages, output_root() / ("build" if own else "_build") / product, find_root()
