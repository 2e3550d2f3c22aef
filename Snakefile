# corpora -> clip store -> runs -> pages -> book, all below build/. `clapleak reproduce` calls this file.
import os
import shlex
import sys
from pathlib import Path

from clapleak import results
from clapleak.files import find_root, write

PACKAGE = Path(results.__file__).parent
ROOT = find_root()  # of the files that it reads; what it makes lies below the working directory


def near(paths):  # braces in the name of the folder would be wildcards
    return [os.path.relpath(path) for path in paths]


(FILE,) = near([config["file"]])  # of the profile
BUILD = f"build/{config['name']}"
CLI = shlex.quote(f"{Path(sys.executable).parent}/clapleak")
PROFILE = f"--profile {shlex.quote(config['profile'])}"
DATA = f"--data-root {shlex.quote(config['data_root'])}" if config["data_root"] else ""
MISSING = "--allow-missing" if config["allow_missing"] else ""
# what a finished run cannot depend on; whether its numbers are old is decided by its ids, not by the time of a file
SHOWN = ("cli.py", "plan.py", "results.py", "run_folder.py", "texts.py")
CODE = near(p for p in sorted(PACKAGE.glob("*.py")) if p.name not in SHOWN)
CODE += near(p for name in ("corpora", "foley", "models") for p in sorted((PACKAGE / name).glob("*.[pc]*")))
SEEDS, GROUPS = range(config["seeds"]), config["groups"]
RUNS = {results.run_name(seed, group): ([seed], [group]) for group in GROUPS or [None] for seed in SEEDS}
if config["together"]:  # trainings of seconds, each of which would wait longer for its process
    RUNS = {f"seeds{config['seeds']}": (SEEDS, GROUPS)}


def processes(slugs):  # those with one pre-training, which is made once; those without fill up where cores are few
    found = {}
    for slug in slugs:
        found.setdefault(slug.split("-")[0], []).append(slug)
    wanted, cores = len(RUNS) * len(found) * config["threads"], config["cores"]
    if len(found) > 1 and cores and wanted > cores and not config["together"]:
        for number, slug in enumerate(found.pop("none", [])):
            [*found.values()][-1 - number % len(found)].append(slug)
    return list(found.values())


SETUPS, CONTROLS = processes(config["setups"]), processes(config["controls"])


def done(slugs, run):  # named by its setups: with another number of cores or more controls it is another process
    return f"{BUILD}/trained/{'+'.join(slugs)}-{run}.done"


def trained():
    return [done(slugs, run) for slugs in (*SETUPS, *CONTROLS) for run in RUNS]


def flags(wildcards):
    seeds, groups = RUNS[wildcards.run]
    options = {"setup": wildcards.slugs.split("+"), "seed": seeds, "group": [g for g in groups if g is not None]}
    return " ".join(f"--{name} {value}" for name, values in options.items() for value in values)


def before(wildcards):  # controls start from the backbone of the setups with their pre-training
    slugs = wildcards.slugs.split("+")
    same = [others for others in SETUPS if others[0].split("-")[0] == slugs[0].split("-")[0]]
    return [] if slugs in SETUPS else [done(others, wildcards.run) for others in same]


rule all:
    input: "build/book.done" if config["book"] else [f"{BUILD}/pages.done", *trained()]


STATE = Path(BUILD, "data.id")  # of real data: written where it has changed, so that stores and runs are old then
if not STATE.is_file() or STATE.read_text() != config["data"]:
    write(STATE, config["data"].encode())


rule store:
    input: CODE, FILE, str(STATE)
    output: touch(f"{BUILD}/store.done")
    threads: workflow.cores
    shell: "{CLI} store {PROFILE} --cores {threads} {DATA}"


# Of one seed and pre-training: a process takes seconds to start.
rule train:
    input: rules.store.output, before
    output: touch(f"{BUILD}/trained/{{slugs}}-{{run}}.done")
    params: flags=flags
    wildcard_constraints: slugs=r"\w+-\w+(\+\w+-\w+)*"
    threads: config["threads"]
    priority: 1
    shell: "{CLI} train {PROFILE} {params.flags} {DATA} {MISSING}"


rule pages:
    input:
        trained(), near([ROOT / "_config.yml", *sorted((ROOT / "notebooks").glob("*.py"))]),
        near([*sorted((PACKAGE / "book").glob("*.py")), *sorted((ROOT / "reference").glob("*.csv"))]),
        near(path for path in sorted((ROOT / results.PUBLISHED).rglob("*")) if path.is_file()),
    output: touch(f"{BUILD}/pages.done")
    threads: workflow.cores
    localrule: True
    shell: "{CLI} pages {PROFILE} --own --cores {threads}"


rule book:
    input:
        rules.pages.output,
        near(p for p in sorted((ROOT / "book").rglob("*")) if p.suffix in (".md", ".yml", ".bib", ".css", ".js", ".svg")),
    output: touch("build/book.done")
    threads: workflow.cores
    localrule: True
    shell: "{CLI} book --own"
