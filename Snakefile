# corpora -> clip store -> runs -> pages -> book, all below build/. `clapleak reproduce` calls this file.
import shlex
import sys
from pathlib import Path

from clapleak.setups import PRETRAININGS, TRAININGS
from clapleak.results import run_name

FILE = config["file"]  # the profile's path; config["profile"] is what the user gave
BUILD = f"build/{config['name']}"
CLI = shlex.quote(f"{Path(sys.executable).parent}/clapleak")
PROFILE = f"--profile {shlex.quote(config['profile'])}"
DATA = f"--data-root {shlex.quote(config['data_root'])}" if config["data_root"] else ""
MISSING = "--allow-missing" if config["allow_missing"] else ""
# what a finished run cannot depend on; whether its numbers are old is decided by its ids, not by the time of a file
SHOWN = ("cli.py", "plan.py", "results.py", "texts.py")
CODE = [str(p) for p in sorted(Path("clapleak").glob("*.py")) if p.name not in SHOWN]
CODE += [str(p) for name in ("corpora", "foley", "models") for p in sorted(Path("clapleak", name).glob("*.[pc]*"))]
RUNS = {run_name(seed, group): (seed, group) for group in config["groups"] or [None] for seed in range(config["seeds"])}
SLUGS = {p: [f"{p}-{t}" for t in TRAININGS] for p in PRETRAININGS}
CONTROLS = {p: [slug for slug in config["controls"] if slug.split("-")[0] == p] for p in PRETRAININGS}
KINDS = {"setups": SLUGS, "controls": CONTROLS}


def flags(wildcards):
    seed, group = RUNS[wildcards.run]
    setups = " ".join(f"--setup {slug}" for slug in KINDS[wildcards.kind][wildcards.pretraining])
    return f"{setups} --seed {seed}" + ("" if group is None else f" --group {group}")


def trained():
    wanted = [(kind, p) for kind, slugs in KINDS.items() for p in PRETRAININGS if slugs[p]]
    return [f"{BUILD}/trained/{kind}-{p}-{run}.done" for kind, p in wanted for run in RUNS]


rule all:
    input: "build/book.done" if config["book"] else [f"{BUILD}/pages.done", *trained()]


rule store:
    input: CODE, FILE
    output: touch(f"{BUILD}/store.done")
    threads: workflow.cores
    shell: "{CLI} store {PROFILE} --cores {threads} {DATA}"


# One process for all setups with the same pre-training and seed: it decodes, embeds and pre-trains once.
rule train:
    input: rules.store.output, lambda w: f"{BUILD}/trained/setups-{w.pretraining}-{w.run}.done" if w.kind == "controls" else []
    output: touch(f"{BUILD}/trained/{{kind}}-{{pretraining}}-{{run}}.done")
    params: flags=flags
    wildcard_constraints: kind="setups|controls", pretraining="[a-z]+"
    threads: config["threads"]
    priority: 1
    shell: "{CLI} train {PROFILE} {params.flags} {DATA} {MISSING}"


rule pages:
    input:
        trained(), "_config.yml", [str(p) for p in sorted(Path("notebooks").glob("*.py"))],
        [str(p) for p in sorted(Path("clapleak/book").glob("*.py"))], [str(p) for p in sorted(Path("reference").glob("*.csv"))],
    output: touch(f"{BUILD}/pages.done")
    threads: workflow.cores
    localrule: True
    shell: "{CLI} pages {PROFILE} --own --cores {threads}"


rule book:
    input:
        rules.pages.output,
        [str(p) for p in sorted(Path("book").rglob("*")) if p.suffix in (".md", ".yml", ".bib", ".css", ".js", ".svg")],
    output: touch("build/book.done")
    threads: workflow.cores
    localrule: True
    shell: "{CLI} book --own"
