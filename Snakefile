# corpora -> stores -> backbones -> setup pages -> result pages -> book. `clapleak reproduce` calls this file.
import shlex
import sys
from pathlib import Path

from clapleak.config import SETUPS
from clapleak.pages import RESULT_PAGES
from clapleak.results import run_name

PROFILE, GIVEN, FILE = config["name"], config["profile"], config["file"]  # name, as the user gave it, its path
BUILD = f"build/{PROFILE}"
CLI = f"{Path(sys.executable).parent}/clapleak"
# they only call, plan or show, so they make no training stale
SHOWN = ("cli.py", "explorer.py", "figures.py", "live.py", "pages.py", "pdf.py", "plan.py", "results.py")
CODE = [str(p) for p in sorted(Path("clapleak").rglob("*")) if p.suffix in (".py", ".csv") and p.name not in SHOWN]
RUNS = {run_name(seed, group): (seed, group) for group in config["groups"] or [None] for seed in range(config["seeds"])}
DATA = config["data_root"] or ""  # Snakemake reads an empty value as None
ROOT = f"--data-root {shlex.quote(DATA)}" if DATA else ""
MISSING = "--allow-missing" if config["allow_missing"] else ""
OTHERS = ("esc50", "mini-long") if PROFILE == "mini" else ()  # profiles whose results stand beside these
BESIDE = [str(p) for name in OTHERS for p in sorted(Path("results", name).rglob("metrics.json"))]
SLUGS = [setup.slug for setup in SETUPS]
SHOWN_RUN, *OTHER_RUNS = RUNS  # the first run of each setup becomes a page


def flags(wildcards):
    seed, group = RUNS[wildcards.run]
    return f"--seed {seed}" + ("" if group is None else f" --group {group}")


def parameters(wildcards):
    seed, group = RUNS[wildcards.run]
    pretraining, training = wildcards.slug.split("-")
    named = {"profile": GIVEN, "pretraining": pretraining, "training": training, "seed": seed}
    named |= {"group": -1 if group is None else group, "allow_missing": config["allow_missing"]}
    named |= {"data_root": f"'{DATA}'"}
    return " ".join(f"-p {name} {shlex.quote(str(value))}" for name, value in named.items())


rule runs:
    input:
        expand(f"{BUILD}/pages/setup_{{slug}}_{SHOWN_RUN}.ipynb", slug=SLUGS),
        expand(f"{BUILD}/trained/{{slug}}/{{run}}.done", slug=SLUGS, run=OTHER_RUNS),
        expand(f"{BUILD}/trained/{{slug}}/{{run}}.done", slug=config["controls"], run=RUNS),


rule store:
    input: CODE, FILE
    output: touch(f"{BUILD}/store.done")
    threads: workflow.cores
    shell: "{CLI} store --profile {GIVEN} --cores {threads} {ROOT}"


rule backbone:
    input: rules.store.output
    output: touch(f"{BUILD}/backbone/{{pretraining}}/{{run}}.done")
    params: flags=flags
    threads: config["threads"]
    priority: 1
    shell: "{CLI} pretrain --profile {GIVEN} --pretraining {wildcards.pretraining} {params.flags} {ROOT} {MISSING}"


def backbone_of(wildcards):
    pretraining = wildcards.slug.split("-")[0]
    return [] if pretraining == "none" else f"{BUILD}/backbone/{pretraining}/{wildcards.run}.done"


rule train:
    input: backbone_of, rules.store.output
    output: touch(f"{BUILD}/trained/{{slug}}/{{run}}.done")
    params: flags=flags
    threads: config["threads"]
    shell: "{CLI} train --profile {GIVEN} --setup {wildcards.slug} {params.flags} {ROOT} {MISSING}"


rule setup:
    input:
        backbone_of, rules.store.output, "notebooks/setup.py", "clapleak/figures.py", "clapleak/pages.py",
        "_config.yml", BESIDE,
    output: f"{BUILD}/pages/setup_{{slug}}_{{run}}.ipynb"
    params: named=parameters
    threads: config["threads"]
    shell: "{CLI} page setup {output} {params.named}"


if PROFILE == "mini":

    rule setup_page:
        input: f"{BUILD}/pages/setup_{{slug}}_{SHOWN_RUN}.ipynb"
        output: "book/pages/setup_{slug}.ipynb"
        localrule: True
        shell: "cp {input} {output}"


rule result_page:
    input:
        "notebooks/{name}.py", "clapleak/explorer.py", "clapleak/figures.py", "clapleak/pages.py", "_config.yml",
        lambda w: [] if w.name in ("idea", "leaks", "world") else [*rules.runs.input, *BESIDE],
        [str(p) for p in sorted(Path("reference").glob("*.csv"))], [str(p) for p in Path("results").glob("*.json")],
    output: "book/pages/{name}.ipynb"
    wildcard_constraints: name="|".join(RESULT_PAGES)
    shell: "{CLI} page {wildcards.name} {output}"


rule book:
    input:
        expand("book/pages/{name}.ipynb", name=[*RESULT_PAGES, *(f"setup_{slug}" for slug in SLUGS)]), "_config.yml",
        [str(p) for p in sorted(Path("book").rglob("*")) if p.suffix in (".md", ".yml", ".bib", ".css", ".js", ".svg")],
    output: "_build/html/index.html"
    threads: workflow.cores
    localrule: True
    shell: "{CLI} book"
